"""Bare names where they stand."""

from __future__ import annotations

from panlect.search.resolution.answers import Resolution
from tests.unit.search.small_repositories import (
    PYTHON,
    places,
    resolved,
)


def test_a_variable_of_the_function_is_no_definition() -> None:
    found = resolved(PYTHON, "shop/cart.py", "get", 25)
    assert found == Resolution()  # `get = 3` stands above it
    assert resolved(PYTHON, "shop/cart.py", "pay") == Resolution()  # a parameter


def test_an_import_inside_a_function_is_seen_there_alone() -> None:
    files = {
        "a.py": "def tax(): pass\n",
        "b.py": "def one():\n    from a import tax\n    tax()\ndef two():\n    tax()\n",
    }
    assert places(resolved(files, "b.py", "tax", 3)) == [("a.py", "tax", 0.95)]
    assert resolved(files, "b.py", "tax", 5) == Resolution()
