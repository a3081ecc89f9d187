"""The words before a name."""

from __future__ import annotations

from tests.unit.search.small_repositories import (
    places,
    resolved,
)


def test_a_dot_behind_a_call_makes_a_name_no_bare_one() -> None:
    files = {"a.py": "def get(): pass\nclass C:\n    def get(self): pass\nmake().get()\nget()\n"}
    assert places(resolved(files, "a.py", "get", 4)) == [("a.py", "C.get", 0.5)]
    assert places(resolved(files, "a.py", "get", 5)) == [("a.py", "get", 1.0)]
