"""The actor that embeds: loads its model once, sees text and nothing else."""

from __future__ import annotations

from typing import Any

from panlect import wiring
from panlect.index.models import ENDPOINT, ModelSpec, load
from panlect.settings import load as load_settings


class EmbedBatch:
    """Adds `vector` to a batch of `text`.

    It is told no credentials: what it is told travels through the cluster and shows on its dashboard. For a
    model behind an address it takes them from the environment of its own node.
    """

    def __init__(self, spec: ModelSpec) -> None:
        asked = spec.name.startswith(ENDPOINT)
        self._embedder = load(spec, wiring.embedding_endpoint(load_settings()) if asked else None)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Unit vectors of the batch's texts, in their order."""
        vectors = self._embedder.embed([str(text) for text in batch["text"]])
        return {"hash": batch["hash"], "vector": vectors}
