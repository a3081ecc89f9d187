"""A change -> the code around it that its reviewer should see, ranked and cited.

What a hunk stands in, who calls what it changes, what it uses, which tests speak of it, what looks alike.
Files are ranked by 2 * BM25 + graph + 2 * tests + .3 * same folder, each divided by its largest value.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from panlect.change import Change, ChangedFile
from panlect.code.analysis import Definition
from panlect.code.languages import is_test, subject_stem
from panlect.code.terms import terms_of
from panlect.context.pack import Item, estimate_tokens, pack
from panlect.finding import Side
from panlect.git.history import CoChange
from panlect.index.snapshot import Snapshot
from panlect.search.graph import Edge, definitions_of, innermost, name_weight, uses_of
from panlect.search.lexical import Lexical
from panlect.search.rerank import file_score

SCHEMA_VERSION = 1
_MAX_TERMS = 300  # of a change that the lexical part asks for, the most telling ones
_MAX_REPEATS = 4  # how often one term of a change counts
_MAX_NAMES = 200  # changed or used names that are followed
_MAX_CALLERS = 25  # listed for one changed definition
_MAX_SIMILAR = 15
_WINDOW = 4  # lines shown around a use that stands in no definition
_LONGEST = 120  # lines of one item
_MAX_FILES = 500
_WEIGHTS = {"bm25": 2.0, "graph": 1.0, "test": 2.0, "folder": 0.3}
# How much a reviewer loses without it; a file's own score adds up to one more.
_ENCLOSING, _CALLER, _TEST, _USED, _SIMILAR = 4.0, 2.5, 1.8, 1.2, 0.6


@dataclass(frozen=True, slots=True)
class RankedFile:
    """A file outside the change, by how likely its reviewer wants it."""

    path: str
    score: float


@dataclass(frozen=True, slots=True)
class Context:
    """What was gathered: items within the budget, best first, and the files that they were chosen from."""

    items: tuple[Item, ...]
    files: tuple[RankedFile, ...]

    def as_json(self, k: int = 20) -> dict[str, Any]:
        """The JSON of `panlect context`, with at most `k` items and files."""
        return {
            "schema_version": SCHEMA_VERSION,
            "mode": "lexical+graph",
            "items": [asdict(item) for item in self.items[:k]],
            "files": [asdict(file) for file in self.files[:k]],
        }


@dataclass(frozen=True, slots=True)
class _Touched:
    """A definition that a hunk changes, on the side where it is."""

    path: str
    side: Side
    definition: Definition
    line: int  # the first that changes


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the change is about: its text's terms, the definitions it changes, the names it uses."""

    terms: Mapping[int, float]
    touched: tuple[_Touched, ...]
    used: Mapping[str, tuple[str, int]]  # name -> file and line of its first use in an added line
    paths: frozenset[str]

    @property
    def changed_names(self) -> dict[str, _Touched]:
        return {one.definition.name: one for one in reversed(self.touched)}


def gather_context(
    change: Change,
    base: Snapshot,
    head: Snapshot,
    budget_tokens: int,
    lexical: Lexical | None = None,
    *,
    history: CoChange | None = None,
) -> Context:
    """The context of `change` within `budget_tokens`; the same change gives the same context.

    Pass `lexical` to reuse the columns of `head` for several changes.
    """
    lexical = lexical or Lexical(head)
    asked = _read(change, base, head, lexical)
    edges = {name: uses_of(head, name) for name in asked.changed_names}
    chunk_scores = lexical.scores(asked.terms)
    files = _rank_files(asked, head, lexical, chunk_scores, edges)
    places = [
        *_enclosing(asked),
        *_callers(asked, edges),
        *_used(asked, head),
        *_tests(asked, head, edges),
        *_similar(asked, lexical, chunk_scores),
    ]
    items = list(_items(places, head, files))
    return Context(tuple(pack(items, budget_tokens)), tuple(files[:_MAX_FILES]))


def _read(change: Change, base: Snapshot, head: Snapshot, lexical: Lexical) -> _Asked:
    touched: list[_Touched] = []
    used: dict[str, tuple[str, int]] = {}
    counts: Counter[int] = Counter()
    for file in change.files:
        if file.excluded:
            continue
        for side, snapshot, path in ((Side.HEAD, head, file.new_path), (Side.BASE, base, file.old_path)):
            runs = _runs(file, side)
            if path is None or not runs or snapshot.meta(path) is None:
                continue
            touched += _touched(snapshot, path, side, runs)
            counts.update(_terms(snapshot.text(path), runs))
            if side is Side.HEAD:
                for reference in snapshot.references(path):
                    if len(used) < _MAX_NAMES and _within(reference.line, runs):
                        used.setdefault(reference.name, (path, reference.line))
    weights = {term: float(min(times, _MAX_REPEATS)) for term, times in counts.items()}
    telling = sorted(weights, key=lambda term: (-weights[term] * lexical.idf(term), term))[:_MAX_TERMS]
    paths = frozenset(path for file in change.files for path in (file.old_path, file.new_path) if path)
    return _Asked({term: weights[term] for term in telling}, tuple(touched), used, paths)


def _runs(file: ChangedFile, side: Side) -> list[tuple[int, int]]:
    return [run for hunk in file.hunks for run in (hunk.added if side is Side.HEAD else hunk.removed)]


def _within(line: int, runs: Iterable[tuple[int, int]]) -> bool:
    return any(first <= line <= last for first, last in runs)


def _touched(
    snapshot: Snapshot, path: str, side: Side, runs: Sequence[tuple[int, int]]
) -> Iterator[_Touched]:
    """The innermost definitions around or inside the changed lines."""
    definitions = snapshot.definitions(path)
    seen: set[str] = set()
    for first, last in runs:
        around = innermost(definitions, first)
        inside = [d for d in definitions if first <= d.start_line <= last]
        for definition in ([around] if around else []) + inside:
            if definition.qualified_name not in seen and len(seen) < _MAX_NAMES:
                seen.add(definition.qualified_name)
                yield _Touched(path, side, definition, max(first, definition.start_line))


def _terms(source: bytes, runs: Iterable[tuple[int, int]]) -> list[int]:
    lines = source.decode("utf-8", "replace").split("\n")
    return terms_of("\n".join("\n".join(lines[first - 1 : last]) for first, last in runs))


# Which files


def _rank_files(
    asked: _Asked,
    head: Snapshot,
    lexical: Lexical,
    chunk_scores: np.ndarray[Any, Any],
    edges: Mapping[str, Sequence[Edge]],
) -> list[RankedFile]:
    """Every file outside the change that something speaks for, best first."""
    parts = {
        "bm25": _by_text(lexical, chunk_scores),
        "graph": _by_graph(asked, head, edges),
        "test": _by_test(asked, head),
        "folder": _by_folder(asked, head),
    }
    total: dict[str, float] = defaultdict(float)
    for part, scores in parts.items():
        others = {path: score for path, score in scores.items() if path not in asked.paths}
        top = max(others.values(), default=0.0)
        for path, score in others.items():
            if score > 0:
                total[path] += _WEIGHTS[part] * score / top
    ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return [RankedFile(path, round(score, 4)) for path, score in ranked if head.exists(path)]


def _by_text(lexical: Lexical, chunk_scores: np.ndarray[Any, Any]) -> dict[str, float]:
    numbers, paths = lexical.files()
    positive = np.flatnonzero(chunk_scores > 0)
    order = positive[np.argsort(-chunk_scores[positive], kind="stable")]
    best: dict[int, list[float]] = {}
    for file, score in zip(numbers[order].tolist(), chunk_scores[order].tolist(), strict=True):
        found = best.setdefault(file, [])
        if len(found) < 3:
            found.append(score)
    return {paths[file]: file_score(scores) for file, scores in best.items()}


def _by_graph(asked: _Asked, head: Snapshot, edges: Mapping[str, Sequence[Edge]]) -> dict[str, float]:
    """Files that use what changed, and files that define what the change uses."""
    scores: dict[str, float] = defaultdict(float)
    for uses in edges.values():
        for path in sorted({edge.path for edge in uses}):
            scores[path] += uses[0].weight
    for name, (near, _) in asked.used.items():
        weight = name_weight(head, name)
        if weight:
            for site in definitions_of(head, name, near):
                scores[site.path] += weight
    return scores


def _by_test(asked: _Asked, head: Snapshot) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for path in sorted(asked.paths):
        for rank, test in enumerate(head.tests_of(path)):
            scores[test] += 1.0 / (1 + rank)
        for rank, tested in enumerate(_tested_by(head, path)):
            scores[tested] += 1.0 / (1 + rank)
    return scores


def _tested_by(head: Snapshot, test: str) -> list[str]:
    stem = subject_stem(test)
    if not stem:
        return []
    return [path for path in head.files_of_stem(stem) if test in head.tests_of(path)]


def _by_folder(asked: _Asked, head: Snapshot) -> dict[str, float]:
    folders = {str(PurePosixPath(path).parent) for path in asked.paths}
    return {path: 1.0 for path in head.paths() if str(PurePosixPath(path).parent) in folders}


# Which lines


@dataclass(frozen=True, slots=True)
class _Place:
    """An item before its text is read; with `signature`, only the lines of that definition's signature."""

    path: str
    first: int
    last: int
    reason: str
    score: float
    signature: str = ""


def _enclosing(asked: _Asked) -> Iterator[_Place]:
    """What each hunk stands in at the head, in full."""
    for one in asked.touched:
        if one.side is Side.HEAD:
            first, last = one.definition.start_line, one.definition.end_line
            if last - first >= _LONGEST:
                first = max(first, one.line - _LONGEST // 2)
                last = min(last, first + _LONGEST - 1)
            reason = f"{one.definition.qualified_name}, changed at line {one.line}"
            yield _Place(one.path, first, last, reason, _ENCLOSING)


def _callers(asked: _Asked, edges: Mapping[str, Sequence[Edge]]) -> Iterator[_Place]:
    """Who uses what the change touches, in full, calls first."""
    top = max((uses[0].weight for uses in edges.values() if uses), default=1.0)
    for name, uses in edges.items():
        touched = asked.changed_names[name]
        calls = sorted(uses, key=lambda edge: (edge.kind != "call", is_test(edge.path), edge.path, edge.line))
        outside = [edge for edge in calls if not _inside(edge, touched)]
        for edge in outside[:_MAX_CALLERS]:
            verb, share = ("caller", 1.0) if edge.kind == "call" else ("use", 0.7)
            reason = f"{verb} of {touched.definition.qualified_name}, line {edge.line}"
            yield _around(edge, reason, _CALLER * share * (0.5 + 0.5 * edge.weight / top))


def _inside(edge: Edge, touched: _Touched) -> bool:
    definition = touched.definition
    return edge.path == touched.path and definition.start_line <= edge.line <= definition.end_line


def _around(edge: Edge, reason: str, score: float) -> _Place:
    definition = edge.definition
    if definition is not None and definition.end_line - definition.start_line < _LONGEST // 2:
        return _Place(edge.path, definition.start_line, definition.end_line, reason, score)
    return _Place(edge.path, max(1, edge.line - _WINDOW), edge.line + _WINDOW, reason, score)


def _used(asked: _Asked, head: Snapshot) -> Iterator[_Place]:
    """The signatures of what the added lines use."""
    for name, (near, line) in asked.used.items():
        if name in asked.changed_names or not name_weight(head, name):
            continue
        for path, found in definitions_of(head, name, near)[:2]:
            reason = f"defines {found.qualified_name}, used in {near} line {line}"
            yield _Place(path, found.start_line, found.end_line, reason, _USED, found.signature)


def _tests(asked: _Asked, head: Snapshot, edges: Mapping[str, Sequence[Edge]]) -> Iterator[_Place]:
    """Tests of the changed files: where they name a changed definition, else how each begins."""
    for path in sorted(asked.paths):
        for test in head.tests_of(path)[:3]:
            if test in asked.paths:
                continue
            naming = [edge for uses in edges.values() for edge in uses if edge.path == test]
            for edge in naming[:5]:
                yield _around(edge, f"test of {path}: uses {edge.name}, line {edge.line}", _TEST)
            if not naming:
                first = next((d for d in head.definitions(test) if d.kind in ("function", "class")), None)
                start = first.start_line if first else 1
                yield _Place(test, start, start + 2 * _WINDOW, f"test of {path}", _TEST)


def _similar(asked: _Asked, lexical: Lexical, chunk_scores: np.ndarray[Any, Any]) -> Iterator[_Place]:
    """Chunks of other files with the words of the change."""
    positive = np.flatnonzero(chunk_scores > 0)
    order = positive[np.argsort(-chunk_scores[positive], kind="stable")][: 10 * _MAX_SIMILAR].tolist()
    places = [(chunk, lexical.at(chunk)) for chunk in order]
    others = [(chunk, at) for chunk, at in places if at.path not in asked.paths][:_MAX_SIMILAR]
    top = max((chunk_scores[chunk] for chunk, _ in others), default=1.0)
    for chunk, at in others:
        score = _SIMILAR * float(chunk_scores[chunk] / top)
        yield _Place(at.path, at.start_line, at.end_line, "code with the words of the change", score)


def _items(places: Sequence[_Place], head: Snapshot, files: Sequence[RankedFile]) -> Iterator[Item]:
    """Places with their size; what stands in a likelier file counts more."""
    share = {file.path: file.score / files[0].score for file in files}
    texts = head.texts(sorted({place.path for place in places}))
    lines = {path: text.decode("utf-8", "replace").split("\n") for path, text in texts.items()}
    for place in places:
        own = lines[place.path]
        last = max(place.first, min(place.last, len(own)))
        if place.signature:
            last = _signature_end(own, place.first, last, place.signature)
        tokens = estimate_tokens("\n".join(own[place.first - 1 : last]))
        score = round(place.score + share.get(place.path, 0.0), 4)
        yield Item(place.path, place.first, last, place.reason, score, tokens)


def _signature_end(lines: Sequence[str], first: int, last: int, signature: str) -> int:
    """The line on which a definition's signature ends; decorators stand before it."""
    wanted, length = len("".join(signature.split())), 0
    for number in range(first, last + 1):
        text = "".join(lines[number - 1].split())
        length += 0 if text.startswith("@") else len(text)
        if length >= wanted:
            return number
    return last
