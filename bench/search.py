"""How well search finds a function by the first sentence of its docstring.

    python -m bench.search [--path DIR ...] [--seed N] [--limit N] [--no-dense] [--json FILE]

Every docstring is taken out of the sources before they are indexed. A query is the first sentence of one; the
answer is right when a hit is of the function's file and shares lines with the function. The sources are
packages that are installed with Panlect's server, so a clone needs no network to repeat it, and the folders of
--path (DIR or NAME=DIR). Vectors of the bundled model take most of the time: of the packages only the smallest
gets them, folders always, unless --no-dense.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import begin, circumstances, write_result
from bench.retrieval import TUNED_ON, Quality, named, quality
from panlect.code.languages import is_test
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.dense import DenseIndex, MemoryDense
from panlect.search.lexical import Lexical
from panlect.search.query import search

PACKAGES = ("fastapi", "networkx", "psycopg", "rich", "websockets")
DENSE_PACKAGE = "procrastinate"  # small enough to embed on one core in under a minute
_FEWEST_WORDS = 4  # of a first sentence: fewer name nothing that could be looked for
_MAX_FILE_BYTES = 1024 * 1024
_SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    """A first sentence and the function that it was written about."""

    text: str
    path: str
    first: int  # line of its `def`, the same with and without docstrings
    last: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sources without docstrings, and what their docstrings asked."""

    name: str
    files: Mapping[str, str]
    questions: tuple[Question, ...]


def corpus_of(name: str, sources: Mapping[str, str], *, seed: int, limit: int) -> Corpus:
    """The Python files among `sources`, and a sample of their questions; what does not parse is left out."""
    files: dict[str, str] = {}
    questions: list[Question] = []
    for path, text in sorted(sources.items()):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        files[path] = without_docstrings(text, tree)
        if not is_test(path):
            questions += _questions(path, tree)
    chosen = random.Random(seed).sample(questions, min(limit, len(questions)))
    return Corpus(name, files, tuple(chosen))


def without_docstrings(text: str, tree: ast.Module) -> str:
    """The same lines with every docstring blanked out; a `pass` where the syntax needs something."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is None:
            continue
        found = node.body[0]
        assert found.end_lineno is not None and found.end_col_offset is not None
        first, last = found.lineno - 1, found.end_lineno - 1
        before = lines[first].encode()[: found.col_offset].decode()
        after = lines[last].encode()[found.end_col_offset :].decode()
        alone = len(node.body) == 1 and not isinstance(node, ast.Module)
        filler = "pass" if alone or before.strip() or after.strip() else ""
        for number in range(first, last):
            lines[number] = "\n"
        lines[last] = after  # what follows on the line stays
        lines[first] = f"{before}{filler}" + (after if first == last else "\n")
    return "".join(lines)


def _questions(path: str, tree: ast.Module) -> Iterator[Question]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            said = first_sentence(ast.get_docstring(node) or "")
            if len(said.split()) >= _FEWEST_WORDS:
                yield Question(said, path, node.lineno, node.end_lineno or node.lineno)


def first_sentence(docstring: str) -> str:
    """The first sentence of the first paragraph, on one line."""
    paragraph = docstring.strip().split("\n\n")[0]
    match = _SENTENCE.match(paragraph)
    return " ".join((match.group(1) if match else paragraph).split())


def judge(corpus: Corpus, snapshot: Snapshot, dense: DenseIndex | None) -> Quality:
    """Ask every question of a corpus."""
    lexical = Lexical(snapshot)
    rows = []
    for question in corpus.questions:
        hits = search(snapshot, question.text, 10, dense, lexical)
        right = [
            hit.path == question.path and hit.start_line <= question.last and hit.end_line >= question.first
            for hit in hits
        ]
        rows.append(([str(at) if found else "" for at, found in enumerate(right)], _first(right)))
    return quality(rows)


def _first(right: Sequence[bool]) -> list[str]:
    """The place of the first right hit as the one true answer; one that is nowhere when there is none."""
    return [next((str(at) for at, found in enumerate(right) if found), "none")]


def package_sources(name: str) -> dict[str, str]:
    """The Python files of an installed package, by their path in it."""
    files = importlib.metadata.distribution(name).files or []
    found = {str(file): Path(str(file.locate())) for file in files if file.suffix == ".py"}
    return {path: text for path, file in found.items() if (text := _text(file)) is not None}


def folder_sources(root: Path) -> dict[str, str]:
    """The Python files below a folder."""
    found = {str(file.relative_to(root)): file for file in root.rglob("*.py")}
    return {path: text for path, file in found.items() if (text := _text(file)) is not None}


def _text(file: Path) -> str | None:
    if not file.is_file() or file.stat().st_size > _MAX_FILE_BYTES:
        return None
    try:
        return file.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\f", " ")
    except UnicodeDecodeError:
        return None


def measure(corpus: Corpus, *, dense: bool) -> dict[str, Any]:
    """One corpus without and, when asked, with vectors."""
    began = time.perf_counter()
    snapshot = MemoryRepository().snapshot(corpus.files)
    chunks = Lexical(snapshot).size
    found: dict[str, Any] = {
        "corpus": corpus.name,
        "tuned_on": corpus.name in TUNED_ON,
        "files": len(corpus.files),
        "chunks": chunks,
    }
    found["lexical"] = judge(corpus, snapshot, None).as_json()
    if dense:
        from panlect.index.minilm import SentenceModel
        from panlect.index.models import BUNDLED, ModelSpec

        found["dense"] = judge(
            corpus, snapshot, MemoryDense(snapshot, SentenceModel(ModelSpec(BUNDLED)))
        ).as_json()
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def run(folders: Mapping[str, Path], *, seed: int, limit: int, dense: bool) -> dict[str, Any]:
    """Measure the default packages and these folders."""
    start = begin()
    rows = [
        measure(
            corpus_of(name, package_sources(name), seed=seed, limit=limit),
            dense=dense and name == DENSE_PACKAGE,
        )
        for name in (*PACKAGES, DENSE_PACKAGE)
    ]
    rows += [
        measure(corpus_of(name, folder_sources(path), seed=seed, limit=limit), dense=dense)
        for name, path in folders.items()
    ]
    return {
        **circumstances(start),
        "task": "first sentence of a docstring -> its function",
        "seed": seed,
        "corpora": rows,
    }


def main() -> None:
    """Print what was measured, the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--path", action="append", default=[], help="a folder with Python sources")
    parser.add_argument("--seed", type=int, default=1, help="which functions are asked for")
    parser.add_argument("--limit", type=int, default=400, help="how many at most, in each corpus")
    parser.add_argument("--no-dense", action="store_true", help="without vectors")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    result = run(named(options.path), seed=options.seed, limit=options.limit, dense=not options.no_dense)
    write_result(options.json, result)
    calibration = result["calibration_ms"]
    print(f"calibration {calibration['before']} ms before, {calibration['after']} ms after")
    for row in result["corpora"]:
        for way in ("lexical", "dense"):
            if way in row:
                one = row[way]
                print(
                    f"{row['corpus']:<14} {way:<8} R@5 {one['R@5']:.3f} R@10 {one['R@10']:.3f}"
                    f" MRR {one['MRR']:.3f} (n={one['n']}, {row['files']} files, {row['chunks']} chunks)"
                )


if __name__ == "__main__":
    main()
