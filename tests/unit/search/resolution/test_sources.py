"""What is kept of files stays within bounds."""

from __future__ import annotations

import pytest

from panlect.index.memory import MemoryRepository
from panlect.search.resolution.answers import MOST_CANDIDATES
from panlect.search.resolve import Resolver


def test_a_name_that_one_file_defines_ten_thousand_times_is_bounded() -> None:
    files = {"a.py": "def x(): pass\n" * 10_000 + "x()\n", "b.py": "from a import x\nx()\n"}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    for path in files:
        (use,) = [one for one in snapshot.references(path) if one.name == "x"]
        assert len(resolver.resolve(path, use).candidates) == MOST_CANDIDATES
    assert len(resolver._sources.file("a.py").named["x"]) < 100


def test_texts_that_were_read_ahead_stay_within_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panlect.search.resolution.sources._KEPT_BYTES", 100)
    files = {f"f{n}.py": f"def f{n}(): pass\nf{n}()\n" for n in range(30)}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    resolver.read_ahead(files)
    assert 0 < len(resolver._sources._lines) < 10
    for path in files:
        (use,) = snapshot.references(path)
        assert resolver.resolve(path, use).candidates
