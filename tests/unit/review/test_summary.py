"""A minute's worth of a verdict: confidence by rules, files, effort, who breaks; never better than what was read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.finding import Category, Coverage, Depth, Place, Severity, Suppressed, VerdictKind
from panlect.review.render import page
from panlect.review.summary import confidence, summarise

P0, P1, P2, P3 = Severity


def judged(words: Any, *severities: Severity, unread: int = 0, read: int = 10, **more: Any) -> Any:
    hunks = (words.hunk(),) * read + (words.hunk("unread"),) * unread
    findings = tuple(words.finding(severity=s, fingerprint=f"{n:032}") for n, s in enumerate(severities))
    kind = VerdictKind.PARTIAL if unread else VerdictKind.REVIEWED
    known = {"depth": Depth.DEEP, "kind": kind, "findings": findings, "coverage": Coverage(hunks)}
    return words.verdict(**{**known, **more})


@pytest.mark.parametrize(
    ("severities", "unread", "score"),
    [
        ([], 0, 5),
        ([P3], 0, 5),
        ([P2], 0, 4),
        ([P2] * 4, 0, 3),
        ([P1], 0, 2),
        ([P1, P1], 0, 1),
        ([P0], 0, 1),
        ([], 1, 4),
        ([], 5, 3),
        ([], 20, 2),
        ([P1], 1, 2),
    ],
)
def test_confidence_is_the_least_that_a_rule_allows(
    words: Any, severities: list[Severity], unread: int, score: int
) -> None:
    found = confidence(judged(words, *severities, unread=unread))
    assert found.score == score
    assert all(reason.endswith(".") for reason in found.reasons)
    assert found.reasons


def test_a_security_fault_that_stops_the_line_leaves_no_confidence(words: Any) -> None:
    fault = words.finding(severity=P0, category=Category.SECURITY)
    assert confidence(judged(words, findings=(fault,))).score == 0


def test_checks_alone_are_never_full_confidence_and_say_so(words: Any) -> None:
    found = confidence(judged(words, depth=Depth.CHECKS))
    assert (found.score, found.reasons) == (
        4,
        ("The code was read by checks alone; no model looked at what the code means.",),
    )


def test_nothing_read_at_all_is_hardly_any_confidence(words: Any) -> None:
    assert confidence(judged(words, read=0, unread=3, depth=None)).score == 1


@pytest.mark.parametrize(
    ("kind", "score"), [(VerdictKind.SKIPPED, None), (VerdictKind.SUPERSEDED, None), (VerdictKind.FAILED, 0)]
)
def test_what_was_not_reviewed_is_not_rated_well(words: Any, kind: VerdictKind, score: int | None) -> None:
    found = confidence(words.verdict(kind=kind, reason="empty change"))
    assert found.score == score
    assert "empty change" in found.reasons[0]


@given(severities=st.lists(st.sampled_from(Severity), max_size=6), unread=st.integers(0, 12))
def test_one_more_fault_or_gap_never_raises_confidence(
    words: Any, severities: list[Severity], unread: int
) -> None:
    now = confidence(judged(words, *severities, unread=unread)).score or 0
    assert (confidence(judged(words, *severities, P1, unread=unread)).score or 0) <= now
    assert (confidence(judged(words, *severities, unread=unread + 1)).score or 0) <= now


def test_files_with_findings_come_first_then_those_not_read(words: Any) -> None:
    hunks = (
        words.hunk(path="a.py"),
        words.hunk("unread", path="b.py"),
        words.hunk(path="pay.py", end_line=9),
        words.hunk("excluded", path="c.lock", reason="lock file"),
    )
    rows = summarise(words.verdict(findings=(words.finding(),), coverage=Coverage(hunks))).files
    assert [(row.path, row.state, row.findings, row.lines) for row in rows] == [
        ("pay.py", "read", 1, 9),
        ("b.py", "0 of 1 read", 0, 2),
        ("a.py", "read", 0, 2),
        ("c.lock", "excluded", 0, 0),
    ]


@pytest.mark.parametrize(
    ("lines", "files", "score"),
    [(3, 1, 1), (60, 1, 2), (300, 1, 3), (1_000, 1, 4), (9_000, 1, 5), (30, 30, 3)],
)
def test_effort_grows_with_lines_and_files(words: Any, lines: int, files: int, score: int) -> None:
    hunks = tuple(words.hunk(path=f"f{n}.py", end_line=lines // files) for n in range(files))
    assert summarise(words.verdict(coverage=Coverage(hunks))).effort.score == score


def test_what_breaks_outside_the_change_is_counted(words: Any) -> None:
    finding = words.finding(related=(Place("retry.py", 5, 5), Place("retry.py", 9, 9), Place("pay.py", 3, 3)))
    found = summarise(words.verdict(findings=(finding,)))
    assert found.impact == "2 places in 1 file outside the change break with it."
    assert summarise(words.verdict()).impact == ""


def diagram(words: Any, *callers: str, **more: Any) -> str:
    finding = words.finding(related=tuple(Place(caller, 1, 1) for caller in callers), **more)
    return page(words.verdict(findings=(finding,))).partition("```mermaid\n")[2].partition("```")[0]


def test_a_diagram_is_drawn_where_two_files_rely_on_what_changed(words: Any) -> None:
    assert diagram(words, "retry.py") == ""
    assert diagram(words, "retry.py", "close.py").splitlines() == [
        "graph LR",
        '  n0["close.py"] --> n1["capture() at pay.py:1"]',
        '  n2["retry.py"] --> n1',
    ]
    assert diagram(words, "retry.py", "close.py", check="secret") == ""


def test_a_diagram_is_bounded_and_no_name_is_its_grammar(words: Any) -> None:
    hostile = 'a"]; click n0 "javascript:x"\n```\n%%{init}%%.py'
    drawn = diagram(words, hostile, *(f"f{n}.py" for n in range(99)))
    assert len(drawn.splitlines()) <= 14
    labels = [line for line in drawn.splitlines() if "javascript" in line]
    assert all(line.count('"') == 4 and ";" not in line and "%" not in line for line in labels)


def test_what_the_cap_held_back_is_listed_in_short(words: Any) -> None:
    rows = tuple(
        Suppressed("cap", "P2, more than 4 comments", "call-mismatch", "x.py", n, f"claim {n}")
        for n in range(14)
    )
    verdict = words.verdict(
        suppressed=(*rows, Suppressed("verify", "no", "call-mismatch", "y.py", 1, "fell"))
    )
    said = page(verdict)
    assert said.count("- call-mismatch: claim") == 10
    assert "and 4 more" in said
    assert "fell" not in said
    assert "1 candidate dropped at verify" in said
