"""A question's repositories on the server: active snapshots that are kept warm, texts in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from panlect.ask.corpus import Place
from panlect.ask.readers import Reader, StoredReader
from panlect.errors import BadInputError
from panlect.git.repository import Repository
from panlect.index.store import PostgresStore
from panlect.search.hosted import HostedSearch, Pinned

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostedCorpus:
    """Repositories of an organisation on the server, at the commits that were active when they were pinned."""

    hosted: HostedSearch
    organisation_id: UUID
    pinned: tuple[Pinned, ...]
    mirrors: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """As `Corpus` says."""
        return tuple(one.name for one in self.pinned)

    def id_of(self, name: str) -> UUID:
        """The repository of a name, the only one's where names are left out."""
        return next((one.id for one in self.pinned if one.name == name), self.pinned[0].id)

    def has(self, path: str) -> bool:
        """As `Corpus` says."""
        return any(one.snapshot.exists(path) for one in self.pinned)

    async def search(self, query: str, k: int) -> tuple[list[Place], str]:
        """With vectors where there are some. It ranks what is active now; lines are read of what was pinned."""
        ids = [one.id for one in self.pinned]
        found = await self.hosted.search(self.organisation_id, ids, query, k)
        only = self.names[0]
        places = [
            Place(
                hit.get("repository", only),
                hit["path"],
                hit["start_line"],
                hit["end_line"],
                hit["symbol"],
                hit["why"],
            )
            for hit in found["hits"]
        ]
        return places, str(found["mode"])

    async def read(self, work: Callable[[Sequence[Reader]], T]) -> T:
        """In a thread, while nobody else searches here."""
        return await self.hosted.reading(
            self.organisation_id,
            self.pinned,
            lambda store: work([self._reader(one, store) for one in self.pinned]),
        )

    def _reader(self, one: Pinned, store: PostgresStore) -> StoredReader:
        mirror = None if self.mirrors is None else Repository(self.mirrors / f"{one.id}.git")
        return StoredReader(one.name, one.snapshot, store, mirror)


async def hosted_corpus(
    hosted: HostedSearch, organisation_id: UUID, repository_ids: Sequence[UUID], mirrors: Path | None = None
) -> HostedCorpus:
    """These repositories as they are now. Raises BadInputError when one of them has no index, or two have one name."""
    pinned = await hosted.pinned(organisation_id, repository_ids)
    if len({one.name for one in pinned}) < len(pinned):
        raise BadInputError(
            "Two of these repositories are named alike.", fix="Ask about one of them at a time."
        )
    return HostedCorpus(hosted, organisation_id, pinned, mirrors)
