"""Fill a token budget with the most telling pieces of code, each with the reason why it is there.

What a set of pieces is worth has diminishing returns: a second piece of the same file, or for the same reason,
or with the same words of the change adds less than the first. Such a sum is monotone and submodular, so taking
the best gain a token again and again, or the best single piece if that is worth more, reaches at least
(1 - 1/e) / 2 of what the best set is worth (Leskovec et al. 2007); and a larger budget never buys less.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_OF_FILE, _OF_KIND, _OF_WORDS = (
    1.0,
    0.5,
    2.0,
)  # what a file, a kind of reason, all words of a change are worth


@dataclass(frozen=True, slots=True)
class Item:
    """Lines that a reviewer should see. `tokens` is the estimated size of exactly these lines."""

    path: str
    start_line: int
    end_line: int
    reason: str
    score: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item with what it shares with others: its kind of reason, and the words of the change that it holds."""

    item: Item
    kind: str = ""
    words: frozenset[int] = frozenset()


@dataclass(slots=True)
class Worth:
    """What the candidates taken so far are worth together. `weights`: of the words of the change."""

    weights: Mapping[int, float]
    total: float = 0.0
    _files: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _kinds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _words: set[int] = field(default_factory=set)

    def gain(self, one: Candidate) -> float:
        """What one more would add."""
        score = max(0.0, one.item.score)
        of_file, of_kind = self._files.get(one.item.path, 0.0), self._kinds.get(one.kind, 0.0)
        fresh = sum(self.weights.get(word, 0.0) for word in sorted(one.words - self._words))
        gained: float = (
            _OF_FILE * ((of_file + score) ** 0.5 - of_file**0.5)
            + _OF_KIND * ((of_kind + score) ** 0.5 - of_kind**0.5)
            + _OF_WORDS * fresh
        )
        return gained

    def take(self, one: Candidate) -> None:
        """Count it in."""
        self.total += self.gain(one)
        self._files[one.item.path] += max(0.0, one.item.score)
        self._kinds[one.kind] += max(0.0, one.item.score)
        self._words |= one.words


def worth(candidates: Iterable[Candidate], weights: Mapping[int, float]) -> float:
    """What these are worth together."""
    value = Worth(weights)
    for one in candidates:
        value.take(one)
    return value.total


def pack(
    candidates: Sequence[Candidate], budget_tokens: int, weights: Mapping[int, float] | None = None
) -> list[Item]:
    """The items to show within a budget, best first. `weights`: what covering a word of the change is worth.

    Of ranges that overlap only the best one is considered, so no line is shown twice.
    """
    apart = without_overlaps(candidates)
    chosen = fill(apart, budget_tokens, weights or {})
    return [one.item for one in sorted(chosen, key=_rank)]


def fill(apart: Sequence[Candidate], budget: int, weights: Mapping[int, float]) -> list[Candidate]:
    """The candidates that fit, chosen by gain a token; the single best one where that is worth more.

    Gains only fall, so one that was computed earlier is a bound: most are never computed again.
    """
    value, left = Worth(weights), budget
    chosen: list[Candidate] = []
    fitting = [one for one in apart if one.item.tokens <= budget]
    heap = [(-value.gain(one) / _cost(one), at, 0) for at, one in enumerate(fitting)]
    heapq.heapify(heap)
    while heap:
        _, at, known = heapq.heappop(heap)
        one = fitting[at]
        if one.item.tokens > left:
            continue  # what is left only shrinks
        if known < len(chosen):
            heapq.heappush(heap, (-value.gain(one) / _cost(one), at, len(chosen)))
            continue
        value.take(one)
        chosen.append(one)
        left -= one.item.tokens
    alone = max(fitting, key=lambda one: worth([one], weights), default=None)
    return [alone] if alone is not None and worth([alone], weights) > value.total else chosen


def without_overlaps(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates without those that share a line with a better one, best first."""
    kept: dict[str, list[Candidate]] = defaultdict(list)
    for one in sorted(candidates, key=_rank):
        if not any(_overlap(one.item, other.item) for other in kept[one.item.path]):
            kept[one.item.path].append(one)
    return sorted((one for found in kept.values() for one in found), key=_rank)


def _rank(one: Candidate) -> tuple[object, ...]:
    """Best first; different candidates never tie, so that their order in the beginning does not matter."""
    item = one.item
    place = (item.path, item.start_line, item.end_line, item.reason, item.tokens)
    return -item.score, place, one.kind, sorted(one.words)


def _cost(one: Candidate) -> int:
    return max(1, one.item.tokens)


def _overlap(one: Item, other: Item) -> bool:
    return one.start_line <= other.end_line and other.start_line <= one.end_line
