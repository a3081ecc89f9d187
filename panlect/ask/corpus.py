"""The repositories that a question is about: how they are searched, and how their files are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from panlect.ask.readers import GitReader, Reader
from panlect.search.query import Searched, mode, search_many

T = TypeVar("T")


class Place(NamedTuple):
    """Lines that search found. `why` is one line for a reader."""

    repository: str
    path: str
    start_line: int
    end_line: int
    symbol: str
    why: str


class Corpus(Protocol):
    """One or several repositories, each at one commit."""

    @property
    def names(self) -> tuple[str, ...]:
        """The repositories, in the order in which they were asked for."""
        ...

    def has(self, path: str) -> bool:
        """Whether a repository has this path."""
        ...

    async def search(self, query: str, k: int) -> tuple[list[Place], str]:
        """The `k` best places, best first, and what the search rested on."""
        ...

    async def read(self, work: Callable[[Sequence[Reader]], T]) -> T:
        """What `work` makes of the repositories' readers, off the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class LocalCorpus:
    """Repositories on this machine."""

    readers: Sequence[GitReader]

    @property
    def names(self) -> tuple[str, ...]:
        """As `Corpus` says."""
        return tuple(reader.name for reader in self.readers)

    def has(self, path: str) -> bool:
        """As `Corpus` says."""
        return any(reader.snapshot.exists(path) for reader in self.readers)

    async def search(self, query: str, k: int) -> tuple[list[Place], str]:
        """Lexical and structural: there are no vectors."""
        searched = [Searched(reader.name, reader.snapshot) for reader in self.readers]
        hits = await asyncio.to_thread(search_many, searched, query, k)
        places = [Place(h.repository, h.path, h.start_line, h.end_line, h.symbol, h.why) for h in hits]
        return places, mode(None)

    async def read(self, work: Callable[[Sequence[Reader]], T]) -> T:
        """In a thread: git answers."""
        return await asyncio.to_thread(work, self.readers)
