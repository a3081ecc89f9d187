"""What is said does not depend on the order or number of the claims, and no claim disappears."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.finding import Candidate, Category, Evidence, Finding, Place, Severity, Side
from panlect.review.select import UNLIMITED, Limits, fingerprint, select
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
        row.reason and row.stage in ("verify", "select", "cap")
        for row in (*proved.suppressed, *chosen.suppressed)
    )
    prints = [finding.fingerprint for finding in chosen.findings]
    assert len(prints) == len(set(prints))


@given(candidates=st.lists(claims(), min_size=1, max_size=12))
def test_a_claim_that_is_not_made_takes_no_other_finding_away(
    words: Any, candidates: list[Candidate]
) -> None:
    change = words.change(words.file())
    all_of_them, without = (
        select(tuple(claims), change, UNLIMITED) for claims in (candidates, candidates[1:])
    )
    lost = {f.fingerprint for f in all_of_them.findings} - {f.fingerprint for f in without.findings}
    assert lost <= {fingerprint(candidates[0])}


@given(candidates=CLAIMS)
def test_findings_come_most_severe_first(words: Any, candidates: list[Candidate]) -> None:
    findings = select(tuple(candidates), words.change(words.file())).findings
    assert [finding.severity for finding in findings] == sorted(finding.severity for finding in findings)


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


def many(words: Any, count: int, check: str = "hidden-unicode") -> tuple[Candidate, ...]:
    return tuple(
        words.candidate(check=check, target=f"t{n}", start_line=1 + n % 3, end_line=1 + n % 3)
        for n in range(count)
    )


def comments(findings: tuple[Finding, ...]) -> int:
    return sum(finding.path is not None for finding in findings)


@pytest.mark.parametrize(("lines", "cap"), [(10, 4), (150, 4), (151, 7), (5_000, 7)])
def test_a_small_change_gets_four_comments_and_a_large_one_seven(words: Any, lines: int, cap: int) -> None:
    file = words.file()
    hunk = replace(
        file.hunks[0], added=((1, lines),), removed=((1, lines),), new_count=lines, old_count=lines
    )
    chosen = select(many(words, 20), words.change(words.file(hunks=(hunk,))))
    assert comments(chosen.findings) == cap
    assert [row.stage for row in chosen.suppressed] == ["cap"] * (20 - cap)
    assert {row.reason for row in chosen.suppressed} == {
        f"P2, more than {cap} comments on a change of {2 * lines} lines"
    }


def test_what_breaks_something_is_never_cut(words: Any) -> None:
    chosen = select((*many(words, 9, "call-mismatch"), *many(words, 5)), words.change(words.file()))
    assert [finding.severity for finding in chosen.findings] == ["P1"] * 9
    assert [row.stage for row in chosen.suppressed] == ["cap"] * 5


def test_notes_take_no_place_of_a_comment_and_are_ten_at_most(words: Any) -> None:
    notes = tuple(replace(note, in_tests=True) for note in many(words, 14))
    chosen = select((*notes, *many(words, 3, "import-missing")), words.change(words.file()))
    assert [f.severity for f in chosen.findings] == ["P1"] * 3 + ["P3"] * 10
    assert {row.reason for row in chosen.suppressed} == {"P3, more than 10 notes"}


def test_nothing_is_cut_where_no_limit_is_set(words: Any) -> None:
    chosen = select(
        (*many(words, 30), *many(words, 30, "call-mismatch")), words.change(words.file()), UNLIMITED
    )
    assert (len(chosen.findings), chosen.suppressed) == (60, ())


def test_what_is_below_the_least_severity_is_in_the_ledger(words: Any) -> None:
    both = (words.candidate(), words.candidate(check="hidden-unicode"))
    chosen = select(both, words.change(words.file()), Limits(minimum=Severity.P1))
    assert [finding.check for finding in chosen.findings] == ["call-mismatch"]
    assert [(row.check, row.reason) for row in chosen.suppressed] == [("hidden-unicode", "below P1")]


def test_one_cause_in_three_files_is_one_finding_that_names_the_others(words: Any) -> None:
    gone = words.evidence(path="lib.py", start_line=4, end_line=4, side=Side.BASE, quote="def capture(o):")
    three = tuple(
        words.candidate(path=path, evidence=(words.evidence(path=path), gone))
        for path in ("a.py", "b.py", "c.py")
    )
    chosen = select(three, words.change(words.file("a.py")))
    (finding,) = chosen.findings
    assert finding.related == (Place("b.py", 1, 1), Place("c.py", 1, 1))
    assert {evidence.path for evidence in finding.evidence} == {"a.py", "b.py", "c.py", "lib.py"}
    assert [row.reason for row in chosen.suppressed] == ["the cause of a.py:1, which names it"] * 2


@pytest.mark.parametrize(
    "more",
    [
        {"target": "refund"},
        {"check": "import-missing"},
        {
            "evidence": (
                Evidence("x.py", 1, 1, Side.HEAD, "x"),
                Evidence("other.py", 9, 9, Side.BASE, "def f"),
            )
        },
    ],
)
def test_two_causes_stay_two(words: Any, more: dict[str, Any]) -> None:
    two = (words.candidate(), words.candidate(path="b.py", **more))
    assert len(select(two, words.change(words.file())).findings) == 2


def test_two_secrets_of_one_kind_are_two_findings(words: Any) -> None:
    two = (words.candidate(check="secret"), words.candidate(check="secret", path="b.py"))
    assert len(select(two, words.change(words.file())).findings) == 2
