"""How fast one core reads code: parse alone, with chunks + terms + symbols, with the facts of the checks; and peers.

    python -m bench.parse [--path DIR] [--json FILE] [--peers PYTHON]

Without a path it reads the standard library of the running Python. Times are processor seconds, the best of
three rounds in which all ways have their turn; the calibration loop says how fast the machine was meanwhile.
`--peers` is the interpreter of an environment with the packages of bench/peers.txt (`make bench-peers`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.peers import PEERS
from bench.report import begin, circumstances, write_result
from panlect.code.chunk import cut_tree
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
    for language in (row for row in LANGUAGES if row.grammar):
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


def measured(name: str, files: Corpus, ways: dict[str, Callable[[], float]]) -> list[Speed]:
    """The best of three rounds of each way over all files; a way that answers less than 0 has none."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for what, seconds in ways.items():
            best[what] = min(best[what], seconds())
    megabytes = sum(len(source) for _, source in files) / 1e6
    return [
        Speed(
            name,
            what,
            len(files),
            round(megabytes, 2),
            round(took, 3),
            round(megabytes / took, 2),
            round(len(files) / took, 1),
        )
        for what, took in best.items()
        if took > 0
    ]


def _ours(files: Corpus) -> dict[str, Callable[[], float]]:
    ways: dict[str, Callable[[Language, bytes], object]] = {
        "parse": parse,
        "parse+chunk": lambda language, source: cut_tree(parse(language, source).root_node, source),
        "parse+chunk+symbols+terms": lambda language, source: read(language, source, with_facts=False),
        "with facts": read,
    }
    return {what: partial(_seconds, files, work) for what, work in ways.items()}


def _seconds(files: Corpus, work: Callable[[Language, bytes], object]) -> float:
    began = time.process_time()
    for language, source in files:
        work(language, source)
    return time.process_time() - began


@contextmanager
def _peers(python: Path | None, files: Corpus) -> Iterator[dict[str, Callable[[], float]]]:
    """Each peer as a way of its own, in a process that holds the same texts; none without an interpreter."""
    if python is None or files[0][0].name not in ("python", "go"):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="panlect-bench-") as folder:
        rows = []
        for number, (language, source) in enumerate(files):
            path = Path(folder) / f"{number}.txt"
            path.write_bytes(source)
            rows.append([language.name, str(path)])
        listing = Path(folder) / "files.json"
        listing.write_text(json.dumps(rows))
        script = Path(__file__).with_name("peers.py")
        process = subprocess.Popen(
            [str(python), "-P", str(script), str(listing)],  # -P: this folder has a queue.py of its own
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        try:
            yield {name: partial(_ask, process, name) for name in PEERS}
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


def _ask(process: subprocess.Popen[str], peer: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{peer}\n")
    process.stdin.flush()
    said = process.stdout.readline()
    return float(said) if said else -1.0


def run(path: Path | None, peers: Path | None = None) -> dict[str, Any]:
    """Measure every corpus below `path`."""
    start = begin()
    speeds: list[Speed] = []
    for name, files in corpora(path):
        with _peers(peers, files) as others:
            speeds += measured(name, files, {**_ours(files), **others})
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
    parser.add_argument("--peers", type=Path, help="an interpreter that has the packages of bench/peers.txt")
    options = parser.parse_args()
    result = run(options.path, options.peers)
    for speed in result["speeds"]:
        print(
            f"{speed['corpus']:<11} {speed['what']:<28} {speed['files']:>5} files {speed['megabytes']:>6} MB"
            f" {speed['mb_per_s']:>7} MB/s {speed['files_per_s']:>8} files/s"
        )
    write_result(options.json, result)
    figures = [
        f"{speed['corpus']} {speed['what']} {speed['mb_per_s']} MB/s"
        for speed in result["speeds"]
        if speed["what"] in REACH
    ]
    print(f"calibration {result['calibration_ms']['before']} ms; " + "; ".join(figures))


if __name__ == "__main__":
    main()
