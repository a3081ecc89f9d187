"""The actor that embeds: loads its model once, sees text and nothing else."""

from __future__ import annotations

from typing import Any

from panlect.wiring import embedder_named


class EmbedBatch:
    """Adds `vector` to a batch of `text`."""

    def __init__(self, model: str) -> None:
        self._embedder = embedder_named(model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Unit vectors of the batch's texts, in their order."""
        vectors = self._embedder.embed([str(text) for text in batch["text"]])
        return {"hash": batch["hash"], "vector": vectors}
