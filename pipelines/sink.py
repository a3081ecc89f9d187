"""Where bulk rows end: binary COPY through a temporary table; what is there already is skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from panlect.index.commit import keep
from panlect.index.store import PostgresStore
from pipelines.rows import analysed_of


@dataclass(frozen=True)
class AnalysisSink:
    """Keeps a batch of analysed blobs; answers how many blobs and chunks there were."""

    database_url: str = field(repr=False)
    organisation_id: UUID

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write one batch in its own transactions."""
        size = len(batch["sha"])
        rows = [analysed_of({name: column[at] for name, column in batch.items()}) for at in range(size)]
        with PostgresStore(self.database_url, self.organisation_id) as store:
            chunks = keep(store, rows)
        return {"blobs": np.array([size]), "chunks": np.array([chunks])}


@dataclass(frozen=True)
class VectorSink:
    """Keeps a batch of vectors; answers how many."""

    database_url: str = field(repr=False)
    organisation_id: UUID
    repository_id: UUID
    model_id: str

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write one batch in one transaction."""
        hashes = [bytes(digest) for digest in batch["hash"]]
        with PostgresStore(self.database_url, self.organisation_id) as store:
            store.put_vectors(self.repository_id, self.model_id, hashes, np.stack(list(batch["vector"])))
        return {"vectors": np.array([len(hashes)])}
