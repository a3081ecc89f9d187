"""Snapshots in Postgres: the files of a commit as layers, which one is searched, who knows a name, what is dropped.

A snapshot is whole, or an overlay that holds only what differs from the one below it: a two-file commit of a
large repository writes two rows.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from panlect.db.sql import query
from panlect.db.text import storable
from panlect.errors import BadInputError
from panlect.git.tree import TreeEntry
from panlect.index.record import FileRecord, record_of
from panlect.index.snapshot import blob_key, is_analysable
from panlect.index.store import PostgresStore, name_number

if TYPE_CHECKING:
    from psycopg import Connection

UNREAD = "not analysed: missing, damaged, or the run's budget was spent"
_DEEPEST = 24  # overlays below one another: reading walks all of them
_FILES_AT_ONCE = 2000
_KNOWING_AT_ONCE = 200  # files with their symbols
_MOST_OVERLAID = 0.25  # of the files: an overlay of more is stored whole


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot's row."""

    id: UUID
    commit_sha: str
    state: str
    overlay_of: UUID | None = None
    overlay_depth: int = 0
    full_name: str = ""  # of its repository


@dataclass(frozen=True, slots=True)
class Storage:
    """What an organisation's index takes."""

    snapshots: int
    entries: int
    blobs: int
    blob_bytes: int
    chunks: int
    chunk_bytes: int
    vectors: int
    vector_bytes: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection dropped."""

    snapshots: int
    blobs: int
    chunks: int
    vectors: int
    summaries: int = 0


def begin(store: PostgresStore, repository_id: UUID, commit_sha: str, ref: str = "") -> StoredSnapshot:
    """The snapshot of a commit, made when there is none; a rerun goes on with the one that is there."""
    values = {**_of(store, repository_id), "commit_sha": commit_sha, "ref": ref, "analyser": store.version}
    with store.transaction() as connection:
        connection.execute(query("snapshots.begin"), values)
        row = connection.execute(query("snapshots.find"), values).fetchone()
    assert row is not None
    return StoredSnapshot(*row)


def active(store: PostgresStore, repository_id: UUID) -> StoredSnapshot | None:
    """What is searched now."""
    return _one(store, "snapshots.active", repository_id)


def complete(
    store: PostgresStore,
    repository_id: UUID,
    commit_sha: str,
    files: Sequence[TreeEntry],
    *,
    ref: str = "",
    truncated: str = "",
    serve: bool = True,
) -> tuple[StoredSnapshot, int]:
    """Write a commit's snapshot and search it from now on in place of the old one; with how many chunks it has.

    One transaction, one at a time for a repository: entries are there whole or not at all, and nobody else's view of
    the snapshot counts. Without `serve` it stands beside the active one (a branch, a pull request); the active
    one itself stays active whoever completes it once more.
    """
    from panlect.faults import fault

    values: dict[str, object] = {**_of(store, repository_id), "files": sum(map(is_analysable, files))}
    with store.transaction() as connection:
        connection.execute(query("snapshots.lock_repository"), values)
        snapshot = begin(store, repository_id, commit_sha, ref)
        if snapshot.state == "building":
            put_entries(store, repository_id, snapshot, files, truncated=truncated)
        values["snapshot_id"] = snapshot.id
        row = connection.execute(query("snapshots.count_chunks"), values).fetchone()
        assert row is not None
        values |= {"chunks": row[0], "state": "active" if serve or snapshot.state == "active" else "ready"}
        fault("index.before_activate")
        connection.execute(query("snapshots.complete"), values)
        if serve:
            connection.execute(query("snapshots.retire_others"), values)
            connection.execute(query("snapshots.activate"), values)
    return snapshot, int(row[0])


def searched(store: PostgresStore, repository_id: UUID) -> StoredSnapshot:
    """What is searched now. Raises BadInputError when nothing is indexed yet."""
    found = active(store, repository_id)
    if found is None:
        raise BadInputError("This repository has no index yet.", fix="Wait for its first index run.")
    return found


def put_entries(
    store: PostgresStore,
    repository_id: UUID,
    snapshot: StoredSnapshot,
    files: Sequence[TreeEntry],
    *,
    truncated: str = "",
) -> int:
    """The files of a snapshot, as an overlay where that is small; how many rows were written. One transaction."""
    kinds = ["uuid", "uuid", "text", "bytea", "int4", "int8", "text"]
    with store.transaction() as connection:
        below = _one(store, "snapshots.newest_of_this_analyser", repository_id)
        rows = [_row(store, snapshot.id, entry) for entry in files]
        over = None
        if below is not None and below.id != snapshot.id and below.overlay_depth < _DEEPEST:
            differing = _differing(store, snapshot.id, rows, below)
            if len(differing) <= max(8, _MOST_OVERLAID * len(rows)):
                over, rows = below, differing
        values = {
            "organisation_id": store.organisation_id,
            "snapshot_id": snapshot.id,
            "overlay_of": over.id if over else None,
            "overlay_depth": over.overlay_depth + 1 if over else 0,
            "truncated": truncated,
        }
        connection.execute(query("snapshots.clear_entries"), values)
        connection.execute(query("snapshots.put_below"), values)
        store.copy("incoming_entry", "snapshots.stage_entries", "snapshots.store_entries", kinds, rows)
    return len(rows)


def entries(store: PostgresStore, snapshot_id: UUID) -> list[TreeEntry]:
    """The files of a snapshot, by path."""
    with store.transaction() as connection:
        rows = connection.execute(query("snapshots.list_entries"), {"snapshot_id": snapshot_id}).fetchall()
    return [TreeEntry(path, bytes(sha).hex(), f"{mode:06o}", size) for path, sha, mode, size in rows]


def note_embedded(store: PostgresStore, snapshot_id: UUID, embedded: int) -> None:
    """How many of a snapshot's chunks have a vector by now."""
    values = {
        "organisation_id": store.organisation_id,
        "snapshot_id": snapshot_id,
        "embedded": embedded,
    }
    with store.transaction() as connection:
        connection.execute(query("snapshots.note_embedded"), values)


def files(
    store: PostgresStore,
    snapshot_id: UUID,
    *,
    skipped: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> Generator[FileRecord, None, None]:
    """What became of every file of a snapshot, by path; with `skipped` of those that were not read.

    They come some at a time, in a transaction that lasts until the last: close what is left unread.
    """
    values = {"organisation_id": store.organisation_id, "snapshot_id": snapshot_id}
    # Whether a file was skipped is said in its packed column, so that page is cut here.
    page = {"offset": 0, "limit": None} if skipped else {"offset": offset, "limit": limit}
    with store.transaction() as connection, connection.cursor("files", binary=True) as cursor:
        cursor.itersize = _FILES_AT_ONCE
        cursor.execute(query("snapshots.files"), {**values, **page})
        found = (_record(*row) for row in cursor)
        if skipped:
            rest = (one for one in found if one.skipped)
            yield from islice(rest, offset, None if limit is None else offset + limit)
        else:
            yield from found


def _record(path: str, sha: bytes, mode: int, size: int, meta: bytes | None, ms: float | None) -> FileRecord:
    entry = TreeEntry(path, bytes(sha).hex(), f"{mode:06o}", size)
    return record_of(
        entry,
        None if meta is None else bytes(meta),
        None if ms is None else round(ms, 2),
        otherwise=UNREAD,
    )


class Knowing(NamedTuple):
    """A file of an active snapshot that may know a name; its packed symbols say whether it does."""

    repository: str
    commit_sha: str
    path: str
    symbols: bytes


def knowing(
    store: PostgresStore, keys: Sequence[str], *, timeout_ms: int = 0
) -> Generator[Knowing, None, None]:
    """The files of every active snapshot of the organisation that may know one of these names; no cap.

    They come some at a time, in a transaction that lasts until the last: close what is left unread. Each step of
    the query may take `timeout_ms`, 0 for any time; then psycopg's QueryCanceled is raised.
    """
    values = {"organisation_id": store.organisation_id, "ids": [name_number(key) for key in keys]}
    with store.transaction() as connection:
        connection.execute("select set_config('statement_timeout', %s, true)", [str(timeout_ms)])
        with connection.cursor("knowing", binary=True) as cursor:
            cursor.itersize = _KNOWING_AT_ONCE
            cursor.execute(query("snapshots.who"), values)
            for _, full_name, commit_sha, path, symbols in cursor:
                yield Knowing(full_name, commit_sha, path, bytes(symbols))


def storage(store: PostgresStore) -> Storage:
    """Rows and bytes of the organisation's index."""
    with store.transaction() as connection:
        row = connection.execute(
            query("snapshots.storage"), {"organisation_id": store.organisation_id}
        ).fetchone()
    assert row is not None
    return Storage(*row)


def collect(store: PostgresStore, *, kept: int, grace_s: float) -> Collected:
    """Drop old snapshots and what no snapshot holds any more: analyses, chunks, vectors, summaries.

    Keeps the active snapshot, the `kept` newest of each repository, what others stand on, and whatever is
    younger than `grace_s` seconds, which is to be longer than a run takes. One transaction a repository, then one a
    kind: a collection that is killed goes on the next time.
    """
    values: dict[str, Any] = {
        "organisation_id": store.organisation_id,
        "kept": kept,
        "grace_s": grace_s,
    }
    with store.transaction() as connection:
        repositories = [row[0] for row in connection.execute(query("snapshots.repositories"), values)]
    snapshots = vectors = 0
    for repository_id in repositories:
        of_repository = {**values, "repository_id": repository_id}
        with store.transaction() as connection:
            dropped = _dropped_snapshots(connection, of_repository)
            if dropped:
                found = connection.execute(query("snapshots.drop_unreachable_vectors"), of_repository)
                vectors += found.rowcount
        snapshots += dropped
    with store.transaction() as connection:
        blobs = connection.execute(query("snapshots.drop_unreachable_blobs"), values).rowcount
    with store.transaction() as connection:
        chunks = connection.execute(query("snapshots.drop_unreachable_chunks"), values).rowcount
    with store.transaction() as connection:
        summaries = connection.execute(query("summaries.drop_unreachable"), values).rowcount
    return Collected(snapshots, blobs, chunks, vectors, summaries)


def _dropped_snapshots(connection: Connection[Any], values: Mapping[str, object]) -> int:
    """Drop what is collectable of a repository, while nobody completes a snapshot of it; how many there were."""
    connection.execute(query("snapshots.lock_repository"), values)
    dropped = 0
    while ids := [row[0] for row in connection.execute(query("snapshots.collectable"), values)]:
        connection.execute(query("snapshots.drop_snapshots"), {**values, "ids": ids})
        dropped += len(ids)  # what one of them stood on becomes collectable with it
    return dropped


def _row(store: PostgresStore, snapshot_id: UUID, entry: TreeEntry) -> tuple[Any, ...]:
    language = blob_key(entry)[0] if is_analysable(entry) else ""
    return (
        store.organisation_id,
        snapshot_id,
        storable(entry.path),
        bytes.fromhex(entry.blob_sha),
        int(entry.mode, 8),
        entry.size,
        language,
    )


def _differing(
    store: PostgresStore, snapshot_id: UUID, rows: Sequence[tuple[Any, ...]], below: StoredSnapshot
) -> list[tuple[Any, ...]]:
    """The rows that are not as they are below, and one without a blob for each file that is gone."""
    old = {storable(e.path): (e.blob_sha, e.mode) for e in entries(store, below.id)}
    fresh = [row for row in rows if old.get(row[2]) != (row[3].hex(), f"{row[4]:06o}")]
    there = {row[2] for row in rows}
    gone = [(store.organisation_id, snapshot_id, path, None, 0, 0, "") for path in old if path not in there]
    return fresh + gone


def _one(store: PostgresStore, name: str, repository_id: UUID) -> StoredSnapshot | None:
    values = {**_of(store, repository_id), "analyser": store.version}
    with store.transaction() as connection:
        row = connection.execute(query(name), values).fetchone()
    return StoredSnapshot(*row) if row else None


def _of(store: PostgresStore, repository_id: UUID) -> dict[str, object]:
    return {"organisation_id": store.organisation_id, "repository_id": repository_id}
