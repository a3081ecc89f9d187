"""What the rules make of a query, a name, a path."""

from __future__ import annotations

import pytest

from panlect.code.analysis import Definition
from panlect.code.terms import terms_of
from panlect.search.rerank import Asked, best_named, defined_name, first_hit_score, is_aside, names_stem


def _definition(qualified: str, kind: str = "function", signature: str = "") -> Definition:
    return Definition(qualified.rpartition(".")[2], qualified, kind, 1, 2, signature)


def test_common_words_weigh_less_than_others() -> None:
    weights = Asked.of("the order of a cart").weights
    the, order, of, cart = (weights[terms_of(word)[0]] for word in ("the", "order", "of", "cart"))
    assert the == of < order == cart == 1.0


def test_a_query_of_common_words_means_them() -> None:
    assert set(Asked.of("when is it").weights.values()) == {1.0}


def test_the_definition_with_most_of_the_query_in_its_name_is_the_best() -> None:
    shares = {terms_of(word)[0]: 0.25 for word in ("capture", "order", "card", "shop")}
    names = [_definition("capture"), _definition("capture_order"), _definition("card", "field")]
    held, found = best_named(shares, names)
    assert (held, found) == (0.5, names[1])


def test_owner_and_signature_count_less_than_the_name() -> None:
    shares = {terms_of("order")[0]: 1.0}
    name, owner, signature = (
        best_named(shares, [one])[0]
        for one in (
            _definition("order"),
            _definition("Order.pay"),
            _definition("pay", signature="pay(order)"),
        )
    )
    assert name > owner > signature > 0


def test_nothing_named_so_is_nothing() -> None:
    assert best_named({1: 1.0}, [_definition("capture")]) == (0.0, None)
    assert defined_name(Asked.of("charge"), [_definition("capture")]) is None


@pytest.mark.parametrize(("query", "aside"), [("capture order", True), ("test of capture", False)])
def test_tests_stand_aside_unless_they_are_asked_for(query: str, aside: bool) -> None:
    assert is_aside(Asked.of(query), "tests/test_pay.py") is aside


def test_a_file_is_named_by_all_its_words() -> None:
    assert names_stem(Asked.of("how the retry queue drains"), "a/retry_queue.py")
    assert not names_stem(Asked.of("how the queue drains"), "a/retry_queue.py")


def test_the_best_hit_of_a_file_counts_its_next_two() -> None:
    assert first_hit_score([1.0]) < first_hit_score([1.0, 0.8, 0.5]) == first_hit_score([1.0, 0.8, 0.5, 0.4])
