"""Summaries as something to find: what a model said of files and directories, beside the code itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from panlect.code.terms import terms_of
from panlect.search.filters import Filters

if TYPE_CHECKING:
    from panlect.index.snapshot import Snapshot
    from panlect.index.summaries import Placed

_LEAST_SHARE = 0.5  # of a query, by rarity, that a summary has to say
_UNSEEN = 0.5  # as often as this a word stands that no summary has
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Description:
    """A file or directory ("" is the repository), and how much of a query its summary says, 0 to 1."""

    path: str
    kind: str
    share: float
    why: str


class Described:
    """The summaries of one repository, ready to be asked."""

    def __init__(self, placed: Iterable[Placed]) -> None:
        self._placed = [one for one in placed if not one.summary.extractive]
        self._terms = [frozenset(terms_of(one.summary.text)) for one in self._placed]
        self._times = Counter(term for terms in self._terms for term in terms)

    def __len__(self) -> int:
        return len(self._placed)

    def found(
        self, query: str, filters: Filters, snapshot: Snapshot, count: int, without: Sequence[str] = ()
    ) -> list[Description]:
        """The `count` descriptions that say most of a query, and at least half; none of the paths `without`."""
        rarity = {term: self._rarity(term) for term in terms_of(query)}
        total = sum(rarity.values())
        if not total or filters.kinds:
            return []
        found = []
        for one, terms in zip(self._placed, self._terms, strict=True):
            share = sum(weight for term, weight in rarity.items() if term in terms) / total
            if share >= _LEAST_SHARE and one.path not in without and _allowed(one, filters, snapshot):
                text = one.summary.text
                why = (
                    f"summary of the {one.summary.kind}: {text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}"
                )
                found.append(Description(one.path, one.summary.kind, share, why))
        return sorted(found, key=lambda one: (-one.share, one.path.count("/"), one.path))[:count]

    def _rarity(self, term: int) -> float:
        return math.log1p(len(self._placed) / max(self._times[term], _UNSEEN))


def _allowed(one: Placed, filters: Filters, snapshot: Snapshot) -> bool:
    """Files as any hit; of directories it is not known which language they are in."""
    if one.summary.kind != "file":
        return not filters.by_file
    return snapshot.exists(one.path) and filters.allows(snapshot, one.path)
