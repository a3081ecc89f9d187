"""The switch to another model: nothing that was pushed meanwhile is lost to searches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from jobs import reembed
from panlect.index.models import HASHING, ModelSpec

OLD, NEW = "hashing-64", "hashing-128"
CHANGE = reembed.Change(ModelSpec(HASHING, 128), NEW, switch=True, drop_old=True)


class Repository:
    """A repository whose active commit changes as scripted: what is missing each time somebody asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, missing: list[int]) -> None:
        self.missing_next = missing
        self.did: list[str] = []
        model = SimpleNamespace(key=OLD)
        nothing = SimpleNamespace(db=SimpleNamespace(url=""), active=lambda *_: SimpleNamespace(id=1))
        monkeypatch.setattr(reembed, "join_cluster", lambda: None)
        monkeypatch.setattr(reembed, "PostgresStore", Store)
        monkeypatch.setattr(reembed, "snapshots", nothing)
        monkeypatch.setattr(reembed, "embed_chunks", self.embed)
        vectors = SimpleNamespace(
            serving=lambda *_: model,
            find=lambda *_: model,
            missing=self.missing,
            ensure_index=lambda *_: self.did.append("index"),
            serve=lambda *_, **__: self.did.append("switch"),
            drop=self.drop,
        )
        monkeypatch.setattr(reembed, "vectors", vectors)
        self.services: Any = nothing

    def missing(self, *_: Any) -> list[Any]:
        asked = self.missing_next.pop(0) if len(self.missing_next) > 1 else self.missing_next[0]
        return [(b"x", "text")] * asked

    def embed(self, missing: list[Any], *_: Any) -> int:
        self.did.append(f"embed {len(missing)}")
        return len(missing)

    def drop(self, *_: Any) -> int:
        self.did.append("drop")
        return 7

    def reembed(self) -> tuple[bool, str]:
        return reembed._reembed(self.services, UUID(int=1), UUID(int=2), CHANGE)


class Store:
    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def test_what_is_pushed_before_and_after_the_switch_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Repository(monkeypatch, [10, 0, 3, 0, 2, 0])
    assert shop.reembed() == (True, f"15 vectors made, switched to {NEW}, 7 of {OLD} dropped")
    assert shop.did == ["embed 10", "index", "embed 3", "switch", "embed 2", "drop"]


def test_a_repository_that_never_comes_to_rest_is_not_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Repository(monkeypatch, [1])
    good, said = shop.reembed()
    assert not good
    assert "not switched: 1 chunks still lack one" in said
    assert shop.did == ["embed 1"] * 5 + ["index"] + ["embed 1"] * 5
