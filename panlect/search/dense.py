"""Vectors of a snapshot's chunks: the protocol that search asks, and the exact answer in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from panlect.index.embed import Embedder, embedding_text
from panlect.index.snapshot import Snapshot


class DenseIndex(Protocol):
    """The nearest chunks by content. It may know chunks of other snapshots too: search drops those."""

    def nearest(self, query: str, limit: int) -> Sequence[tuple[bytes, float]]:
        """(chunk hash of 16 bytes, cosine), the nearest first; fewer than `limit` when there are no more."""
        ...


class MemoryDense:
    """Every chunk of one snapshot embedded and compared exactly: for tests and small repositories."""

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        texts: dict[bytes, str] = {}
        for entry in snapshot.analysable():
            chunks = snapshot.chunks(entry.path)
            source = snapshot.text(entry.path) if chunks else b""
            for chunk in chunks:
                body = source[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace")
                texts[bytes.fromhex(chunk.hash)] = embedding_text(chunk.scope, body)
        self._embedder = embedder
        self._hashes = sorted(texts)
        self._vectors = embedder.embed([texts[one] for one in self._hashes])

    def nearest(self, query: str, limit: int) -> list[tuple[bytes, float]]:
        """As the protocol says; equal cosines by hash."""
        if not self._hashes:
            return []
        cosines = self._vectors @ self._embedder.embed([query], query=True)[0]
        best = np.argsort(-cosines, kind="stable")[:limit]
        return [(self._hashes[at], float(cosines[at])) for at in best.tolist()]
