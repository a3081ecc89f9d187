"""Where bulk rows end: binary COPY through a temporary table; what is there already is skipped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from panlect.index import vectors
from panlect.index.commit import keep
from panlect.index.models import ModelSpec
from panlect.index.store import PostgresStore
from panlect.settings import load
from panlect.wiring import database_url
from pipelines.rows import analysed_of


@dataclass(frozen=True)
class AnalysisSink:
    """Keeps a batch of analysed blobs; answers how many blobs and chunks there were, and why some are not kept."""

    organisation_id: UUID

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write one batch in its own transactions."""
        size = len(batch["sha"])
        rows = [{name: column[at] for name, column in batch.items()} for at in range(size)]
        unread = Counter(str(row["unread"]) for row in rows if row["unread"])
        with PostgresStore(database_url(load()), self.organisation_id) as store:
            chunks = keep(store, [analysed_of(row) for row in rows if not row["unread"]])
        return {
            "blobs": np.array([size]),
            "chunks": np.array([chunks]),
            "unread": np.array([json.dumps(unread)]),
        }


@dataclass(frozen=True)
class VectorSink:
    """Keeps a batch of vectors; answers how many."""

    organisation_id: UUID
    repository_id: UUID
    key: str
    spec: ModelSpec

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write one batch in one transaction."""
        hashes = [bytes(digest) for digest in batch["hash"]]
        made = np.stack(list(batch["vector"]))
        with PostgresStore(database_url(load()), self.organisation_id) as store:
            vectors.register(store, vectors.Model(self.key, self.spec, made.shape[1]))
            vectors.put(store, self.repository_id, self.key, hashes, made)
        return {"vectors": np.array([len(hashes)])}
