"""Overrides, interfaces and names shared as strings are part of a change's context."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from panlect.context.gather import Context

Gather = Callable[..., Context]
STORES = {
    "app/base.py": "class Store:\n    def save(self, key):\n        raise NotImplementedError\n",
    "app/disk.py": "from app.base import Store\n\n\nclass Disk(Store):\n    def save(self, key):\n        return 7\n",
    "app/fast.py": "from app.disk import Disk\n\n\nclass Fast(Disk):\n    def save(self, key):\n        return 1\n",
    "app/plain.py": "class Plain:\n    def save(self, key):\n        return 2\n",
}


def _reasons(gather: Gather, files: Mapping[str, str], path: str, old: str, new: str) -> dict[str, list[str]]:
    assert old in files[path]
    found: dict[str, list[str]] = {}
    for item in gather(files, {**files, path: files[path].replace(old, new)}).items:
        found.setdefault(item.path, []).append(item.reason)
    return found


def test_overrides_of_a_changed_method_are_shown(gathered: Gather) -> None:
    reasons = _reasons(gathered, STORES, "app/base.py", "self, key", "self, key, value")
    assert "overrides Store.save, line 5" in reasons["app/disk.py"]
    assert "overrides Store.save, line 5" in reasons["app/fast.py"]


def test_what_a_changed_method_overrides_is_shown(gathered: Gather) -> None:
    reasons = _reasons(gathered, STORES, "app/fast.py", "return 1", "return key + 1")
    assert "interface of Fast.save, line 2" in reasons["app/base.py"]
    assert "interface of Fast.save, line 5" in reasons["app/disk.py"]


def test_a_method_of_the_same_name_in_another_class_is_no_relative(gathered: Gather) -> None:
    reasons = _reasons(gathered, STORES, "app/base.py", "self, key", "self, key, value")
    assert not any("Store" in reason for reason in reasons.get("app/plain.py", []))


def test_overrides_of_a_removed_method_are_shown(gathered: Gather) -> None:
    method = "    def save(self, key):\n        raise NotImplementedError\n"
    reasons = _reasons(gathered, STORES, "app/base.py", method, "    pass\n")
    assert "overrides Store.save, line 5" in reasons["app/disk.py"]


def test_classes_below_a_changed_class_are_shown(gathered: Gather) -> None:
    reasons = _reasons(gathered, STORES, "app/base.py", "class Store:", "class Store(object):")
    assert "extends Store, line 4" in reasons["app/disk.py"]


@pytest.mark.parametrize("side", ["added", "removed"])
def test_who_names_the_same_variable_of_the_environment_is_shown(gathered: Gather, side: str) -> None:
    with_it, without = 'import os\n\nLIMIT = os.environ["SHOP_LIMIT"]\n', "import os\n\nLIMIT = 3\n"
    files = {"a.py": without if side == "added" else with_it, "z/other.py": f"# far away\n{with_it}"}
    context = gathered(files, {**files, "a.py": with_it if side == "added" else without})
    reasons = [item.reason for item in context.items if item.path == "z/other.py"]
    assert reasons == ["names the same environment variable SHOP_LIMIT, line 4"]


def test_a_string_that_half_the_repository_holds_joins_nothing(gathered: Gather) -> None:
    text = 'import os\n\nLIMIT = os.environ["SHOP_LIMIT"]\n'
    files = {f"m{number}.py": text for number in range(40)}
    reasons = [i.reason for i in gathered(files, {**files, "m0.py": text.replace("LIMIT =", "MOST =")}).items]
    assert not any("environment" in reason for reason in reasons)
