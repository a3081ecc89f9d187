"""Packing: within the budget, best first, no line twice, and never far from the best that could be shown."""

from __future__ import annotations

from itertools import combinations
from math import exp
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from panlect.context.pack import Candidate, Item, fill, pack, without_overlaps, worth


def _item(path: str, first: int, last: int, score: float, tokens: int) -> Item:
    return Item(path, first, last, "because", score, tokens)


def _packed(items: list[Item], budget: int) -> list[Item]:
    return pack([Candidate(item) for item in items], budget)


def test_overlapping_lines_are_taken_once_with_the_better_reason() -> None:
    better, worse = _item("a", 1, 10, 2.0, 10), _item("a", 5, 12, 1.0, 10)
    assert _packed([worse, better], 100) == [better]


def test_touching_lines_and_other_files_do_not_overlap() -> None:
    items = [_item("a", 1, 10, 2.0, 10), _item("a", 11, 12, 1.0, 10), _item("b", 1, 10, 0.5, 10)]
    assert _packed(items, 100) == items


def test_what_does_not_fit_makes_room_for_what_does() -> None:
    large, small = _item("a", 1, 500, 4.0, 500), _item("b", 1, 5, 1.0, 20)
    assert _packed([large, small], 100) == [small]


def test_another_file_is_worth_more_than_more_of_the_same() -> None:
    same = [_item("a", 10 * n, 10 * n + 1, 1.0, 50) for n in range(1, 4)]
    other = _item("b", 1, 2, 0.9, 50)
    assert other in _packed([*same, other], 100)


def test_another_kind_of_reason_is_worth_more_than_more_of_the_same() -> None:
    callers = [Candidate(_item(path, 1, 2, 1.0, 50), "caller") for path in "abc"]
    test = Candidate(_item("d", 1, 2, 0.9, 50), "test")
    assert test.item in pack([*callers, test], 100)


def test_words_of_the_change_that_nothing_else_holds_are_worth_more() -> None:
    weights = {1: 0.5, 2: 0.5}
    first, again = (Candidate(_item(path, 1, 2, 1.0, 50), "", frozenset({1})) for path in "ab")
    fresh = Candidate(_item("c", 1, 2, 0.9, 50), "", frozenset({2}))
    assert fresh.item in pack([first, again, fresh], 100, weights)


def test_one_large_piece_is_taken_when_it_is_worth_more_than_the_small_ones() -> None:
    small, large = _item("a", 1, 1, 0.01, 1), _item("b", 1, 90, 5.0, 100)
    assert _packed([small, large], 100) == [large]


_candidates = st.lists(
    st.builds(
        lambda path, first, length, score, tokens, kind, words: Candidate(
            _item(path, first, first + length, score, tokens), kind, words
        ),
        st.sampled_from("abc"),
        st.integers(1, 60),
        st.integers(0, 20),
        st.floats(0, 5),
        st.integers(0, 200),
        st.sampled_from(["caller", "test", "similar"]),
        st.frozensets(st.integers(1, 6)),
    ),
    max_size=25,
)
_WEIGHTS = {1: 0.3, 2: 0.2, 3: 0.2, 4: 0.2, 5: 0.1}  # 6 is worth nothing


@given(_candidates, st.integers(0, 500))
def test_the_budget_is_never_exceeded(candidates: list[Candidate], budget: int) -> None:
    chosen = pack(candidates, budget, _WEIGHTS)
    assert sum(item.tokens for item in chosen) <= budget
    assert [item.score for item in chosen] == sorted((item.score for item in chosen), reverse=True)


@given(_candidates, _candidates, st.integers(0, 24))
def test_what_one_more_adds_only_falls(few: list[Candidate], more: list[Candidate], at: int) -> None:
    one = (few + more)[at % len(few + more)] if few + more else Candidate(_item("a", 1, 1, 1.0, 1))
    before = worth([*few, one], _WEIGHTS) - worth(few, _WEIGHTS)
    after = worth([*few, *more, one], _WEIGHTS) - worth([*few, *more], _WEIGHTS)
    assert before >= after - 1e-9
    assert after >= -1e-9


@given(_candidates, st.integers(0, 400), st.integers(0, 400))
def test_a_larger_budget_never_buys_less(candidates: list[Candidate], budget: int, extra: int) -> None:
    apart = without_overlaps(candidates)
    less = worth(fill(apart, budget, _WEIGHTS), _WEIGHTS)
    assert worth(fill(apart, budget + extra, _WEIGHTS), _WEIGHTS) >= less - 1e-9


@given(_candidates, st.integers(1, 300))
def test_it_is_never_far_from_the_best_set(candidates: list[Candidate], budget: int) -> None:
    apart = without_overlaps(candidates)[:8]
    best = max(
        worth(some, _WEIGHTS)
        for size in range(len(apart) + 1)
        for some in combinations(apart, size)
        if sum(one.item.tokens for one in some) <= budget
    )
    assert worth(fill(apart, budget, _WEIGHTS), _WEIGHTS) >= (1 - exp(-1)) / 2 * best - 1e-9


@given(_candidates, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(candidates: list[Candidate], random: Random) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert pack(shuffled, 300, _WEIGHTS) == pack(candidates, 300, _WEIGHTS)
