"""Search on the server: the active snapshot of a repository, kept warm, and its vectors in Postgres."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from panlect.errors import PanlectError
from panlect.index import snapshots, summaries, vectors
from panlect.index.embed import Embed
from panlect.index.mapped import SegmentFolder
from panlect.index.snapshot import BlobKey, Snapshot
from panlect.index.snapshots import StoredSnapshot
from panlect.index.store import PostgresStore
from panlect.index.summaries import State
from panlect.index.vectors import Model
from panlect.search.described import Described
from panlect.search.filters import Filters
from panlect.search.query import Searched, answer, answer_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from panlect.code.packed import Column

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_EMBED_S = 10.0  # for a question; the first one of a model waits until it is loaded
_WARM = 32  # repositories; the columns of large ones are mapped, and the system's to give back
_STORES = 8  # organisations with an open connection
_MOST_OVERLAID = 0.25  # of the files: beyond that a snapshot is made anew


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
    model: Model
    vector: NDArray[Any]

    def nearest(self, query: str, limit: int) -> Sequence[tuple[bytes, float]]:  # noqa: ARG002 - embedded before
        """As `DenseIndex` says; it may know chunks of older snapshots."""
        return vectors.nearest(self.store, self.repository_id, self.model, self.vector, limit)


@dataclass(frozen=True, slots=True)
class _Warm:
    """A repository's active snapshot in memory."""

    id: UUID
    snapshot: Snapshot
    analyses: Analyses


@dataclass(frozen=True, slots=True)
class Pinned:
    """A repository at the commit that was active when it was pinned."""

    id: UUID
    name: str
    snapshot: Snapshot
    analyses: Analyses


@dataclass(slots=True)
class HostedSearch:
    """Searches active snapshots and keeps the last few in memory. One to a process."""

    url: str
    embed: Embed | None = None
    segments: Path | None = None  # where the columns of large snapshots are mapped from
    _warm: OrderedDict[UUID, _Warm] = field(default_factory=OrderedDict)
    _stores: OrderedDict[UUID, PostgresStore] = field(default_factory=OrderedDict)
    _described: OrderedDict[UUID, tuple[State, Described]] = field(default_factory=OrderedDict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    async def search(
        self,
        organisation_id: UUID,
        repository_ids: Sequence[UUID],
        query: str,
        k: int,
        filters: Filters | None = None,
    ) -> dict[str, Any]:
        """The JSON of `panlect search`, over one or several repositories.

        Raises BadInputError when one of them has no index.
        """
        questions: dict[Model, NDArray[Any]] = {}
        if self.embed is not None:
            models = await asyncio.to_thread(self._alone, self._serving, organisation_id, repository_ids)
            for model in models:
                vector = await self._embedded(query, model)
                if vector is not None:
                    questions[model] = vector
        return await asyncio.to_thread(
            self._alone, self._search, organisation_id, repository_ids, query, k, filters, questions
        )

    async def pinned(self, organisation_id: UUID, repository_ids: Sequence[UUID]) -> tuple[Pinned, ...]:
        """These repositories as they are now: what `reading` reads of them later is of the same commits.

        Raises BadInputError when one of them has no index.
        """
        return await asyncio.to_thread(self._alone, self._pinned, organisation_id, repository_ids)

    async def reading(
        self, organisation_id: UUID, pinned: Sequence[Pinned], work: Callable[[PostgresStore], T]
    ) -> T:
        """What `work` makes of these snapshots and a store that is its own meanwhile. Others wait: be brief."""
        return await asyncio.to_thread(self._alone, self._reading, organisation_id, pinned, work)

    def _pinned(self, organisation_id: UUID, repository_ids: Sequence[UUID]) -> tuple[Pinned, ...]:
        store = self._store(organisation_id)
        found = []
        for repository_id in repository_ids:
            name, snapshot = self._snapshot(store, repository_id)
            found.append(Pinned(repository_id, name, snapshot, self._warm[repository_id].analyses))
        return tuple(found)

    def _reading(
        self, organisation_id: UUID, pinned: Sequence[Pinned], work: Callable[[PostgresStore], T]
    ) -> T:
        store = self._store(organisation_id)
        for one in pinned:
            one.analyses.store = store
        return work(store)

    async def _embedded(self, query: str, model: Model) -> NDArray[Any] | None:
        """The question as a vector; None when the embedder is away, or has other weights than the vectors.

        A search without vectors says so in its mode; one that waits for them answers nobody.
        """
        assert self.embed is not None
        try:
            async with asyncio.timeout(_EMBED_S):
                vectors_, key = await self.embed.with_key([query], spec=model.spec, query=True)
        except (PanlectError, TimeoutError, OSError) as error:
            _LOG.warning("Searched without vectors: %s", error or type(error).__name__)
            return None
        if key != model.key:
            _LOG.warning("Searched without vectors: they are of %s, and the embedder has %s", model.key, key)
            return None
        vector: NDArray[Any] = vectors_[0]
        return vector

    def _alone(self, work: Callable[..., T], *given: Any) -> T:
        """`work` while nobody else works here: snapshots are loaded once, and a connection has one user.

        A lock of threads, not of tasks: a request that is cancelled leaves its thread behind.
        """
        with self._one_at_a_time:
            return work(*given)

    def close(self) -> None:
        """Give the connections back."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _serving(self, organisation_id: UUID, repository_ids: Sequence[UUID]) -> list[Model]:
        """The models of these repositories, each once: a question is embedded once by each."""
        store = self._store(organisation_id)
        found = (vectors.serving(store, one) for one in repository_ids)
        return list(dict.fromkeys(model for model in found if model is not None))

    def _search(
        self,
        organisation_id: UUID,
        repository_ids: Sequence[UUID],
        query: str,
        k: int,
        filters: Filters | None,
        questions: Mapping[Model, NDArray[Any]],
    ) -> dict[str, Any]:
        store = self._store(organisation_id)
        searched = [self._searched(store, one, questions) for one in repository_ids]
        if len(searched) == 1:
            one = searched[0]
            return answer(one.snapshot, query, k, one.dense, filters, one.described)
        return answer_many(searched, query, k, filters)

    def _searched(
        self, store: PostgresStore, repository_id: UUID, questions: Mapping[Model, NDArray[Any]]
    ) -> Searched:
        name, snapshot = self._snapshot(store, repository_id)
        model = vectors.serving(store, repository_id) if questions else None
        asks = model is not None and model in questions
        dense = PostgresDense(store, repository_id, model, questions[model]) if model and asks else None
        return Searched(name, snapshot, dense, self._described_by(store, repository_id))

    def _described_by(self, store: PostgresStore, repository_id: UUID) -> Described | None:
        """What models say of the repository, loaded once for each commit that was summarised; None where they say nothing."""
        state = summaries.state(store, repository_id)
        if state is None:
            self._described.pop(repository_id, None)
            return None
        kept = self._described.get(repository_id)
        if kept is None or kept[0] != state:
            kept = (state, Described(summaries.placed(store, repository_id, by_model=True)))
        self._described[repository_id] = kept
        self._described.move_to_end(repository_id)
        while len(self._described) > _WARM:
            self._described.popitem(last=False)
        return kept[1]

    def _snapshot(self, store: PostgresStore, repository_id: UUID) -> tuple[str, Snapshot]:
        """The active snapshot: the warm one, an overlay on it after a push, or one that is loaded."""
        active = snapshots.searched(store, repository_id)
        warm = self._warm.get(repository_id)
        if warm is None or warm.id != active.id:
            warm = _loaded(active, store, warm, self.segments)
        warm.analyses.store = store
        self._warm[repository_id] = warm
        self._warm.move_to_end(repository_id)
        while len(self._warm) > _WARM:
            self._warm.popitem(last=False)
        return active.full_name, warm.snapshot

    def _store(self, organisation_id: UUID) -> PostgresStore:
        store = self._stores.get(organisation_id) or PostgresStore(self.url, organisation_id)
        self._stores[organisation_id] = store
        self._stores.move_to_end(organisation_id)
        while len(self._stores) > _STORES:
            self._stores.popitem(last=False)[1].close()
        return store


def _loaded(
    active: StoredSnapshot, store: PostgresStore, before: _Warm | None, segments: Path | None
) -> _Warm:
    entries = snapshots.entries(store, active.id)
    if before is not None:
        overlay = before.snapshot.overlay(active.commit_sha, entries)
        if overlay.overlaid <= _MOST_OVERLAID * len(entries):
            return _Warm(active.id, overlay, before.analyses)
    analyses = Analyses(store)
    folder = SegmentFolder(segments, str(active.id)) if segments else None
    snapshot = Snapshot(active.commit_sha, entries, analyses, NoBlobs(), folder=folder)
    return _Warm(active.id, snapshot, analyses)
