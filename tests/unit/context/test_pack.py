"""Packing: within the budget, best first, no line twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.context.pack import Item, estimate_tokens, pack


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


def _item(path: str, first: int, last: int, score: float, tokens: int) -> Item:
    return Item(path, first, last, "because", score, tokens)


def test_overlapping_lines_are_taken_once_with_the_better_reason() -> None:
    better, worse = _item("a", 1, 10, 2.0, 10), _item("a", 5, 12, 1.0, 10)
    assert pack([worse, better], 100) == [better]


def test_touching_lines_and_other_files_do_not_overlap() -> None:
    items = [_item("a", 1, 10, 2.0, 10), _item("a", 11, 12, 1.0, 10), _item("b", 1, 10, 0.5, 10)]
    assert pack(items, 100) == items


def test_what_does_not_fit_makes_room_for_what_does() -> None:
    large, small = _item("a", 1, 500, 4.0, 500), _item("b", 1, 5, 1.0, 20)
    assert pack([large, small], 100) == [small]


@given(
    st.lists(
        st.builds(
            _item,
            st.sampled_from("ab"),
            st.integers(1, 30),
            st.integers(30, 60),
            st.floats(0.1, 5),
            st.integers(1, 200),
        )
    ),
    st.integers(0, 500),
)
def test_the_budget_is_never_exceeded(items: list[Item], budget: int) -> None:
    chosen = pack(items, budget)
    assert sum(item.tokens for item in chosen) <= budget
    assert [item.score for item in chosen] == sorted((item.score for item in chosen), reverse=True)
