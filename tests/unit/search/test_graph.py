"""Edges by name: callers with what they stand in, weighed by how rare the name is."""

from __future__ import annotations

from panlect.index.memory import MemoryRepository
from panlect.search.graph import (
    bases_of,
    definitions_of,
    derived_from,
    innermost,
    member,
    name_weight,
    uses_of,
)

FILES = {
    "a/pay.py": "def capture(order):\n    return order\n",
    "a/view.py": "class View:\n    def show(self):\n        return capture(1)\n\ncapture(2)\n",
    "b/pay.py": "def run(): pass\ndef rare(): pass\n",
    "c/pay.py": "def run(): pass\n\ndef outer():\n    def run(): pass\n",
}


def test_a_use_knows_its_line_and_the_definition_around_it() -> None:
    snapshot = MemoryRepository().snapshot(FILES)
    edges = [
        (e.path, e.line, e.kind, e.definition and e.definition.qualified_name)
        for e in uses_of(snapshot, "capture")
    ]
    assert edges == [("a/view.py", 3, "call", "View.show"), ("a/view.py", 5, "call", None)]


def test_a_name_with_many_definitions_weighs_less() -> None:
    snapshot = MemoryRepository().snapshot(FILES)
    assert name_weight(snapshot, "rare") > name_weight(snapshot, "run") > 0


def test_a_name_that_everything_uses_is_no_edge() -> None:
    files = {f"f{n}.py": "common()\n" for n in range(250)}
    snapshot = MemoryRepository().snapshot({**files, "d.py": "def common(): pass\n"})
    assert name_weight(snapshot, "common") == 0
    assert uses_of(snapshot, "common") == []


def test_the_nearest_definition_comes_first_and_local_ones_never() -> None:
    snapshot = MemoryRepository().snapshot(FILES)
    found = [(site.path, site.definition.start_line) for site in definitions_of(snapshot, "run", "c/use.py")]
    assert found == [("c/pay.py", 1), ("b/pay.py", 1)]


def test_innermost_passes_over_fields() -> None:
    snapshot = MemoryRepository().snapshot({"a.py": "class A:\n    size = 1\n"})
    found = innermost(snapshot.definitions("a.py"), 2)
    assert found is not None
    assert found.name == "A"


CLASSES = {
    "base.py": "class Store:\n    def save(self): pass\n\nclass Other: pass\n",
    "disk.py": "from base import Store\n\nclass Disk(Store):\n    def save(self): pass\n",
    "fast.py": "import disk\n\nclass Fast(disk.Disk):\n    pass\n",
    "loop.py": "class A(B): pass\n\nclass B(A): pass\n",
}


def test_classes_are_found_through_the_classes_between() -> None:
    snapshot = MemoryRepository().snapshot(CLASSES)
    assert [site.definition.name for site in derived_from(snapshot, "Store")] == ["Disk", "Fast"]
    (fast,) = snapshot.definitions_named("Fast")
    assert [site.definition.name for site in bases_of(snapshot, fast.definition)] == ["Disk", "Store"]


def test_classes_that_extend_each_other_end() -> None:
    snapshot = MemoryRepository().snapshot(CLASSES)
    (a,) = snapshot.definitions_named("A")
    assert [site.definition.name for site in derived_from(snapshot, "A")] == ["B", "A"]
    assert [site.definition.name for site in bases_of(snapshot, a.definition)] == ["B"]


def test_a_member_is_what_a_class_defines_itself() -> None:
    snapshot = MemoryRepository().snapshot(CLASSES)
    disk, fast = derived_from(snapshot, "Store")
    found = member(snapshot, disk, "save")
    assert found is not None
    assert (found.path, found.definition.qualified_name) == ("disk.py", "Disk.save")
    assert member(snapshot, fast, "save") is None


def test_a_base_that_everything_has_joins_nothing() -> None:
    files = {f"e{n}.py": f"class E{n}(Exception): pass\n" for n in range(201)}
    assert derived_from(MemoryRepository().snapshot(files), "Exception") == []
