"""Who uses a definition."""

from __future__ import annotations

from panlect.index.memory import MemoryRepository
from panlect.search.resolve import Resolver
from tests.unit.search.small_repositories import (
    GO,
    PYTHON,
    TYPESCRIPT,
)


def uses(files: dict[str, str], path: str, qualified: str) -> list[tuple[str, int, str, str, float]]:
    snapshot = MemoryRepository().snapshot(files)
    (definition,) = [d for d in snapshot.definitions(path) if d.qualified_name == qualified]
    return [tuple(site) for site in Resolver(snapshot).uses_of_definition(path, definition).sites]


def test_uses_are_found_under_every_name_that_imports_give() -> None:
    assert uses(PYTHON, "shop/money.py", "tax") == [
        ("app.py", 3, "", "call", 0.9),
        ("shop/cart.py", 12, "Cart.total", "call", 0.95),
        ("shop/cart.py", 13, "Cart.total", "call", 0.9),
        ("shop/cart.py", 14, "Cart.total", "call", 0.9),
    ]
    inner = "packages/core/src/sub/inner.tsx"
    assert [site[:2] for site in uses(TYPESCRIPT, inner, "Panel")] == [
        ("app/main.ts", line) for line in (9, 11, 12)
    ]


def test_uses_of_a_like_named_definition_are_left_out() -> None:
    assert [site[:2] for site in uses(GO, "pkg/cart/v2/sum.go", "Cart.Sum")] == [("pkg/cart/v2/cart.go", 5)]
    assert uses(GO, "pkg/other/other.go", "Cart.Sum") == []


def test_uses_beyond_two_thousand_references_are_cut_and_said_so() -> None:
    files = {"a.py": "def run(): pass\n" + "run()\n" * 2500, "b.py": "from a import run\n" + "run()\n" * 10}
    snapshot = MemoryRepository().snapshot(files)
    found = Resolver(snapshot).uses_of_definition("a.py", snapshot.definitions("a.py")[0])
    assert (found.examined, found.cut, len(found.sites)) == (2000, True, 2000)
    del files["b.py"]
    files["a.py"] = "def run(): pass\nrun()\n"
    snapshot = MemoryRepository().snapshot(files)
    assert not Resolver(snapshot).uses_of_definition("a.py", snapshot.definitions("a.py")[0]).cut
