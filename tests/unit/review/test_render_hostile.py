"""What a repository says cannot become markup, nor be taken for our own marker."""

from __future__ import annotations

from panlect.finding import Coverage, Verdict, VerdictKind
from panlect.review.render import inert, marked_review, marker, review_post

SHA = "a" * 40


def test_a_backslash_cannot_undo_the_escaping_of_a_link() -> None:
    assert inert(r"\[click\](//evil.example)") == r"\\\[click\\\](//evil.example)"


def test_a_quoted_marker_is_not_taken_for_ours() -> None:
    body = f"```\n{marker('theirs', 'b' * 40)}\n```\n\n{marker('ours', SHA)}"
    assert marked_review(body) == ("ours", SHA)


def test_a_review_longer_than_a_host_takes_is_cut_and_keeps_its_end() -> None:
    verdict = Verdict(VerdictKind.FAILED, "x" * 100_000, None, SHA, SHA, Coverage(()))
    body = review_post(verdict, "ours").body
    assert len(body) < 65_536
    assert "model: none" in body
    assert marked_review(body) == ("ours", SHA)
