"""The embedding actor: what it is told, and what it finds out where it runs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from panlect.index.models import HASHING, Endpoint, ModelSpec
from pipelines import embedder


def test_the_token_of_an_endpoint_comes_from_the_node_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []
    monkeypatch.setenv("PANLECT_EMBED_URL", "https://models.test/v1")
    monkeypatch.setenv("PANLECT_EMBED_TOKEN", "sesame")
    monkeypatch.setattr(embedder, "load", lambda *given: loaded.append(given))
    embedder.EmbedBatch(ModelSpec("endpoint:code"))
    assert loaded == [(ModelSpec("endpoint:code"), Endpoint("https://models.test/v1", "sesame", ()))]
    assert list(inspect.signature(embedder.EmbedBatch).parameters) == ["spec"], (
        "nothing else is sent to a node"
    )


def test_a_model_on_the_node_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> Any:
        raise AssertionError("A node that only embeds has no settings.")

    monkeypatch.setattr(embedder, "load_settings", read)
    batch = {"hash": [b"a"], "text": ["order total"]}
    assert embedder.EmbedBatch(ModelSpec(HASHING, 64))(batch)["vector"].shape == (1, 64)
