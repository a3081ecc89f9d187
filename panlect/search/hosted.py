"""Search on the server: the active snapshot of a repository, kept warm, and its vectors in Postgres."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.errors import BadInputError
from panlect.index.snapshot import BlobKey, Snapshot
from panlect.index.store import PostgresStore, StoredSnapshot
from panlect.search.query import answer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from panlect.code.packed import Column

_WARM = 8  # snapshots


class NoBlobs:
    """Search needs no file's text; a replica of the API has no mirror."""

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002
        """Nothing is read."""
        return iter(())


@dataclass(slots=True)
class Analyses:
    """Where a warm snapshot loads from: the store of the search at hand. A snapshot outlives every store."""

    store: PostgresStore

    def load(self, column: Column, keys: Sequence[BlobKey]) -> Mapping[BlobKey, bytes]:
        """As `index.snapshot.AnalysisSource` says."""
        return self.store.load(column, keys)


@dataclass(frozen=True, slots=True)
class PostgresDense:
    """The vectors of one repository, asked with an embedded query."""

    store: PostgresStore
    repository_id: UUID
    model: str
    vector: NDArray[Any]

    def nearest(self, query: str, limit: int) -> Sequence[tuple[bytes, float]]:  # noqa: ARG002 - embedded before
        """As `DenseIndex` says; it may know chunks of older snapshots."""
        return self.store.nearest(self.repository_id, self.model, self.vector, limit)


@dataclass(slots=True)
class HostedSearch:
    """Searches active snapshots and keeps the last few in memory. One to a process."""

    url: str
    model: str
    embed: Callable[[list[str]], Awaitable[NDArray[Any]]] | None = None
    _warm: OrderedDict[UUID, tuple[Snapshot, Analyses]] = field(default_factory=OrderedDict)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def search(self, organisation_id: UUID, repository_id: UUID, query: str, k: int) -> dict[str, Any]:
        """The JSON of `panlect search`. Raises BadInputError when the repository has no index."""
        vector = (await self.embed([query]))[0] if self.embed is not None else None
        async with self._loading:  # a snapshot is loaded once; numpy holds the processor anyway
            return await asyncio.to_thread(self._search, organisation_id, repository_id, query, k, vector)

    def _search(
        self, organisation_id: UUID, repository_id: UUID, query: str, k: int, vector: NDArray[Any] | None
    ) -> dict[str, Any]:
        with PostgresStore(self.url, organisation_id) as store:
            active = store.active_snapshot(repository_id)
            if active is None:
                raise BadInputError("This repository has no index yet.", fix="Wait for its first index run.")
            snapshot, analyses = self._warm.get(active.id) or _cold(active, store)
            analyses.store = store
            dense = None if vector is None else PostgresDense(store, repository_id, self.model, vector)
            said = answer(snapshot, query, k, dense)
            self._keep(active.id, snapshot, analyses)
        return said

    def _keep(self, snapshot_id: UUID, snapshot: Snapshot, analyses: Analyses) -> None:
        self._warm[snapshot_id] = snapshot, analyses
        self._warm.move_to_end(snapshot_id)
        while len(self._warm) > _WARM:
            self._warm.popitem(last=False)


def _cold(active: StoredSnapshot, store: PostgresStore) -> tuple[Snapshot, Analyses]:
    analyses = Analyses(store)
    return Snapshot(active.commit_sha, store.entries(active.id), analyses, NoBlobs()), analyses
