"""What a person sees in 80 columns; nothing of a repository drives the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from panlect.finding import Coverage, Place, Side, Suppressed, VerdictKind
from panlect.review.terminal import print_review, printable

LINES = ["import x", "", "\tdef capture(order, key):", "        return key", "y = 2", "z = 3"]


def shown(words: Any, *, lines: list[str] | None = None, colour: bool = False, **verdict: Any) -> str:
    target = io.StringIO()
    console = Console(
        file=target, width=80, force_terminal=colour, color_system="standard" if colour else None
    )
    print_review(
        console, words.verdict(**verdict), lambda path, side: LINES if lines is None else lines, seconds=1.25
    )
    return target.getvalue()


def test_a_finding_is_shown_with_its_frame_and_caret(words: Any) -> None:
    said = shown(words, findings=(words.finding(start_line=3, end_line=3),)).splitlines()
    assert said[0] == "P1 `capture()` now needs `key`  call-mismatch"
    assert said[1] == "  --> pay.py:3"
    assert "  3 |     def capture(order, key):" in said
    assert said[said.index("  3 |     def capture(order, key):") + 1] == "    |     ^^^^^^^^^^^^^^^^^^^^^^^^"
    assert said[-1] == "REVIEWED  1 finding | 1 of 1 hunks read | depth: checks | 1.2 s | model: none"


def test_lines_before_the_change_are_called_so(words: Any) -> None:
    said = shown(words, findings=(words.finding(side=Side.BASE, start_line=3, end_line=3),))
    assert "  --> pay.py:3 (before the change)" in said


def test_other_evidence_is_named_below(words: Any) -> None:
    other = words.evidence(path="retry.py", start_line=5, end_line=5, quote="capture(order)\nmore")
    said = shown(words, findings=(words.finding(evidence=(words.evidence(), other)),))
    assert "  also retry.py:5  capture(order)" in said


def test_a_credential_is_masked_in_its_frame(words: Any) -> None:
    token = "ghp_" + "a1B2" * 9
    said = shown(
        words, lines=["x = 1", f'token = "{token}"'], findings=(words.finding(start_line=2, end_line=2),)
    )
    assert token not in said
    assert '  2 | token = "[SECRET:github-token]#' in said


@pytest.mark.parametrize("start", [1, 6, 7, 10_000])
def test_an_anchor_at_or_past_the_end_of_its_file_is_no_error(words: Any, start: int) -> None:
    assert f"pay.py:{start}" in shown(words, findings=(words.finding(start_line=start, end_line=start + 3),))
    assert f"pay.py:{start}" in shown(
        words, lines=[], findings=(words.finding(start_line=start, end_line=start),)
    )


def test_a_finding_without_an_anchor_stands_at_its_evidence(words: Any) -> None:
    finding = words.finding(
        path=None, start_line=None, end_line=None, evidence=(words.evidence(start_line=4, end_line=4),)
    )
    assert "  --> pay.py:4" in shown(words, findings=(finding,))


def test_what_was_not_read_is_listed_and_the_rest_counted(words: Any) -> None:
    unread = tuple(words.hunk("unread", path=f"f{n}.py") for n in range(23))
    said = shown(words, kind=VerdictKind.PARTIAL, coverage=Coverage(unread), depth=None)
    assert said.count("not read f") == 20
    assert "not read  3 more hunks" in said
    assert "PARTIAL  0 findings | 0 of 23 hunks read | depth: none" in said


def test_a_skipped_change_says_why(words: Any) -> None:
    assert "  empty change" in shown(
        words, kind=VerdictKind.SKIPPED, reason="empty change", coverage=Coverage()
    )


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "a\rb",
        "\x9b31m",
        "\x00",
        "\u202ereversed",
        "a\nb",
        "[red]markup[/red]",
    ],
)
def test_nothing_of_a_repository_drives_the_terminal(words: Any, text: str) -> None:
    evidence = words.evidence(path=text, quote=text, start_line=9)
    finding = words.finding(
        title=text, body=text, path=text, evidence=(evidence,), related=(Place(text, 1, 1),)
    )
    unread = words.hunk("unread", path=text, reason="why")
    said = shown(words, lines=[text] * 4, findings=(finding,), coverage=Coverage((unread,)))
    assert all(character.isprintable() or character == "\n" for character in said)
    assert "\u202e" not in said
    if "markup" in text:
        assert "[red]markup[/red]" in said


def test_colour_is_never_the_only_sign(words: Any) -> None:
    plain, coloured = (
        shown(words, findings=(words.finding(),)),
        shown(words, colour=True, findings=(words.finding(),)),
    )
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert "P1 " in plain
    assert "^" in plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain é 漢", "plain é 漢"), ("a\tb", "a\\x09b"), ("\x1b[0m", "\\x1b[0m"), ("", "")],
)
def test_control_characters_are_written_out(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_how_safe_it_looks_to_merge_stands_above_the_closing_line_with_its_reasons(words: Any) -> None:
    held = tuple(Suppressed("cap", "P2, more", "secret", "a.py", n, f"claim \x1b{n}") for n in range(12))
    lines = shown(words, findings=(words.finding(),), suppressed=held).splitlines()
    assert (
        lines[-2] == f"effort to read 1 of 5 (a glance: about 2 lines in 1 file) | head {words.head_sha[:12]}"
    )
    assert lines[-3].startswith("merge confidence 2 of 5  1 P1 finding: something breaks for its users.")
    assert sum(line.startswith("in short ") for line in lines) == 11
    assert "in short  2 more (all of them with --json)" in lines
    assert "merge confidence" not in shown(words, kind=VerdictKind.SKIPPED, coverage=Coverage())
