"""The context of a change: what it stands in, who calls it, what it uses, which tests speak of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from panlect.context.gather import Context
from panlect.git.history import CoChange, Past
from panlect.llm.tokens import estimate_tokens

BASE = {
    "shop/pay.py": "from shop.card import charge\n\n\ndef capture(order):\n    return order.total\n",
    "shop/card.py": "@audited\ndef charge(\n    card,\n    amount,\n):\n    return card.take(amount)\n",
    "shop/view.py": "from shop.pay import capture\n\n\ndef show(order):\n    return capture(order)\n",
    "shop/other.py": "def unrelated():\n    return 1\n",
    "tests/test_pay.py": "from shop.pay import capture\n\n\ndef test_capture():\n    assert capture(1)\n",
    "far/away.py": "def nothing():\n    return 2\n",
}
NEW_PAY = (
    "from shop.card import charge\n\n\ndef capture(order, key):\n    return charge(order.card, order.total)\n"
)


Gather = Callable[..., Context]


@pytest.fixture
def context(gathered: Gather) -> Context:
    return gathered(BASE, {**BASE, "shop/pay.py": NEW_PAY})


def test_each_item_says_why_it_is_there(context: Context) -> None:
    reasons = {(item.path, item.start_line, item.end_line): item.reason for item in context.items}
    assert reasons["shop/pay.py", 4, 5] == "capture, changed at line 4"
    assert reasons["shop/view.py", 4, 5] == "caller of capture, line 5"
    assert reasons["tests/test_pay.py", 4, 5] == "caller of capture, line 5"


def test_what_the_change_uses_is_shown_by_its_signature(context: Context) -> None:
    (item,) = [item for item in context.items if item.path == "shop/card.py"]
    assert (item.start_line, item.end_line) == (1, 5)
    assert item.reason == "defines charge, used in shop/pay.py line 5"


def test_what_the_change_uses_is_what_it_imports_and_nothing_of_the_same_name(gathered: Gather) -> None:
    base = {**BASE, "shop/aaa.py": "def charge(n):\n    return n\n"}
    outside = NEW_PAY.replace("shop.card", "stripe")
    shown = [
        item.reason
        for item in gathered(base, {**base, "shop/pay.py": NEW_PAY}).items
        if item.path == "shop/aaa.py"
    ]
    assert not any(reason.startswith("defines charge") for reason in shown)
    items = gathered(base, {**base, "shop/pay.py": outside}).items
    assert not any(item.reason.startswith("defines charge") for item in items)


def test_the_change_itself_comes_first(context: Context) -> None:
    assert context.items[0].path == "shop/pay.py"
    assert [item.score for item in context.items] == sorted((i.score for i in context.items), reverse=True)


def test_files_are_those_outside_the_change_the_likeliest_first(context: Context) -> None:
    paths = [file.path for file in context.files]
    assert set(paths[:2]) == {"tests/test_pay.py", "shop/view.py"}
    assert "shop/pay.py" not in paths
    assert paths.index("shop/view.py") < paths.index("shop/other.py")
    assert paths[-1] == "far/away.py"


def test_callers_of_what_is_gone_are_found(gathered: Gather) -> None:
    after = {**BASE, "shop/pay.py": "def settle(order):\n    return order.total\n"}
    reasons = [item.reason for item in gathered(BASE, after).items]
    assert "caller of capture, line 5" in reasons


def test_callers_of_a_deleted_file_are_found(gathered: Gather) -> None:
    after = {path: text for path, text in BASE.items() if path != "shop/pay.py"}
    context = gathered(BASE, after)
    assert {"shop/view.py", "tests/test_pay.py"} <= {item.path for item in context.items}
    assert "shop/pay.py" not in {file.path for file in context.files}


def test_a_change_of_a_test_leads_to_what_it_tests(gathered: Gather) -> None:
    after = {**BASE, "tests/test_pay.py": BASE["tests/test_pay.py"] + "\n\ndef test_more():\n    pass\n"}
    assert gathered(BASE, after).files[0].path == "shop/pay.py"


@pytest.mark.parametrize("budget", [0, 30, 60, 100, 1000])
def test_the_budget_holds_and_tokens_are_those_of_the_lines(gathered: Gather, budget: int) -> None:
    after = {**BASE, "shop/pay.py": NEW_PAY}
    context = gathered(BASE, after, budget)
    assert sum(item.tokens for item in context.items) <= budget
    for item in context.items:
        lines = after[item.path].split("\n")[item.start_line - 1 : item.end_line]
        assert item.tokens == estimate_tokens("\n".join(lines))


def test_the_same_change_gives_the_same_context(gathered: Gather) -> None:
    after = {**BASE, "shop/pay.py": NEW_PAY}
    assert gathered(BASE, after) == gathered(BASE, after)


def test_a_change_of_nothing_readable_has_no_context(gathered: Gather) -> None:
    assert gathered(BASE, BASE) == Context((), ())
    assert gathered({}, {"a.py": "\0"}).items == ()


def test_the_json_has_items_and_files(context: Context) -> None:
    found = json.loads(json.dumps(context.as_json(k=2)))
    assert found["schema_version"] == 1
    assert found["mode"] == "lexical+graph"
    assert len(found["items"]) == len(found["files"]) == 2
    assert set(found["items"][0]) == {"path", "start_line", "end_line", "reason", "score", "tokens"}
    assert set(found["files"][0]) == {"path", "score"}


def test_what_changed_together_before_is_found_and_says_how_often(gathered: Gather) -> None:
    past = CoChange(tuple(Past(age, ("shop/pay.py", "far/away.py")) for age in range(3)))
    context = gathered(BASE, {**BASE, "shop/pay.py": NEW_PAY}, history=past)
    (item,) = [item for item in context.items if item.path == "far/away.py"]
    assert item.reason == "changed together in 3 of 3 commits"
    without = [file.path for file in gathered(BASE, {**BASE, "shop/pay.py": NEW_PAY}).files]
    paths = [file.path for file in context.files]
    assert paths.index("far/away.py") < paths.index("shop/other.py")
    assert without.index("far/away.py") > without.index("shop/other.py")


def test_files_that_history_knows_and_the_head_does_not_are_left_out(gathered: Gather) -> None:
    past = CoChange(tuple(Past(age, ("shop/pay.py", "gone.py")) for age in range(3)))
    context = gathered(BASE, {**BASE, "shop/pay.py": NEW_PAY}, history=past)
    assert "gone.py" not in {file.path for file in context.files} | {item.path for item in context.items}


def test_one_commit_together_is_no_reason_to_show_lines(gathered: Gather) -> None:
    past = CoChange((Past(0, ("shop/pay.py", "far/away.py")),))
    context = gathered(BASE, {**BASE, "shop/pay.py": NEW_PAY}, history=past)
    assert not any("together" in item.reason for item in context.items)


def test_documents_come_after_code(gathered: Gather) -> None:
    """The document has more of the words of the change than the code has."""
    files = {
        "a.py": "x = 1\n",
        "b.py": "def refund(order):\n    return order.number, order.day\n",
        "docs/c.md": "Order card.\n",
    }
    context = gathered(files, {**files, "a.py": "settle = order(card)\n"})
    assert [file.path for file in context.files] == ["b.py", "docs/c.md"]
