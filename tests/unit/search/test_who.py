"""Who knows a name: what a qualifier leaves out."""

from __future__ import annotations

from panlect.index.memory import MemoryRepository
from panlect.search.who import who

FILES = {
    "order.py": (
        "class Order:\n    def total(self):\n        return 1\n\n    def due(self):\n        return self.total()\n"
    ),
    "cart.py": "class Cart:\n    def due(self):\n        return self.total()\n",
    "use.py": "def show(order, cart):\n    order.total()\n    cart.total()\n    total()\n",
}


def asked(name: str) -> list[tuple[str, int, str]]:
    known = who({"acme/shop": MemoryRepository().snapshot(FILES)}, name, "symbol")
    return [(site.path, site.line, site.role) for site in known.sites]


def test_a_qualified_name_is_used_by_its_own_receivers_only() -> None:
    assert asked("Order.total") == [
        ("order.py", 2, "defines"),
        ("order.py", 6, "uses"),
        ("use.py", 2, "uses"),
    ]


def test_a_bare_name_is_used_by_every_receiver() -> None:
    uses = [(path, line) for path, line, role in asked("total") if role == "uses"]
    assert uses == [("cart.py", 3), ("order.py", 6), ("use.py", 2), ("use.py", 3), ("use.py", 4)]
