"""What a change asks of the code around it: its words, the definitions it touches, the names it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from panlect.change import Change, ChangedFile
from panlect.code.analysis import Definition
from panlect.code.terms import terms_of
from panlect.finding import Side
from panlect.index.snapshot import Snapshot
from panlect.search.graph import innermost
from panlect.search.lexical import Lexical

_MAX_TERMS = 300  # of the changed lines, the most telling ones
_MAX_AROUND = 100  # of the changed files as a whole
_AROUND_BYTES = 1024 * 1024  # of all changed files together are read for it
_MAX_REPEATS = 4  # how often one term of a change counts
_MAX_NAMES = 200  # changed or used names that are followed


@dataclass(frozen=True, slots=True)
class Touched:
    """A definition that a hunk changes, on the side where it is."""

    path: str
    side: Side
    definition: Definition
    line: int  # the first that changes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a change is about."""

    terms: Mapping[int, float]  # of the changed lines, with weights
    around: Mapping[int, float]  # of the changed files as they are now
    named: Mapping[int, float]  # of the names of what is touched
    touched: tuple[Touched, ...]
    used: Mapping[str, tuple[str, int]]  # name -> file and line of its first use in an added line
    paths: frozenset[str]

    @property
    def changed_names(self) -> dict[str, Touched]:
        """Each name that the change touches, with its first definition."""
        return {one.definition.name: one for one in reversed(self.touched)}


def ask(change: Change, base: Snapshot, head: Snapshot, lexical: Lexical) -> Asked:
    """Read a change; `lexical` says which of its words are telling."""
    touched: list[Touched] = []
    used: dict[str, tuple[str, int]] = {}
    counts: Counter[int] = Counter()
    around: Counter[int] = Counter()
    left = _AROUND_BYTES
    for file in change.files:
        if file.excluded:
            continue
        for side, snapshot, path in ((Side.HEAD, head, file.new_path), (Side.BASE, base, file.old_path)):
            runs = runs_of(file, side)
            if path is None or not runs or snapshot.meta(path) is None:
                continue
            text = snapshot.text(path).decode("utf-8", "replace")
            touched += _touched(snapshot, path, side, runs)
            counts.update(_terms(text, runs))
            if side is Side.HEAD:
                around.update(terms_of(text[: max(0, left)]))
                left -= len(text)
                for reference in snapshot.references(path):
                    if len(used) < _MAX_NAMES and within(reference.line, runs):
                        used.setdefault(reference.name, (path, reference.line))
    named = Counter(term for one in touched for term in terms_of(one.definition.qualified_name))
    paths = frozenset(path for file in change.files for path in (file.old_path, file.new_path) if path)
    return Asked(
        _telling(counts, lexical, _MAX_TERMS),
        _telling(around, lexical, _MAX_AROUND),
        _telling(named, lexical, _MAX_AROUND),
        tuple(touched),
        used,
        paths,
    )


def _telling(counts: Counter[int], lexical: Lexical, limit: int) -> dict[int, float]:
    """The terms that say most of a change, and how often each counts."""
    weights = {term: float(min(times, _MAX_REPEATS)) for term, times in counts.items()}
    best = sorted(weights, key=lambda term: (-weights[term] * lexical.idf(term), term))[:limit]
    return {term: weights[term] for term in best}


def runs_of(file: ChangedFile, side: Side) -> list[tuple[int, int]]:
    """The lines of a file that differ, on one side."""
    return [run for hunk in file.hunks for run in (hunk.added if side is Side.HEAD else hunk.removed)]


def within(line: int, runs: Iterable[tuple[int, int]]) -> bool:
    """Whether a line is one of these."""
    return any(first <= line <= last for first, last in runs)


def _touched(snapshot: Snapshot, path: str, side: Side, runs: Sequence[tuple[int, int]]) -> Iterator[Touched]:
    """The innermost definitions around or inside the changed lines."""
    definitions = snapshot.definitions(path)
    seen: set[str] = set()
    for first, last in runs:
        around = innermost(definitions, first)
        inside = [d for d in definitions if first <= d.start_line <= last]
        for definition in ([around] if around else []) + inside:
            if definition.qualified_name not in seen and len(seen) < _MAX_NAMES:
                seen.add(definition.qualified_name)
                yield Touched(path, side, definition, max(first, definition.start_line))


def _terms(text: str, runs: Iterable[tuple[int, int]]) -> list[int]:
    lines = text.split("\n")
    return terms_of("\n".join("\n".join(lines[first - 1 : last]) for first, last in runs))
