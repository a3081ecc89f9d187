"""Names that nothing explains."""

from __future__ import annotations

from panlect.search.resolution.answers import Resolution
from tests.unit.search.small_repositories import (
    PYTHON,
    places,
    resolved,
)


def test_an_unknown_receiver_gives_candidates_that_share_half_a_certainty() -> None:
    found = resolved(PYTHON, "tests/test_tool.py", "x.add")
    assert places(found) == [("shop/base.py", "Base.add", 0.25), ("shop/cart.py", "Cart.add", 0.25)]


def test_the_nearest_candidate_of_a_name_comes_first() -> None:
    files = {
        "a/one.py": "class A:\n    def run(self): pass\n",
        "b/two.py": "class B:\n    def run(self): pass\n",
        "b/use.py": "x.run()\n",
    }
    assert [path for path, *_ in places(resolved(files, "b/use.py", "x.run"))] == ["b/two.py", "a/one.py"]


def test_a_name_of_too_many_gives_nothing() -> None:
    files = {f"f{n}.py": f"class C{n}:\n    def run(self): pass\n" for n in range(25)}
    assert resolved({**files, "use.py": "x.run()\n"}, "use.py", "x.run") == Resolution()
