"""The actor that embeds: loads its model once, sees text and nothing else."""

from __future__ import annotations

from typing import Any

from panlect.index.models import Endpoint, ModelSpec, load


class EmbedBatch:
    """Adds `vector` to a batch of `text`. It holds no credentials, but for an endpoint's token where one is asked."""

    def __init__(self, spec: ModelSpec, endpoint: Endpoint) -> None:
        self._embedder = load(spec, endpoint)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Unit vectors of the batch's texts, in their order."""
        vectors = self._embedder.embed([str(text) for text in batch["text"]])
        return {"hash": batch["hash"], "vector": vectors}
