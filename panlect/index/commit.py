"""Journey B into Postgres, hop by hop: analyse a commit, keep its chunks, activate its snapshot, fill in vectors.

Used by the incremental indexer in one process; the bulk job does the first hop and the last with Ray Data and
shares the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from panlect.code.packed import chunks_of, search_of
from panlect.git.repository import Repository
from panlect.git.tree import TreeEntry, list_tree
from panlect.index import snapshots, vectors
from panlect.index.analyse import AnalysisRun, analyse_tasks, read_tasks
from panlect.index.embed import Embed, embedding_text
from panlect.index.models import ModelSpec, key_of
from panlect.index.snapshot import BlobKey, blob_key, is_analysable
from panlect.index.snapshots import StoredSnapshot
from panlect.index.store import PostgresStore
from panlect.index.vectors import Model

if TYPE_CHECKING:
    from panlect.code.packed import Packed

Progress = Callable[[int], Awaitable[None]]

EMBED_BATCH = 64
_TASKS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit needs: its entries, and the blobs that nobody has analysed."""

    commit_sha: str
    entries: tuple[TreeEntry, ...]
    unseen: tuple[BlobKey, ...]
    truncated: str = ""


@dataclass(frozen=True, slots=True)
class Analysed:
    """One analysed blob with the texts of its chunks, ready to be kept."""

    key: BlobKey
    packed: Packed
    chunks: tuple[tuple[bytes, str], ...]
    ms: float


@dataclass(frozen=True, slots=True)
class Active:
    """A commit that is searchable now, how many files of it are read and how many chunks they have."""

    snapshot: StoredSnapshot
    files: int
    chunks: int


def plan_commit(repository: Repository, commit_sha: str, store: PostgresStore) -> Plan:
    """List the commit and find what is new in it."""
    listing = list_tree(repository, commit_sha)
    keys = list(dict.fromkeys(blob_key(entry) for entry in listing.entries if is_analysable(entry)))
    known = store.known(keys)
    return Plan(commit_sha, listing.entries, tuple(key for key in keys if key not in known), listing.cut)


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
                yield Analysed(key, packed, tuple(_texts(packed, contents[key])), run.ms.get(key, 0.0))


def _texts(packed: Packed, content: bytes) -> Iterator[tuple[bytes, str]]:
    for chunk in chunks_of(search_of(packed.search)):
        body = content[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace")
        yield bytes.fromhex(chunk.hash), embedding_text(chunk.scope, body)


def keep(store: PostgresStore, rows: Iterable[Analysed]) -> int:
    """Keep analyses and chunk texts, some at a time; how many chunks there were.

    Chunks first: an analysis says that its chunks are there.
    """
    total = 0
    rest = iter(rows)
    while found := list(islice(rest, _TASKS_AT_ONCE)):
        chunks = [chunk for one in found for chunk in one.chunks]
        store.put_chunks(chunks)
        store.put(((one.key, one.packed) for one in found), {one.key: one.ms for one in found})
        total += len(chunks)
    return total


def activate(
    store: PostgresStore, repository_id: UUID, plan: Plan, *, ref: str = "", serve: bool = True
) -> Active:
    """Make the commit searchable: entries, then the swap. Without `serve` it stands beside the active one."""
    snapshot, chunks = snapshots.complete(
        store, repository_id, plan.commit_sha, plan.entries, ref=ref, truncated=plan.truncated, serve=serve
    )
    files = sum(is_analysable(entry) for entry in plan.entries)
    return Active(snapshot, files, chunks)


def unembedded(
    store: PostgresStore, repository_id: UUID, active: Active, key: str
) -> list[tuple[bytes, str]]:
    """The chunks that need a vector, after those were copied that the organisation has already."""
    missing = vectors.missing(store, repository_id, active.snapshot.id, key)
    snapshots.note_embedded(store, active.snapshot.id, active.chunks - len(missing))
    return missing


def embedded(store: PostgresStore, repository_id: UUID, key: str) -> None:
    """All vectors are there: ask them if none were asked, and give a large repository its approximate index."""
    model = vectors.find(store, key)
    if model is not None:
        vectors.serve(store, repository_id, key)
        vectors.ensure_index(store, repository_id, model)


async def fill_vectors(
    store: PostgresStore,
    repository_id: UUID,
    active: Active,
    spec: ModelSpec,
    embed: Embed,
    progress: Progress,
) -> int:
    """Embed what is missing, a batch at a time; how many vectors were made. The store is asked in threads."""
    key = await asyncio.to_thread(key_of, spec)
    missing = await asyncio.to_thread(unembedded, store, repository_id, active, key)
    for at in range(0, len(missing), EMBED_BATCH):
        batch = missing[at : at + EMBED_BATCH]
        made = await embed([text for _, text in batch], spec=spec)
        if at == 0:
            await asyncio.to_thread(vectors.register, store, Model(key, spec, made.shape[1]))
        hashes = [digest for digest, _ in batch]
        await asyncio.to_thread(vectors.put, store, repository_id, key, hashes, made)
        done = active.chunks - len(missing) + at + len(batch)
        await asyncio.to_thread(snapshots.note_embedded, store, active.snapshot.id, done)
        await progress(done)
    await asyncio.to_thread(embedded, store, repository_id, key)
    return len(missing)
