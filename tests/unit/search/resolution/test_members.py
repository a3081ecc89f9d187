"""Members through bases."""

from __future__ import annotations

from panlect.search.resolution.answers import Resolution
from tests.unit.search.small_repositories import (
    places,
    resolved,
)


def test_bases_in_a_circle_end() -> None:
    files = {
        "a.py": "from b import B\nclass A(B):\n    def run(self):\n        self.gone(); self.low()\n",
        "b.py": "import a\nclass B(a.A, super().B):\n    def low(self): pass\n",
    }
    assert resolved(files, "a.py", "self.gone") == Resolution()
    assert places(resolved(files, "a.py", "self.low")) == [("b.py", "B.low", 1.0)]
