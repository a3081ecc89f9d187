"""The context of a change: what it stands in, who calls it, what it uses, which tests speak of it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping

import pytest

from panlect.change import Change, ChangedFile, ChangedHunk
from panlect.context.gather import Context, gather_context
from panlect.context.pack import estimate_tokens
from panlect.index.memory import MemoryRepository

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


def _change(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    """The change between two dictionaries, one hunk for each run of differing lines."""
    files = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        old_lines, new_lines = (old or "").splitlines(), (new or "").splitlines()
        codes = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes()
        hunks = tuple(
            ChangedHunk(
                i1 + 1, i2 - i1, j1 + 1, j2 - j1,
                removed=((i1 + 1, i2),) if i2 > i1 else (),
                added=((j1 + 1, j2),) if j2 > j1 else (),
            )
            for tag, i1, i2, j1, j2 in codes
            if tag != "equal"
        )  # fmt: skip
        status = "added" if old is None else "deleted" if new is None else "modified"
        files.append(
            ChangedFile(
                status,
                old_path=path if old is not None else None,
                new_path=path if new is not None else None,
                old_blob=None,
                new_blob=None,
                old_mode="100644",
                new_mode="100644",
                kind="code",
                hunks=hunks,
            )
        )
    return Change("b" * 40, "h" * 40, tuple(files))


def _gather(before: Mapping[str, str], after: Mapping[str, str], budget: int = 4000) -> Context:
    repository = MemoryRepository()
    base = repository.snapshot(before)
    return gather_context(_change(before, after), base, repository.snapshot(after, base=base), budget)


@pytest.fixture
def context() -> Context:
    return _gather(BASE, {**BASE, "shop/pay.py": NEW_PAY})


def test_each_item_says_why_it_is_there(context: Context) -> None:
    reasons = {(item.path, item.start_line, item.end_line): item.reason for item in context.items}
    assert reasons["shop/pay.py", 4, 5] == "capture, changed at line 4"
    assert reasons["shop/view.py", 4, 5] == "caller of capture, line 5"
    assert reasons["tests/test_pay.py", 4, 5] == "caller of capture, line 5"


def test_what_the_change_uses_is_shown_by_its_signature(context: Context) -> None:
    (item,) = [item for item in context.items if item.path == "shop/card.py"]
    assert (item.start_line, item.end_line) == (1, 5)
    assert item.reason == "defines charge, used in shop/pay.py line 5"


def test_the_change_itself_comes_first(context: Context) -> None:
    assert context.items[0].path == "shop/pay.py"
    assert [item.score for item in context.items] == sorted((i.score for i in context.items), reverse=True)


def test_files_are_those_outside_the_change_the_likeliest_first(context: Context) -> None:
    paths = [file.path for file in context.files]
    assert paths[0] == "tests/test_pay.py"
    assert "shop/pay.py" not in paths
    assert paths.index("shop/view.py") < paths.index("shop/other.py")
    assert paths[-1] == "far/away.py"


def test_callers_of_what_is_gone_are_found() -> None:
    after = {**BASE, "shop/pay.py": "def settle(order):\n    return order.total\n"}
    reasons = [item.reason for item in _gather(BASE, after).items]
    assert "caller of capture, line 5" in reasons


def test_callers_of_a_deleted_file_are_found() -> None:
    after = {path: text for path, text in BASE.items() if path != "shop/pay.py"}
    context = _gather(BASE, after)
    assert {"shop/view.py", "tests/test_pay.py"} <= {item.path for item in context.items}
    assert "shop/pay.py" not in {file.path for file in context.files}


def test_a_change_of_a_test_leads_to_what_it_tests() -> None:
    after = {**BASE, "tests/test_pay.py": BASE["tests/test_pay.py"] + "\n\ndef test_more():\n    pass\n"}
    assert _gather(BASE, after).files[0].path == "shop/pay.py"


@pytest.mark.parametrize("budget", [0, 30, 60, 100, 1000])
def test_the_budget_holds_and_tokens_are_those_of_the_lines(budget: int) -> None:
    after = {**BASE, "shop/pay.py": NEW_PAY}
    context = _gather(BASE, after, budget)
    assert sum(item.tokens for item in context.items) <= budget
    for item in context.items:
        lines = after[item.path].split("\n")[item.start_line - 1 : item.end_line]
        assert item.tokens == estimate_tokens("\n".join(lines))


def test_the_same_change_gives_the_same_context() -> None:
    after = {**BASE, "shop/pay.py": NEW_PAY}
    assert _gather(BASE, after) == _gather(BASE, after)


def test_a_change_of_nothing_readable_has_no_context() -> None:
    assert _gather(BASE, BASE) == Context((), ())
    assert _gather({}, {"a.py": "\0"}).items == ()


def test_the_json_has_items_and_files(context: Context) -> None:
    found = json.loads(json.dumps(context.as_json(k=2)))
    assert found["schema_version"] == 1
    assert found["mode"] == "lexical+graph"
    assert len(found["items"]) == len(found["files"]) == 2
    assert set(found["items"][0]) == {"path", "start_line", "end_line", "reason", "score", "tokens"}
    assert set(found["files"][0]) == {"path", "score"}
