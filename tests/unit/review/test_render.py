"""Whatever a repository writes, a host acts on none of it: rendered as CommonMark and looked at."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from panlect.finding import Coverage, Place, Severity, Side, Suppressed, VerdictKind
from panlect.review.render import (
    check,
    code,
    fence,
    inert,
    marked_review,
    marker,
    page,
    review_post,
    worth_a_review,
)
from panlect.review.verdict import Policy

HEAD = "a" * 40
FOREIGN = f"<!-- panlect review=evil head={'a' * 40} fingerprint=v1 -->"
HOSTILE = [
    "@everyone", "@octocat", "hello @acme/team", "a@evil.example", "#1", "acme/shop#1", "GH-1 #2",
    "<!-- hidden -->", "<!--", "-->", FOREIGN, f"`{FOREIGN}`", f"```\n{FOREIGN}\n```",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<a href=//evil.example>x</a>", "<details open>",
    "![i](https://evil.example/i.png)", "![i](//evil.example/i.png)", r"\![i\](//evil.example/i.png)",
    "[x](https://evil.example)", "[x](//evil.example)", r"\[x\](//evil.example)", r"\\[x\\](//evil.example)",
    "[x]: //evil.example\n[x]", "<https://evil.example>", "https://evil.example", "www.evil.example",
    "`", "``", "```", "``@everyone` x`", "`a``@everyone`", "`` `@everyone` ``", "\\`@everyone`", "`a\n@everyone`",
    "~~~", "~~~\nx", "```suggestion\nrm -rf\n```", "a\n---", "# title", "> quote", "- [ ] task", "| a | b |\n| - | - |",
    "&commat;everyone", "&#64;everyone", "\u202e@everyone", "x\x00y", "\r\n\r\n# x", "a  \nb",
]  # fmt: skip
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(body: str) -> str:
    """What a host reads as words: rendered, without code and our own markup."""
    html = MARKDOWN.render(body)
    html = re.sub(r"<(code)[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    return html


OURS = re.compile(
    r"<details><summary>(?:What was checked|Files \(\d+\), effort to read \d of 5 \([a-z ]+: about \d+ lines? in \d+ files?\))"
    r"</summary>|</details>|"
    r"</?sub>|<!-- panlect review=our-id head=\w+ fingerprint=v1 -->|"
    r"<a href=\"https://panlect.example/[^\"]*\">|</a>"
)


def assert_inert(body: str, *, tables: int = 0) -> None:
    ours = OURS.sub("", text_of(body))
    assert ours.count("<table") <= tables, body
    ours = ours.replace("<table>", "")
    for element in ("<img", "<a ", "<script", "<details", "<!--", "<del", "<table", "<input"):
        assert element not in ours, (element, body)
    assert not re.search(r"@\w", ours), body
    assert not re.search(r"#\d", re.sub(r"&#\d+;", "", ours)), body
    assert not re.search(r"https?://|www\.", ours), body


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_inert(text: str) -> None:
    assert_inert(inert(text))
    assert_inert(f"before {inert(text)} after")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_and_a_fence_cannot_be_left(text: str) -> None:
    assert_inert(code(text))
    assert_inert(fence(text))


@given(st.text(st.sampled_from("`@a#1[]()!\\/:<>-~*_&; \nw.h"), max_size=40))
def test_no_mixture_of_signs_comes_alive(text: str) -> None:
    assert_inert(inert(text))
    assert_inert(f"x\n\n{fence(text)}\n\n{inert(text)} {code(text)}")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_whole_review_stays_inert_and_carries_our_marker_alone(words: Any, text: str) -> None:
    finding = words.finding(
        title=text,
        body=text,
        path=None,
        start_line=None,
        end_line=None,
        evidence=(words.evidence(path=text, quote=text),),
        related=(Place(text, 1, 2),),
    )
    unread = words.hunk("unread", path=text, reason=text)
    verdict = words.verdict(
        kind=VerdictKind.PARTIAL, reason=text, findings=(finding,), coverage=Coverage((unread,)), model=text
    )
    post = review_post(verdict, "our-id", "https://panlect.example/reviews/1")
    assert_inert(post.body, tables=1)
    assert marked_review(post.body) == ("our-id", words.head_sha)
    assert_inert(check(verdict, Policy(), "https://panlect.example/reviews/1").summary, tables=1)
    assert_inert(page(verdict), tables=1)
    inline = words.verdict(findings=(words.finding(title=text, body=text),))
    (comment,) = review_post(inline, "our-id").comments
    assert_inert(comment.body)


@pytest.mark.parametrize("sign", ["x", "`", "@a ", "&", "\n", "`@a` ", "\u202e"])
def test_a_body_of_100_000_characters_is_cut_and_nothing_comes_alive(words: Any, sign: str) -> None:
    long = sign * (100_000 // len(sign))
    inline = words.finding(
        title=long, body=long, related=tuple(Place(long[:500], n, n) for n in range(1, 99))
    )
    elsewhere = words.finding(
        title=long,
        body=long,
        path=None,
        start_line=None,
        end_line=None,
        evidence=tuple(words.evidence(path=long[:500], quote=long, start_line=n) for n in range(2, 60)),
    )
    verdict = words.verdict(findings=(inline, *[elsewhere] * 30))
    post = review_post(verdict, "our-id", "https://panlect.example/reviews/1")
    assert len(post.body) <= 65_536
    assert all(len(comment.body) <= 65_536 for comment in post.comments)
    assert marked_review(post.body) == ("our-id", words.head_sha)
    for body in (post.body, *(comment.body for comment in post.comments)):
        assert_inert(body, tables=1)
    said = check(words.verdict(kind=VerdictKind.FAILED, reason=long), Policy())
    assert len(said.summary) <= 65_535
    assert len(said.title) <= 255


def test_what_did_not_fit_is_counted(words: Any) -> None:
    finding = words.finding(body="x" * 3000, path=None, start_line=None, end_line=None)
    post = review_post(words.verdict(findings=(finding,) * 100), "our-id", "https://panlect.example/r")
    (left,) = re.findall(r"(\d+) more did not fit", post.body)
    assert post.body.count("P1 ·") + int(left) == 100
    assert "hunks read" in post.body


def test_a_comment_stands_on_the_side_and_lines_of_its_finding(words: Any) -> None:
    removed = words.finding(side=Side.BASE, start_line=3, end_line=5)
    (comment,) = review_post(words.verdict(findings=(removed,)), "our-id").comments
    assert (comment.path, comment.start_line, comment.end_line, comment.side) == ("pay.py", 3, 5, "LEFT")


def test_code_in_single_back_ticks_is_kept_as_code() -> None:
    assert "<code>capture()</code>" in MARKDOWN.render(inert("`capture()` now needs `key`"))


def test_our_marker_is_the_last_one() -> None:
    ours = marker("our-id", HEAD)
    assert marked_review(f"{FOREIGN}\n\n{ours}\n") == ("our-id", HEAD)
    assert marked_review("no marker") is None


def test_the_check_says_partial_and_lists_what_was_not_read(words: Any) -> None:
    unread = tuple(words.hunk("unread", path=f"file{n}.py") for n in range(25))
    said = check(words.verdict(kind=VerdictKind.PARTIAL, coverage=Coverage(unread)), Policy())
    assert "`file0.py:1-2`: does not parse" in said.summary
    assert "and 5 more" in said.summary


def test_a_bar_in_a_path_stays_in_its_cell(words: Any) -> None:
    verdict = words.verdict(coverage=Coverage((words.hunk(path="a|b.py"), words.hunk(path="`|`.py"))))
    html = MARKDOWN.render(page(verdict))
    assert html.count("<td") == 2 * 4
    assert "<code>a|b.py</code>" in html


@pytest.mark.parametrize("sign", ["&", "|", "`", "@"])
def test_a_change_of_many_hunks_with_long_names_fits_and_says_what_it_leaves_out(
    words: Any, sign: str
) -> None:
    hunks = tuple(words.hunk("unread", path=f"{sign * 4_000}{n}", reason=sign * 4_000) for n in range(90))
    dropped = tuple(Suppressed("cap", "", "secret", sign * 900, n, sign * 900) for n in range(30))
    verdict = words.verdict(
        kind=VerdictKind.PARTIAL,
        coverage=Coverage(hunks),
        suppressed=dropped,
        findings=(words.finding(),) * 9,
    )
    said = page(verdict)
    assert len(said) <= 65_536
    assert "and 70 more" in said
    assert said.count("P1 ·") == 9
    assert_inert(said, tables=1)


@pytest.mark.parametrize(
    ("severities", "review", "comments"),
    [([], False, 0), (["P3", "P3"], False, 0), (["P3", "P2"], True, 1), (["P0"], True, 1)],
)
def test_notes_stand_in_the_summary_and_call_nobody(
    words: Any, severities: list[str], review: bool, comments: int
) -> None:
    findings = tuple(words.finding(severity=Severity(name), title=f"claim {name}") for name in severities)
    verdict = words.verdict(findings=findings)
    assert worth_a_review(verdict) is review
    assert len(review_post(verdict, "our-id").comments) == comments
    said = check(verdict, Policy()).summary
    assert said.count("claim P3") == severities.count("P3")
    assert ("pay.py:1" in said) is ("P3" in severities)
