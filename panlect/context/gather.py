"""A change -> the code around it that its reviewer should see, ranked and cited.

What a hunk stands in, who calls what it changes, what it uses, which tests speak of it, what overrides it or
is overridden, who shares a name by a string, what history changed together with it, what looks alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from panlect.change import Change
from panlect.code.languages import is_test
from panlect.code.terms import terms_of
from panlect.context.asked import Asked, Touched, ask
from panlect.context.family import Relative, relatives
from panlect.context.files import RankedFile, rank_files
from panlect.context.pack import Candidate, Item, pack
from panlect.context.told import SummaryItem, within
from panlect.finding import Side
from panlect.git.history import CoChange, Together
from panlect.index.snapshot import Snapshot
from panlect.llm.tokens import estimate_tokens
from panlect.search.graph import Edge, definitions_of, name_weight, uses_of
from panlect.search.lexical import Lexical, lexical_of
from panlect.search.resolve import Resolver

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

SCHEMA_VERSION = 1
_MAX_CALLERS = 25  # listed for one changed definition
_MAX_SIMILAR = 15
_MAX_TOGETHER = 5
_WINDOW = 4  # lines shown around a use that stands in no definition
_LONGEST = 120  # lines of one item
_MAX_FILES = 500
# How much a reviewer loses without it; a file's own score adds up to one more.
_ENCLOSING, _CALLER, _FAMILY, _TEST, _USED, _TOGETHER, _SIMILAR = 4.0, 2.5, 2.0, 1.8, 1.2, 0.8, 0.6


@dataclass(frozen=True, slots=True)
class Context:
    """What was gathered: items within the budget, best first, and the files that they were chosen from.

    `summaries`, of the same budget, say what the repository and the changed files' directories are.
    """

    items: tuple[Item, ...]
    files: tuple[RankedFile, ...]
    summaries: tuple[SummaryItem, ...] = ()

    def as_json(self, k: int = 20) -> dict[str, Any]:
        """The JSON of `panlect context`, with at most `k` items and files."""
        told = {"summaries": [asdict(one) for one in self.summaries]} if self.summaries else {}
        return {
            "schema_version": SCHEMA_VERSION,
            "mode": "lexical+graph",
            "items": [asdict(item) for item in self.items[:k]],
            "files": [asdict(file) for file in self.files[:k]],
            **told,
        }


def gather_context(
    change: Change,
    base: Snapshot,
    head: Snapshot,
    budget_tokens: int,
    lexical: Lexical | None = None,
    *,
    history: CoChange | None = None,
    summaries: Sequence[SummaryItem] = (),
) -> Context:
    """The context of `change` within `budget_tokens`; the same change gives the same context.

    Pass `lexical` to reuse the columns of `head` for several changes, and the `history` before `base` as a
    prior: it has to end there, or it would know what the change is about to be.
    """
    lexical = lexical or lexical_of(head)
    asked = ask(change, base, head, lexical)
    edges = {name: uses_of(head, name) for name in asked.changed_names}
    related = relatives(change, asked, base, head)
    together = history.beside(asked.paths) if history is not None else ()
    chunk_scores = lexical.scores(asked.terms)
    files = rank_files(asked, head, lexical, chunk_scores, edges, related, together)
    places = [
        *_enclosing(asked),
        *_callers(asked, edges),
        *_related(related),
        *_used(asked, head),
        *_tests(asked, head, edges),
        *_together(asked, head, lexical, chunk_scores, together),
        *_similar(asked, lexical, chunk_scores),
    ]
    weights = {term: times * lexical.idf(term) for term, times in asked.terms.items()}
    candidates = list(_candidates(places, head, files, frozenset(weights)))
    told = within(summaries, budget_tokens)
    left = budget_tokens - sum(one.tokens for one in told)
    return Context(tuple(pack(candidates, left, _shares(weights))), tuple(files[:_MAX_FILES]), told)


def _shares(weights: Mapping[int, float]) -> dict[int, float]:
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


# Which lines


@dataclass(frozen=True, slots=True)
class _Place:
    """An item before its text is read; with `signature`, only the lines of that definition's signature."""

    path: str
    first: int
    last: int
    reason: str
    score: float
    kind: str
    signature: str = ""


def _enclosing(asked: Asked) -> Iterator[_Place]:
    """What each hunk stands in at the head, in full."""
    for one in asked.touched:
        if one.side is Side.HEAD:
            first, last = one.definition.start_line, one.definition.end_line
            if last - first >= _LONGEST:
                first = max(first, one.line - _LONGEST // 2)
                last = min(last, first + _LONGEST - 1)
            reason = f"{one.definition.qualified_name}, changed at line {one.line}"
            yield _Place(one.path, first, last, reason, _ENCLOSING, "enclosing")


def _callers(asked: Asked, edges: Mapping[str, Sequence[Edge]]) -> Iterator[_Place]:
    """Who uses what the change touches, in full, calls first."""
    top = max((uses[0].weight for uses in edges.values() if uses), default=1.0)
    for name, uses in edges.items():
        touched = asked.changed_names[name]
        calls = sorted(uses, key=lambda edge: (edge.kind != "call", is_test(edge.path), edge.path, edge.line))
        outside = [edge for edge in calls if not _inside(edge, touched)]
        for edge in outside[:_MAX_CALLERS]:
            verb, share = ("caller", 1.0) if edge.kind == "call" else ("use", 0.7)
            reason = f"{verb} of {touched.definition.qualified_name}, line {edge.line}"
            yield _around(edge, reason, _CALLER * share * (0.5 + 0.5 * edge.weight / top), "caller")


def _inside(edge: Edge, touched: Touched) -> bool:
    definition = touched.definition
    return edge.path == touched.path and definition.start_line <= edge.line <= definition.end_line


def _around(edge: Edge, reason: str, score: float, kind: str) -> _Place:
    definition = edge.definition
    if definition is not None and definition.end_line - definition.start_line < _LONGEST // 2:
        return _Place(edge.path, definition.start_line, definition.end_line, reason, score, kind)
    return _Place(edge.path, max(1, edge.line - _WINDOW), edge.line + _WINDOW, reason, score, kind)


def _used(asked: Asked, head: Snapshot) -> Iterator[_Place]:
    """The signatures of what the added lines use."""
    resolver = Resolver(head)
    resolver.read_ahead(near for near, _ in asked.used.values())
    for name, (near, line) in asked.used.items():
        if name in asked.changed_names or not name_weight(head, name):
            continue
        meant = resolver.meant(near, name, line)
        for path, found in (definitions_of(head, name, near) if meant is None else meant)[:2]:
            reason = f"defines {found.qualified_name}, used in {near} line {line}"
            yield _Place(path, found.start_line, found.end_line, reason, _USED, "used", found.signature)


def _tests(asked: Asked, head: Snapshot, edges: Mapping[str, Sequence[Edge]]) -> Iterator[_Place]:
    """Tests of the changed files: where they name a changed definition, else how each begins."""
    for path in sorted(asked.paths):
        for test in head.tests_of(path)[:3]:
            if test in asked.paths:
                continue
            naming = [edge for uses in edges.values() for edge in uses if edge.path == test]
            for edge in naming[:5]:
                yield _around(edge, f"test of {path}: uses {edge.name}, line {edge.line}", _TEST, "test")
            if not naming:
                start = _beginning(head, test)
                yield _Place(test, start, start + 2 * _WINDOW, f"test of {path}", _TEST, "test")


def _beginning(head: Snapshot, path: str) -> int:
    """Where the first function or class of a file starts."""
    first = next((d for d in head.definitions(path) if d.kind in ("function", "class")), None)
    return first.start_line if first else 1


def _related(related: Sequence[Relative]) -> Iterator[_Place]:
    """Overrides, interfaces, and who shares a name by a string."""
    for one in related:
        last = min(one.last, one.first + _LONGEST // 2)
        first = max(1, one.first - _WINDOW) if one.first == one.last else one.first
        last = one.first + _WINDOW if one.first == one.last else last
        yield _Place(one.path, first, last, one.reason, _FAMILY * (0.5 + 0.5 * one.weight), "family")


def _together(
    asked: Asked, head: Snapshot, lexical: Lexical, chunk_scores: Array, together: Sequence[Together]
) -> Iterator[_Place]:
    """What history changed together with the change: the chunk that is most like it, else the beginning."""
    others = [one for one in together if one.path not in asked.paths and head.meta(one.path) is not None]
    others = [one for one in others if one.common > 1][:_MAX_TOGETHER]
    best = lexical.best_of(chunk_scores, [one.path for one in others])
    for one in others:
        score = _TOGETHER * one.score / others[0].score
        chunk = best.get(one.path)
        if chunk is not None:
            at = lexical.at(chunk)
            yield _Place(at.path, at.start_line, at.end_line, one.reason, score, "history")
        else:
            start = _beginning(head, one.path)
            yield _Place(one.path, start, start + 2 * _WINDOW, one.reason, score, "history")


def _similar(asked: Asked, lexical: Lexical, chunk_scores: Array) -> Iterator[_Place]:
    """Chunks of other files with the words of the change."""
    positive = np.flatnonzero(chunk_scores > 0)
    order = positive[np.argsort(-chunk_scores[positive], kind="stable")][: 10 * _MAX_SIMILAR].tolist()
    places = [(chunk, lexical.at(chunk)) for chunk in order]
    others = [(chunk, at) for chunk, at in places if at.path not in asked.paths][:_MAX_SIMILAR]
    top = max((chunk_scores[chunk] for chunk, _ in others), default=1.0)
    for chunk, at in others:
        score = _SIMILAR * float(chunk_scores[chunk] / top)
        yield _Place(
            at.path, at.start_line, at.end_line, "code with the words of the change", score, "similar"
        )


def _candidates(
    places: Sequence[_Place], head: Snapshot, files: Sequence[RankedFile], words: frozenset[int]
) -> Iterator[Candidate]:
    """Places with their size; what stands in a likelier file counts more."""
    top = max((file.score for file in files), default=0.0)
    share = {file.path: file.score / top for file in files if top > 0}
    texts = head.texts(sorted({place.path for place in places}))
    lines = {path: text.decode("utf-8", "replace").split("\n") for path, text in texts.items()}
    for place in places:
        own = lines[place.path]
        last = max(place.first, min(place.last, len(own)))
        if place.signature:
            last = _signature_end(own, place.first, last, place.signature)
        text = "\n".join(own[place.first - 1 : last])
        score = round(place.score + share.get(place.path, 0.0), 4)
        item = Item(place.path, place.first, last, place.reason, score, estimate_tokens(text))
        yield Candidate(item, place.kind, words.intersection(terms_of(text)))


def _signature_end(lines: Sequence[str], first: int, last: int, signature: str) -> int:
    """The line on which a definition's signature ends; decorators stand before it."""
    wanted, length = len("".join(signature.split())), 0
    for number in range(first, last + 1):
        text = "".join(lines[number - 1].split())
        length += 0 if text.startswith("@") else len(text)
        if length >= wanted:
            return number
    return last
