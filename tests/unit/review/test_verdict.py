"""The verdict follows from the ledger, the check from the verdict: every cell of the published table."""

from __future__ import annotations

from typing import Any

import pytest

from panlect.finding import Coverage, Depth, Severity, VerdictKind
from panlect.forge.types import Conclusion
from panlect.review.verdict import Policy, conclusion, title, verdict

ADVISORY, BLOCKING = Policy(), Policy(blocking=True)


@pytest.mark.parametrize(
    ("states", "kind", "reason"),
    [
        (["read"], VerdictKind.REVIEWED, "1 of 1 hunks read"),
        (["read", "excluded"], VerdictKind.REVIEWED, "1 of 1 hunks read"),
        (["read", "unread"], VerdictKind.PARTIAL, "1 of 2 hunks read: 1 does not parse after the change"),
        (["unread", "unread"], VerdictKind.PARTIAL, "0 of 2 hunks read: 2 does not parse after the change"),
        (["excluded"], VerdictKind.SKIPPED, "nothing to read: 1 binary"),
        ([], VerdictKind.SKIPPED, "empty change"),
    ],
)
def test_the_kind_follows_from_what_was_read(
    words: Any, states: list[str], kind: VerdictKind, reason: str
) -> None:
    hunks = [words.hunk(state, **({"reason": "binary"} if state == "excluded" else {})) for state in states]
    found = verdict(Coverage(tuple(hunks)), (), (), base_sha=words.base_sha, head_sha=words.head_sha)
    assert (found.kind, found.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("depths", "depth"),
    [
        ([], None),
        ([Depth.TEXT], Depth.TEXT),
        ([Depth.TEXT, Depth.CHECKS], Depth.CHECKS),
        ([Depth.DEEP, Depth.CHECKS, Depth.TEXT], Depth.CHECKS),
        ([Depth.NORMAL, Depth.DEEP], Depth.NORMAL),
    ],
)
def test_the_depth_is_the_shallowest_at_which_code_was_read(
    words: Any, depths: list[Depth], depth: Depth | None
) -> None:
    hunks = tuple(words.hunk(depth=one) for one in depths) or (words.hunk("unread"),)
    assert verdict(Coverage(hunks), (), (), base_sha="b", head_sha="h").depth == depth


NEUTRAL, SUCCESS, FAILURE = Conclusion.NEUTRAL, Conclusion.SUCCESS, Conclusion.FAILURE
ASKED, CANCELLED = Conclusion.ACTION_REQUIRED, Conclusion.CANCELLED


@pytest.mark.parametrize(
    ("kind", "severity", "advisory", "blocking"),
    [
        (VerdictKind.REVIEWED, None, SUCCESS, SUCCESS),
        (VerdictKind.REVIEWED, "P2", SUCCESS, SUCCESS),
        (VerdictKind.REVIEWED, "P1", NEUTRAL, FAILURE),
        (VerdictKind.REVIEWED, "P0", NEUTRAL, FAILURE),
        (VerdictKind.PARTIAL, None, NEUTRAL, FAILURE),
        (VerdictKind.PARTIAL, "P0", NEUTRAL, FAILURE),
        (VerdictKind.SKIPPED, None, NEUTRAL, ASKED),
        (VerdictKind.FAILED, None, NEUTRAL, FAILURE),
        (VerdictKind.SUPERSEDED, None, CANCELLED, CANCELLED),
    ],
)
def test_the_check_concludes_as_the_table_says(
    words: Any, kind: VerdictKind, severity: str | None, advisory: Conclusion, blocking: Conclusion
) -> None:
    findings = (words.finding(severity=Severity(severity)),) if severity else ()
    found = words.verdict(kind=kind, findings=findings)
    assert conclusion(found, ADVISORY) is advisory
    assert conclusion(found, BLOCKING) is blocking


@pytest.mark.parametrize("threshold", list(Severity))
@pytest.mark.parametrize("severity", list(Severity))
def test_a_gate_closes_at_its_threshold_and_above(
    words: Any, severity: Severity, threshold: Severity
) -> None:
    found = words.verdict(findings=(words.finding(severity=severity),))
    expected = FAILURE if severity.value <= threshold.value else SUCCESS
    assert conclusion(found, Policy(blocking=True, threshold=threshold)) is expected


@pytest.mark.parametrize(
    ("reason", "allowed", "expected"),
    [
        ("empty change", {"empty change"}, SUCCESS),
        ("nothing to read: 1 binary", {"nothing to read"}, SUCCESS),
        ("nothing to read: 1 binary", {"empty change"}, ASKED),
        ("nothing to read: 1 binary", set(), ASKED),
    ],
)
def test_a_skipped_change_passes_a_gate_only_for_listed_reasons(
    words: Any, reason: str, allowed: set[str], expected: Conclusion
) -> None:
    found = words.verdict(kind=VerdictKind.SKIPPED, reason=reason)
    assert conclusion(found, Policy(blocking=True, allowed_skip_reasons=frozenset(allowed))) is expected


def test_the_check_is_green_for_a_full_review_alone(words: Any) -> None:
    for kind in VerdictKind:
        if conclusion(words.verdict(kind=kind), ADVISORY) is SUCCESS:
            assert kind is VerdictKind.REVIEWED


@pytest.mark.parametrize(
    ("kind", "findings", "said"),
    [
        (VerdictKind.REVIEWED, 0, "Reviewed: no findings, 1 of 1 hunks"),
        (VerdictKind.REVIEWED, 1, "Reviewed: 1 finding, 1 of 1 hunks"),
        (VerdictKind.PARTIAL, 2, "Partial: 1 of 1 hunks, 2 findings"),
        (VerdictKind.SKIPPED, 0, "Skipped: 1 of 1 hunks read"),
        (VerdictKind.FAILED, 0, "Failed: 1 of 1 hunks read"),
        (VerdictKind.SUPERSEDED, 0, "Superseded by a newer head"),
    ],
)
def test_the_title_says_it_in_one_line(words: Any, kind: VerdictKind, findings: int, said: str) -> None:
    assert title(words.verdict(kind=kind, findings=(words.finding(),) * findings)) == said
