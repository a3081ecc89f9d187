"""Nothing is said without a quote that stands there, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from panlect.finding import Side
from panlect.review.verify import verify

HEAD = {"pay.py": "def capture(order, key):\n    return key\n", "bad.py": "x = 1\r\n\x0cy = 2\n"}
BASE = {"pay.py": "def capture(order):\n    return order\n"}


def reason(words: Any, **more: Any) -> str:
    """Why the candidate fell, or "" when it stands."""
    candidate = words.candidate(**more)
    change = words.change(words.file())
    found = verify((candidate,), change, words.revision(BASE), words.revision(HEAD))
    assert len(found.candidates) + len(found.suppressed) == 1
    return found.suppressed[0].reason if found.suppressed else ""


def test_what_is_quoted_word_for_word_stands(words: Any) -> None:
    assert reason(words) == ""


@pytest.mark.parametrize(
    "quote",
    [
        "def capture(order):",
        "def capture(order, key",
        "",
        "   ",
        "def capture(order, key):\n    return key",
        "x",
    ],
)
def test_a_quote_that_is_not_there_drops_the_claim(words: Any, quote: str) -> None:
    assert reason(words, evidence=(words.evidence(quote=quote),)).startswith("quote not found at pay.py:1")


@pytest.mark.parametrize(("start", "end"), [(2, 2), (0, 0), (99, 99), (1, 99), (-1, -1)])
def test_a_quote_from_another_line_drops_the_claim(words: Any, start: int, end: int) -> None:
    evidence = words.evidence(start_line=start, end_line=end)
    assert reason(words, evidence=(evidence,)).startswith("quote not found")


def test_a_quote_of_several_lines_and_other_white_space_at_its_ends_stands(words: Any) -> None:
    quote = "  def capture(order, key):\nreturn key  "
    assert reason(words, evidence=(words.evidence(end_line=2, quote=quote),)) == ""


def test_evidence_of_the_base_alone_is_not_enough(words: Any) -> None:
    before = words.evidence(side=Side.BASE, quote="def capture(order):")
    assert reason(words, evidence=(before,)) == "no evidence at the head"
    assert reason(words, evidence=(before, words.evidence())) == ""
    assert reason(words, evidence=()) == "no evidence at the head"


def test_one_wrong_quote_among_right_ones_drops_the_claim(words: Any) -> None:
    wrong = words.evidence(path="nowhere.py")
    assert reason(words, evidence=(words.evidence(), wrong)).startswith("quote not found at nowhere.py")


def test_what_has_nothing_to_do_with_the_change_is_dropped(words: Any) -> None:
    elsewhere = words.evidence(path="bad.py", quote="x = 1")
    assert reason(words, path="bad.py", evidence=(elsewhere,)) == "nothing of it is in the change"
