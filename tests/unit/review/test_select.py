"""What is said does not depend on the order or number of the claims, and no claim disappears."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.finding import Candidate, Category, Evidence, Side
from panlect.review.select import fingerprint, select, severity
from panlect.review.verify import verify

PATHS = st.sampled_from(["pay.py", "shop/retry.py", "gone.py"])
LINES = st.integers(1, 5)


@st.composite
def claims(draw: st.DrawFn) -> Candidate:
    path, line, side = draw(PATHS), draw(LINES), draw(st.sampled_from(Side))
    quote = draw(st.sampled_from(["x = 1", "def f():", "  x = 1  ", "never there"]))
    return Candidate(
        check=draw(st.sampled_from(["call-mismatch", "import-missing", "hidden-unicode"])),
        category=Category.CONTRACT,
        path=path,
        start_line=line,
        end_line=line,
        side=side,
        title=draw(st.sampled_from(["a", "b"])),
        body=draw(st.sampled_from(["", "why"])),
        evidence=(Evidence(path, line, line, side, quote),),
        target=draw(st.sampled_from(["f", "g"])),
        in_tests=draw(st.booleans()),
    )


CLAIMS = st.lists(claims(), max_size=12)


@given(candidates=CLAIMS, data=st.data())
def test_the_order_of_the_claims_changes_nothing(words: Any, candidates: list[Candidate], data: Any) -> None:
    change = words.change(words.file())
    shuffled = data.draw(st.permutations(candidates))
    one, other = select(tuple(candidates), change), select(tuple(shuffled), change)
    assert one.findings == other.findings
    assert Counter(one.suppressed) == Counter(other.suppressed)


@given(candidates=CLAIMS)
def test_a_claim_made_twice_is_said_once(words: Any, candidates: list[Candidate]) -> None:
    change = words.change(words.file())
    assert select((*candidates, *candidates), change).findings == select(tuple(candidates), change).findings


@given(candidates=CLAIMS)
def test_every_claim_ends_as_a_finding_or_in_the_suppression_ledger(
    words: Any, candidates: list[Candidate]
) -> None:
    change = words.change(words.file(), words.file("shop/retry.py"))
    base = words.revision({"pay.py": "x = 1\nx = 1\n"})
    head = words.revision({"pay.py": "x = 1\ndef f():\n", "shop/retry.py": "x = 1\n" * 5})
    proved = verify(tuple(candidates), change, base, head)
    chosen = select(proved.candidates, change)
    assert len(chosen.findings) + len(chosen.suppressed) + len(proved.suppressed) == len(candidates)
    assert all(
        row.reason and row.stage in ("verify", "select") for row in (*proved.suppressed, *chosen.suppressed)
    )
    prints = [finding.fingerprint for finding in chosen.findings]
    assert len(prints) == len(set(prints))


@given(candidates=CLAIMS)
def test_findings_come_most_severe_first(words: Any, candidates: list[Candidate]) -> None:
    findings = select(tuple(candidates), words.change(words.file())).findings
    assert [finding.severity for finding in findings] == sorted(finding.severity for finding in findings)


@pytest.mark.parametrize(
    ("check", "in_tests", "expected"),
    [
        ("call-mismatch", False, "P1"),
        ("call-mismatch", True, "P2"),
        ("hidden-unicode", False, "P2"),
        ("hidden-unicode", True, "P3"),
    ],
)
def test_severity_is_that_of_the_place_and_the_check(
    words: Any, check: str, in_tests: bool, expected: str
) -> None:
    assert severity(words.candidate(check=check, in_tests=in_tests)) == expected


@pytest.mark.parametrize(
    "more",
    [
        {"start_line": 9, "end_line": 9},
        {"title": "other words"},
        {"body": "other words"},
        {"in_tests": True},
    ],
)
def test_a_fingerprint_outlives_lines_and_words(words: Any, more: dict[str, Any]) -> None:
    assert fingerprint(words.candidate(**more)) == fingerprint(words.candidate())


def test_a_fingerprint_outlives_a_new_indentation(words: Any) -> None:
    moved = words.candidate(
        evidence=(words.evidence(start_line=7, end_line=7, quote="  def capture(order,  key):"),)
    )
    assert fingerprint(moved) == fingerprint(words.candidate())


@pytest.mark.parametrize(
    "more",
    [{"check": "import-missing"}, {"path": "other.py"}, {"target": "charge"}, {"enclosing": "Shop.pay"}],
)
def test_another_claim_has_another_fingerprint(words: Any, more: dict[str, Any]) -> None:
    assert fingerprint(words.candidate(**more)) != fingerprint(words.candidate())


@pytest.mark.parametrize(
    ("more", "anchored"),
    [
        ({}, True),
        ({"start_line": 3, "end_line": 3}, True),
        ({"start_line": 4, "end_line": 4}, False),  # the diff does not show it
        ({"start_line": 3, "end_line": 4}, False),
        ({"path": "elsewhere.py"}, False),
        ({"side": Side.BASE}, True),
    ],
)
def test_a_finding_is_anchored_only_where_the_host_takes_a_comment(
    words: Any, more: dict[str, Any], anchored: bool
) -> None:
    (finding,) = select((words.candidate(**more),), words.change(words.file())).findings
    assert (finding.path is not None) is anchored
    assert (finding.start_line is not None) is anchored
