"""Every hunk of a change is in the ledger once: read at a depth, unread with a reason, or excluded with one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from panlect.change import ChangedHunk
from panlect.finding import Depth, Side
from panlect.review.plan import close, plan

ADDED = ChangedHunk(0, 0, 1, 9, removed=(), added=((1, 9),))
REMOVED = ChangedHunk(1, 9, 0, 0, removed=((1, 9),), added=())


def closed(words: Any, file: Any, **analyses: Any) -> Any:
    """The one row of a change of one file."""
    change = words.change(file)
    base, head = words.revision({"pay.py": "x"}, **analyses), words.revision({"pay.py": "x"}, **analyses)
    (row,) = close(plan(change), change, base, head).hunks
    return row


def test_code_that_parsed_before_and_after_is_read_at_depth_checks(words: Any) -> None:
    row = closed(words, words.file())
    assert (row.state, row.depth, row.passes) == ("read", Depth.CHECKS, ("text", "checks"))


@pytest.mark.parametrize("kind", ["documentation", "data", "configuration"])
def test_text_is_read_at_depth_text(words: Any, kind: str) -> None:
    row = closed(words, words.file("a.txt", kind=kind))
    assert (row.state, row.depth, row.passes) == ("read", Depth.TEXT, ("text",))


def test_code_of_another_language_waits_for_a_model(words: Any) -> None:
    row = closed(words, words.file("main.rs", kind="code-other"))
    assert (row.state, row.depth) == ("unread", None)
    assert row.reason == "no model, and no checks for this language"


def test_code_that_does_not_parse_is_unread(words: Any) -> None:
    row = closed(words, words.file(), pay_py=words.Analysis(has_error=True))
    assert (row.state, row.reason) == ("unread", "does not parse before the change")


def test_code_whose_parser_gave_up_is_unread_with_its_reason(words: Any) -> None:
    row = closed(words, words.file(), pay_py=words.Analysis(skipped="parser crashed"))
    assert (row.state, row.reason) == ("unread", "parser crashed")


def test_code_without_an_analysis_is_unread(words: Any) -> None:
    row = closed(words, words.file("other.py"))
    assert (row.state, row.reason) == ("unread", "not analysed before the change")


@pytest.mark.parametrize("field", ["excluded", "unread"])
@pytest.mark.parametrize("hunks", [(), (ADDED,), (ADDED, REMOVED)])
def test_what_a_file_is_left_out_for_holds_for_each_of_its_hunks(
    words: Any, field: str, hunks: tuple[ChangedHunk, ...]
) -> None:
    rows = plan(words.change(words.file(hunks=hunks, **{field: "some reason"}))).rows
    assert len(rows) == max(1, len(hunks))
    assert {(row.state, row.reason) for row in rows} == {(field, "some reason")}


def test_white_space_alone_needs_no_reading(words: Any) -> None:
    blank = replace(ADDED, whitespace_only=True)
    (row,) = plan(words.change(words.file(hunks=(blank,)))).rows
    assert (row.state, row.reason) == ("excluded", "white space only")


def test_a_file_without_lines_says_so(words: Any) -> None:
    (row,) = plan(words.change(words.file(hunks=()))).rows
    assert (row.state, row.reason, row.start_line) == ("excluded", "empty file", 1)


def test_a_hunk_that_only_deletes_is_named_by_its_lines_before(words: Any) -> None:
    file = words.file(old_path="old.py", new_path=None, hunks=(REMOVED,))
    (row,) = plan(words.change(file)).rows
    assert (row.path, row.side, row.start_line, row.end_line) == ("old.py", Side.BASE, 1, 9)


def test_every_hunk_is_there_once_and_in_order(words: Any) -> None:
    files = [words.file(f"f{n}.py", hunks=(ADDED, REMOVED, replace(ADDED, new_start=50))) for n in range(4)]
    change = words.change(*files)
    assert [row.path for row in plan(change).rows] == [file.path for file in files for _ in range(3)]
    ledger = close(plan(change), change, words.revision({}), words.revision({}))
    assert len(ledger.hunks) == 12
    assert len(ledger.read) + len(ledger.unread) + len(ledger.excluded) == 12
