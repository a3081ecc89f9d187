"""What models said of the repository is a small part of a context, and changes nothing where they said nothing."""

from __future__ import annotations

from panlect.context.gather import Context, gather_context
from panlect.context.told import SummaryItem, directories_of, within
from panlect.index.memory import MemoryRepository
from tests.unit.context.conftest import _change

BEFORE = {
    "shop/pay.py": "def pay(order):\n    return order\n",
    "shop/till.py": "from shop.pay import pay\npay(1)\n",
}
AFTER = {**BEFORE, "shop/pay.py": "def pay(order, key):\n    return order\n"}


def _told(path: str, tokens: int) -> SummaryItem:
    return SummaryItem(path, "It sells.", "summary", "m", tokens)


def _gathered(*told: SummaryItem, budget: int = 1000) -> Context:
    repository = MemoryRepository()
    base = repository.snapshot(BEFORE)
    head = repository.snapshot(AFTER, base=base)
    return gather_context(_change(BEFORE, AFTER), base, head, budget, summaries=told)


def test_summaries_are_items_of_their_own_within_the_budget() -> None:
    context = _gathered(_told("", 60), _told("shop", 30))
    assert [one.path for one in context.summaries] == ["", "shop"]
    assert sum(one.tokens for one in (*context.items, *context.summaries)) <= 1000
    assert [one["path"] for one in context.as_json()["summaries"]] == ["", "shop"]


def test_without_any_the_context_is_as_it_was() -> None:
    assert _gathered().summaries == ()
    assert "summaries" not in _gathered().as_json()


def test_they_take_a_tenth_of_the_budget_at_most() -> None:
    assert [one.path for one in within([_told("", 60), _told("a", 50), _told("b", 40)], 1000)] == ["", "b"]


def test_the_directory_with_most_changed_files_comes_first() -> None:
    assert directories_of(["a/x.py", "b/y.py", "b/z.py", "top.py"]) == ["b", "a"]
