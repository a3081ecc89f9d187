"""How well a ranking finds what it should: recall among the first 5 and 10, and the rank of the first hit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The weights of search and context were chosen looking at these; everything else is a check.
TUNED_ON = ("celery", "django", "express", "prometheus")


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over `n` queries."""

    n: int
    r5: float
    r10: float
    mrr: float

    def as_json(self) -> dict[str, Any]:
        """Rounded, under the names that every result uses."""
        return {
            "n": self.n,
            "R@5": round(self.r5, 4),
            "R@10": round(self.r10, 4),
            "MRR": round(self.mrr, 4),
        }

    def __str__(self) -> str:
        return f"R@5 {self.r5:.3f} R@10 {self.r10:.3f} MRR {self.mrr:.3f}"


def quality(ranked_and_true: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Quality:
    """Judge rankings (best first) by what is true of each: recall is the share of the true ones found."""
    rows = [(list(ranked), set(true)) for ranked, true in ranked_and_true if true]
    if not rows:
        return Quality(0, 0.0, 0.0, 0.0)
    return Quality(
        len(rows),
        sum(_recall(ranked, true, 5) for ranked, true in rows) / len(rows),
        sum(_recall(ranked, true, 10) for ranked, true in rows) / len(rows),
        sum(_reciprocal(ranked, true) for ranked, true in rows) / len(rows),
    )


def mean(qualities: Sequence[Quality]) -> Quality:
    """The mean over repositories, each counting the same."""
    count = max(1, len(qualities))
    return Quality(
        sum(one.n for one in qualities),
        sum(one.r5 for one in qualities) / count,
        sum(one.r10 for one in qualities) / count,
        sum(one.mrr for one in qualities) / count,
    )


def _recall(ranked: Sequence[str], true: set[str], k: int) -> float:
    return len(true.intersection(ranked[:k])) / len(true)


def _reciprocal(ranked: Sequence[str], true: set[str]) -> float:
    return next((1 / rank for rank, one in enumerate(ranked, 1) if one in true), 0.0)


def named(given: Sequence[str]) -> dict[str, Path]:
    """NAME=PATH, or a path whose folder is the name."""
    found: dict[str, Path] = {}
    for one in given:
        name, _, path = one.rpartition("=")
        found[name or Path(path).resolve().name] = Path(path)
    return found
