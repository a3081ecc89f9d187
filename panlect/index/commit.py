"""Journey B into Postgres, hop by hop: analyse a commit, keep its chunks, activate its snapshot, fill in vectors.

Used by the incremental indexer in one process; the bulk job does the first hop and the last with Ray Data and
shares the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.code.packed import chunks_of, search_of
from panlect.git.repository import Repository
from panlect.git.tree import TreeEntry, list_tree
from panlect.index.analyse import AnalysisRun, analyse_tasks, read_tasks
from panlect.index.embed import embedding_text
from panlect.index.snapshot import BlobKey, blob_key, is_analysable
from panlect.index.store import PostgresStore, StoredSnapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from panlect.code.packed import Packed

Embed = Callable[[list[str]], Awaitable["NDArray[Any]"]]
EMBED_BATCH = 64
_TASKS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit needs: its entries, and the blobs that nobody has analysed."""

    commit_sha: str
    entries: tuple[TreeEntry, ...]
    unseen: tuple[BlobKey, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Analysed:
    """One analysed blob with the texts of its chunks, ready to be kept."""

    key: BlobKey
    packed: Packed
    chunks: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class Active:
    """A commit that is searchable now; `hashes` are its chunks, for the vectors that follow."""

    snapshot: StoredSnapshot
    files: int
    hashes: tuple[bytes, ...]


def plan_commit(repository: Repository, commit_sha: str, store: PostgresStore) -> Plan:
    """List the commit and find what is new in it."""
    listing = list_tree(repository, commit_sha)
    keys = list(dict.fromkeys(blob_key(entry) for entry in listing.entries if is_analysable(entry)))
    known = store.known(keys)
    return Plan(
        commit_sha, listing.entries, tuple(key for key in keys if key not in known), listing.truncated
    )


def analysed(
    repository: Repository, keys: Sequence[BlobKey], workers: int = 1, run: AnalysisRun | None = None
) -> Iterator[Analysed]:
    """Analyse blobs in killable children, each with its chunk texts; `run` bounds and notes what is left out."""
    run = run or AnalysisRun()
    for at in range(0, len(keys), _TASKS_AT_ONCE):
        tasks = list(read_tasks(repository, keys[at : at + _TASKS_AT_ONCE], run))
        contents = {(language, sha): content for language, sha, content in tasks}
        for batch in analyse_tasks(tasks, workers, run):
            for key, packed in batch:
                yield Analysed(key, packed, tuple(_texts(packed, contents[key])))


def _texts(packed: Packed, content: bytes) -> Iterator[tuple[bytes, str]]:
    for chunk in chunks_of(search_of(packed.search)):
        body = content[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace")
        yield bytes.fromhex(chunk.hash), embedding_text(chunk.scope, body)


def keep(store: PostgresStore, rows: Iterable[Analysed]) -> int:
    """Keep analyses and chunk texts; how many chunks there were. Chunks first: an analysis says its chunks are there."""
    found = list(rows)
    chunks = [chunk for one in found for chunk in one.chunks]
    store.put_chunks(chunks)
    store.put((one.key, one.packed) for one in found)
    return len(chunks)


def activate(store: PostgresStore, repository_id: UUID, plan: Plan) -> Active:
    """Make the commit searchable: entries, then the swap, in one transaction."""
    parent = store.active_snapshot(repository_id)
    snapshot = store.begin_snapshot(repository_id, plan.commit_sha, parent.id if parent else None)
    store.put_entries(snapshot.id, plan.entries)
    keys = list(dict.fromkeys(blob_key(entry) for entry in plan.entries if is_analysable(entry)))
    hashes = dict.fromkeys(_hashes(store.load("search", keys).values()))
    files = sum(is_analysable(entry) for entry in plan.entries)
    store.activate(snapshot.id, files=files, chunks=len(hashes))
    return Active(snapshot, files, tuple(hashes))


def _hashes(columns: Iterable[bytes]) -> Iterator[bytes]:
    for column in columns:
        packed = search_of(column).hashes
        yield from (packed[at : at + 16] for at in range(0, len(packed), 16))


def unembedded(
    store: PostgresStore, repository_id: UUID, active: Active, model: str
) -> list[tuple[bytes, str]]:
    """The chunks that need a vector, after those were copied that the organisation has already."""
    store.adopt_vectors(repository_id, active.hashes, model)
    missing = store.without_vectors(repository_id, active.hashes, model)
    store.note_embedded(active.snapshot.id, len(active.hashes) - len(missing))
    return missing


async def fill_vectors(
    store: PostgresStore, repository_id: UUID, active: Active, model: str, embed: Embed
) -> int:
    """Embed what is missing, a batch at a time; how many vectors were made. The store is asked in threads."""
    missing = await asyncio.to_thread(unembedded, store, repository_id, active, model)
    done = len(active.hashes) - len(missing)
    for at in range(0, len(missing), EMBED_BATCH):
        batch = missing[at : at + EMBED_BATCH]
        vectors = await embed([text for _, text in batch])
        hashes = [digest for digest, _ in batch]
        await asyncio.to_thread(store.put_vectors, repository_id, model, hashes, vectors)
        done += len(batch)
        await asyncio.to_thread(store.note_embedded, active.snapshot.id, done)
    return len(missing)
