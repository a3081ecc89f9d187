"""How fast one core reads code: parse alone, with chunks + terms + symbols, with the facts of the checks.

    python -m bench.parse [--path DIR] [--json FILE]

Without a path it reads the standard library of the running Python. Times are processor seconds of this
process, the best of three rounds; the calibration loop says how fast the machine was meanwhile.
"""

from __future__ import annotations

import argparse
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.report import begin, circumstances, write_result
from panlect.code.languages import LANGUAGES, Language, language_of
from panlect.code.parse import parse, read, unreadable

ROUNDS = 3
MAX_CORPUS_BYTES = 16 * 1024 * 1024
REACH = {"parse+chunk+symbols+terms": 5.0, "with facts": 3.0}  # MB/s
REACH_FILES = 250

Corpus = list[tuple[Language, bytes]]


@dataclass(frozen=True)
class Speed:
    """One way of reading one corpus."""

    corpus: str
    what: str
    files: int
    megabytes: float
    seconds: float
    mb_per_s: float
    files_per_s: float


def corpora(path: Path | None) -> Iterator[tuple[str, Corpus]]:
    """Files by language below `path`, at most 16 MB of each."""
    root = path or Path(sysconfig.get_paths()["stdlib"])
    for language in LANGUAGES:
        files: Corpus = []
        size = 0
        for file in sorted(root.rglob("*")):
            if file.suffix not in language.suffixes or "site-packages" in file.parts or not file.is_file():
                continue
            source = file.read_bytes()
            if not unreadable(language_of(file.name), source) and size < MAX_CORPUS_BYTES:
                files.append((language, source))
                size += len(source)
        if size > 100_000:
            yield language.name, files


def measure(corpus: str, what: str, files: Corpus, work: Callable[[Language, bytes], object]) -> Speed:
    """The best of three rounds over all files."""
    best = min(_seconds(files, work) for _ in range(ROUNDS))
    megabytes = sum(len(source) for _, source in files) / 1e6
    return Speed(
        corpus,
        what,
        len(files),
        round(megabytes, 2),
        round(best, 3),
        round(megabytes / best, 2),
        round(len(files) / best, 1),
    )


def _seconds(files: Corpus, work: Callable[[Language, bytes], object]) -> float:
    began = time.process_time()
    for language, source in files:
        work(language, source)
    return time.process_time() - began


def run(path: Path | None) -> dict[str, Any]:
    """Measure every corpus below `path`."""
    ways: dict[str, Callable[[Language, bytes], object]] = {
        "parse": parse,
        "parse+chunk+symbols+terms": lambda language, source: read(language, source, with_facts=False),
        "with facts": read,
    }
    start = begin()
    speeds = [
        measure(name, what, files, work) for name, files in corpora(path) for what, work in ways.items()
    ]
    return {
        **circumstances(start),
        "reach": {**REACH, "files_per_s": REACH_FILES},
        "speeds": [asdict(speed) for speed in speeds],
    }


def main() -> None:
    """Print a table, write the JSON, print the figure last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--path", type=Path, help="a directory with sources to read")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    result = run(options.path)
    for speed in result["speeds"]:
        print(
            f"{speed['corpus']:<11} {speed['what']:<26} {speed['files']:>5} files {speed['megabytes']:>6} MB"
            f" {speed['mb_per_s']:>7} MB/s {speed['files_per_s']:>8} files/s"
        )
    write_result(options.json, result)
    figures = [
        f"{speed['corpus']} {speed['what']} {speed['mb_per_s']} MB/s"
        for speed in result["speeds"]
        if speed["what"] != "parse"
    ]
    print(f"calibration {result['calibration_ms']['before']} ms; " + "; ".join(figures))


if __name__ == "__main__":
    main()
