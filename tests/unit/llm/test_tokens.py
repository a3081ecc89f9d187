"""The count of tokens: near enough to reserve with, and never nothing for something."""

from __future__ import annotations

import pytest

from panlect.llm.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("two words", 2),
        ("internationalisation", 4),
        ("a\n\n\nb", 3),
        ("f(x, y)", 5),
        ("   ", 1),
    ],
)
def test_tokens_are_estimated_by_pieces(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
