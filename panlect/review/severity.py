"""How bad a finding is: what it does times whom it reaches. Decided here by a table, never by who found it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from panlect.finding import Candidate, Severity


class Effect(StrEnum):
    """What happens when it happens."""

    E4 = "E4"  # data loss, code run by others, a way around signing in, wrong money, the service down
    E3 = "E3"  # a wrong result stored or returned, a request that crashes, another tenant's data read
    E2 = "E2"  # an error that is recovered from, a leak under load, a broken way back
    E1 = "E1"  # misleading output, a weak test, a rule that is not kept
    E0 = "E0"  # cosmetic


class Reach(StrEnum):
    """Who meets it. `OUTSIDER`: anybody, unauthenticated, who means harm; `INSIDER`: one who has signed in."""

    COMMON = "common"
    RARE = "rare"
    OUTSIDER = "outsider"
    INSIDER = "insider"


_P0, _P1, _P2, _P3 = Severity
TABLE: dict[Effect, dict[Reach, Severity | None]] = {
    Effect.E4: {Reach.COMMON: _P0, Reach.RARE: _P1, Reach.OUTSIDER: _P0, Reach.INSIDER: _P1},
    Effect.E3: {Reach.COMMON: _P1, Reach.RARE: _P2, Reach.OUTSIDER: _P1, Reach.INSIDER: _P1},
    Effect.E2: {Reach.COMMON: _P2, Reach.RARE: _P2, Reach.OUTSIDER: _P2, Reach.INSIDER: _P2},
    Effect.E1: {Reach.COMMON: _P3, Reach.RARE: _P3, Reach.OUTSIDER: _P3, Reach.INSIDER: _P3},
    Effect.E0: {Reach.COMMON: None, Reach.RARE: None, Reach.OUTSIDER: None, Reach.INSIDER: None},
}
"""Effect by reach; None is not worth saying."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a check's findings do, and to whom."""

    effect: Effect
    reach: Reach


_BREAKS = Weight(Effect.E3, Reach.COMMON)
_NOTES = Weight(Effect.E1, Reach.COMMON)
WEIGHTS = {
    "abstract-missing": _BREAKS,
    "call-mismatch": _BREAKS,
    "conflict-marker": _BREAKS,
    "hidden-unicode": Weight(Effect.E2, Reach.OUTSIDER),  # it is there; that it harms is not proved
    "import-missing": _BREAKS,
    "member-missing": _BREAKS,
    "migration-risk": Weight(Effect.E4, Reach.RARE),  # it hurts with the data that a table happens to hold
    "name-unresolved": _BREAKS,
    "override-mismatch": _NOTES,  # low on real history
    "reviewer-injection": Weight(Effect.E2, Reach.OUTSIDER),
    "secret": Weight(Effect.E4, Reach.INSIDER),  # whoever may read the repository may use it
    "unparsable": _BREAKS,
}
UNKNOWN = Weight(Effect.E2, Reach.COMMON)
"""Of a check that has no weight yet: never loud, never silent."""


def weigh(effect: Effect, reach: Reach, *, in_tests: bool = False) -> Severity | None:
    """The table's cell, one step lower for code that only tests, shows or tries; None to say nothing."""
    found = TABLE[effect][reach]
    if found is None or not in_tests:
        return found
    return Severity(f"P{min(3, int(found.value[1]) + 1)}")


def severity(candidate: Candidate) -> Severity | None:
    """How bad what a candidate claims is; None when it is not worth saying."""
    weight = WEIGHTS.get(candidate.check, UNKNOWN)
    return weigh(weight.effect, weight.reach, in_tests=candidate.in_tests)
