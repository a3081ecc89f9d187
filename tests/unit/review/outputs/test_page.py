"""One page that holds everything and nothing alive: parsed as a browser would, and looked at tag by tag."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.finding import Coverage, Place, Severity, Side, Suppressed, VerdictKind
from panlect.review.outputs.page import page

VOID = {"meta", "br"}
OURS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "footer", "div", "span",
    "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "code", "pre", "i", "s", "figure", "figcaption",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class Seen(HTMLParser):
    """Tags that are balanced, and their attributes; the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def seen(text: str) -> Seen:
    found = Seen(text)
    assert found.open == []
    assert found.tags <= OURS
    assert found.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class", "aria-hidden"}
    for alive in ("<script", "javascript:", "src=", "href=", "url(", "@import"):
        assert alive not in text.lower()
    return found


HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></main>",
    '" onload="x',
    "<img x>",
    "&lt;b&gt;",
    "`<b>`",
    "\x1b[31m",
    "\u202ex",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_repository_becomes_markup(words: Any, text: str) -> None:
    finding = words.finding(
        title=text, body=text, path=text, check=text, evidence=(words.evidence(path=text, quote=text),),
        related=(Place(text, 7, 8),),
    )  # fmt: skip
    elsewhere = words.finding(path=None, start_line=None, end_line=None, title=text, fingerprint="e" * 32)
    dropped = Suppressed("cap", text, text, text, 1, text)
    verdict = words.verdict(
        kind=VerdictKind.PARTIAL, reason=text, findings=(finding, elsewhere), suppressed=(dropped,),
        coverage=Coverage((words.hunk("unread", path=text, reason=text, kind=text),)), model=text,
    )  # fmt: skip
    for lines in (None, lambda path, side: [text] * 9):
        said = seen(page(verdict, lines))
        assert "\x1b" not in said.words
        assert "\u202e" not in said.words


@given(st.text(st.sampled_from("`<>&\"'\n\x00ab"), max_size=30))
def test_no_mixture_of_signs_becomes_markup(words: Any, text: str) -> None:
    seen(page(words.verdict(findings=(words.finding(title=text, body=text),), reason=text)))


def test_the_page_says_the_verdict_its_findings_and_what_was_not_read(words: Any) -> None:
    old = words.evidence(side=Side.BASE, quote="def capture(order):")
    verdict = words.verdict(
        kind=VerdictKind.PARTIAL,
        findings=(words.finding(evidence=(words.evidence(), old)),),
        suppressed=(Suppressed("verify", "no evidence at the head", "call-mismatch", "x.py", 3, "gone"),),
        coverage=Coverage((words.hunk(), words.hunk("unread", path="large.sql", reason="larger than 8 MB"))),
    )
    said = seen(page(verdict)).words
    for part in (
        "PARTIAL", "capture() now needs key", "pay.py:1", "def capture(order):", "pay.py:1 before the change",
        "large.sql:1-2", "larger than 8 MB", "no evidence at the head", "2 of 5", words.head_sha,
    ):  # fmt: skip
        assert part in said


def test_a_frame_shows_the_lines_around_where_they_are_known(words: Any) -> None:
    lines = [f"line {n}" for n in range(1, 21)]
    found = words.verdict(findings=(words.finding(start_line=10, end_line=10),))
    text = page(found, lambda path, side: lines)
    assert "<span class=hit><i>10</i>line 10</span>" in text
    assert "<i>7</i>line 7" in text
    assert "line 6" not in text
    assert "line 7" not in page(found)


def test_a_page_of_a_huge_verdict_is_bounded_and_counts_what_it_leaves_out(words: Any) -> None:
    hunks = tuple(words.hunk("unread", path=f"f{n}.py", reason="x" * 9_000) for n in range(2_000))
    said = page(words.verdict(kind=VerdictKind.PARTIAL, coverage=Coverage(hunks)))
    assert len(said) < 1_000_000
    assert "and 1500 more hunks" in said
    assert "and 1500 more files" in said


def test_a_severity_is_a_word_and_not_a_colour_alone(words: Any) -> None:
    for severity in Severity:
        assert severity.value in seen(page(words.verdict(findings=(words.finding(severity=severity),)))).words
