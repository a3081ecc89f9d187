"""The index in Postgres: analyses by content, snapshots of a commit, vectors by repository.

Used from threads and from Ray's workers, so it is synchronous: one connection, one transaction a call, each
under the tenant's role. COPY is refused under row level security, so rows travel by binary COPY into a
temporary table and from there, what is there already being skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.code.packed import COLUMNS, Column, Packed
from panlect.code.parse import ANALYSER_VERSION
from panlect.db.pool import APP_ROLE, enter
from panlect.db.sql import query
from panlect.db.text import storable
from panlect.errors import DatabaseError
from panlect.git.tree import TreeEntry
from panlect.index.snapshot import BlobKey

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from psycopg import Connection

_BATCH = 5000


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot's row."""

    id: UUID
    commit_sha: str
    state: str


class PostgresStore:
    """Analyses, snapshots and vectors of one organisation. Use as a context manager.

    Raises DatabaseError when Postgres cannot be reached.
    """

    def __init__(self, url: str, organisation_id: UUID, *, version: str = ANALYSER_VERSION) -> None:
        self._url, self._organisation_id, self._version = url, organisation_id, version
        self._connection: Connection[Any] | None = None

    def __enter__(self) -> PostgresStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Analyses

    def known(self, keys: Iterable[BlobKey]) -> set[BlobKey]:
        """Which blobs are analysed already."""
        wanted = list(keys)
        with self._transaction() as connection:
            rows = connection.execute(query("index.known_blobs"), self._columns_of(wanted)).fetchall()
        return {(self._language(analyser), bytes(sha).hex()) for sha, analyser in rows}

    def load(self, column: Column, keys: Sequence[BlobKey]) -> dict[BlobKey, bytes]:
        """One column of many blobs; those that are not kept are left out."""
        if column not in COLUMNS:
            raise ValueError(column)
        with self._transaction() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(query(f"index.load_{column}"), self._columns_of(keys))
            return {(self._language(row[1]), bytes(row[0]).hex()): bytes(row[2]) for row in cursor}

    def put(self, analyses: Iterable[tuple[BlobKey, Packed]]) -> None:
        """Keep new analyses; those that are there stay as they are."""
        rows = [
            (self._organisation_id, bytes.fromhex(sha), self._analyser(language), *packed)
            for (language, sha), packed in analyses
        ]
        kinds = ["uuid", "bytea", "text", "bytea", "bytea", "bytea", "bytea"]
        self._copy("incoming_blob", "index.stage_blobs", "index.store_blobs", kinds, rows)

    # Snapshots

    def begin_snapshot(
        self, repository_id: UUID, commit_sha: str, parent_id: UUID | None = None
    ) -> StoredSnapshot:
        """The snapshot of a commit, made when there is none; a rerun goes on with the one that is there."""
        values = {
            "organisation_id": self._organisation_id,
            "repository_id": repository_id,
            "commit_sha": commit_sha,
            "parent_id": parent_id,
            "analyser": self._version,
        }
        with self._transaction() as connection:
            connection.execute(query("index.begin_snapshot"), values)
            row = connection.execute(query("index.find_snapshot"), values).fetchone()
        assert row is not None
        return StoredSnapshot(*row)

    def active_snapshot(self, repository_id: UUID) -> StoredSnapshot | None:
        """What is searched now."""
        values = {"organisation_id": self._organisation_id, "repository_id": repository_id}
        with self._transaction() as connection:
            row = connection.execute(query("index.active_snapshot"), values).fetchone()
        return StoredSnapshot(*row) if row else None

    def put_entries(self, snapshot_id: UUID, entries: Sequence[TreeEntry]) -> None:
        """The files of a snapshot."""
        rows = [
            (
                self._organisation_id,
                snapshot_id,
                storable(e.path),
                bytes.fromhex(e.blob_sha),
                int(e.mode, 8),
                e.size,
            )
            for e in entries
        ]
        kinds = ["uuid", "uuid", "text", "bytea", "int4", "int8"]
        self._copy("incoming_entry", "index.stage_entries", "index.store_entries", kinds, rows)

    def entries(self, snapshot_id: UUID) -> list[TreeEntry]:
        """The files of a snapshot, by path."""
        values = {"organisation_id": self._organisation_id, "snapshot_id": snapshot_id}
        with self._transaction() as connection:
            rows = connection.execute(query("index.list_entries"), values).fetchall()
        return [TreeEntry(path, bytes(sha).hex(), f"{mode:06o}", size) for path, sha, mode, size in rows]

    def activate(self, snapshot_id: UUID, *, files: int, chunks: int) -> None:
        """Search this snapshot from now on, the old one no longer: one transaction."""
        from panlect.faults import fault

        values = {
            "organisation_id": self._organisation_id,
            "snapshot_id": snapshot_id,
            "files": files,
            "chunks": chunks,
        }
        fault("index.before_activate")
        with self._transaction() as connection:
            connection.execute(query("index.complete_snapshot"), values)
            connection.execute(query("index.retire_others"), values)
            connection.execute(query("index.activate_snapshot"), values)

    # Chunks and vectors

    def put_chunks(self, chunks: Iterable[tuple[bytes, str]]) -> None:
        """Texts by hash; what is there is skipped."""
        rows = [(self._organisation_id, digest, storable(text)) for digest, text in chunks]
        self._copy(
            "incoming_chunk", "index.stage_chunks", "index.store_chunks", ["uuid", "bytea", "text"], rows
        )

    def adopt_vectors(self, repository_id: UUID, hashes: Sequence[bytes], model: str) -> int:
        """Copy vectors that another repository of the organisation has already; how many."""
        values = {
            "organisation_id": self._organisation_id,
            "repository_id": repository_id,
            "model": model,
            "hashes": list(hashes),
        }
        with self._transaction() as connection:
            return connection.execute(query("index.adopt_vectors"), values).rowcount

    def without_vectors(
        self, repository_id: UUID, hashes: Sequence[bytes], model: str
    ) -> list[tuple[bytes, str]]:
        """(hash, text) of the chunks that still need a vector, by hash."""
        values = {
            "organisation_id": self._organisation_id,
            "repository_id": repository_id,
            "model": model,
            "hashes": list(hashes),
        }
        with self._transaction() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(query("index.chunks_without_vectors"), values)
            return [(bytes(digest), text) for digest, text in cursor]

    def put_vectors(
        self, repository_id: UUID, model: str, hashes: Sequence[bytes], vectors: NDArray[Any]
    ) -> None:
        """Unit vectors of chunks."""
        from pgvector import HalfVector

        rows = [
            (self._organisation_id, repository_id, digest, model, HalfVector(vector))
            for digest, vector in zip(hashes, vectors, strict=True)
        ]
        kinds = ["uuid", "uuid", "bytea", "text", "halfvec"]
        self._copy("incoming_vector", "index.stage_vectors", "index.store_vectors", kinds, rows)

    def note_embedded(self, snapshot_id: UUID, embedded: int) -> None:
        """How many of a snapshot's chunks have a vector by now."""
        values = {"organisation_id": self._organisation_id, "snapshot_id": snapshot_id, "embedded": embedded}
        with self._transaction() as connection:
            connection.execute(query("index.note_embedded"), values)

    def nearest(
        self, repository_id: UUID, model: str, vector: NDArray[Any], limit: int
    ) -> list[tuple[bytes, float]]:
        """(chunk hash, cosine) of the repository's nearest vectors, whatever snapshot they belong to."""
        from pgvector import HalfVector

        values = {
            "organisation_id": self._organisation_id,
            "repository_id": repository_id,
            "model": model,
            "vector": HalfVector(vector),
            "limit": limit,
        }
        with self._transaction() as connection:
            # A generic plan would take an index whose recall is poor for a small repository.
            connection.execute("set local plan_cache_mode = force_custom_plan")
            connection.execute("set local hnsw.iterative_scan = relaxed_order")
            rows = connection.execute(query("index.nearest"), values).fetchall()
        return [(bytes(digest), float(cosine)) for digest, cosine in rows]

    # How it is done

    def _columns_of(self, keys: Sequence[BlobKey]) -> Mapping[str, object]:
        return {
            "organisation_id": self._organisation_id,
            "shas": [bytes.fromhex(sha) for _, sha in keys],
            "analysers": [self._analyser(language) for language, _ in keys],
        }

    def _analyser(self, language: str) -> str:
        return f"{self._version}/{language}"

    def _language(self, analyser: str) -> str:
        return analyser.rsplit("/", 1)[1]

    def _copy(
        self, table: str, stage: str, store: str, kinds: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        for at in range(0, len(rows), _BATCH):
            with self._transaction() as connection:
                connection.execute(query(stage))
                with connection.cursor() as cursor:
                    with cursor.copy(f"copy {table} from stdin (format binary)") as copy:
                        copy.set_types(kinds)
                        for row in rows[at : at + _BATCH]:
                            copy.write_row(row)
                    cursor.execute(query(store))

    @contextmanager
    def _transaction(self) -> Iterator[Connection[Any]]:
        connection = self._connection or self._opened()
        with connection.transaction():
            enter(connection, APP_ROLE, str(self._organisation_id))
            yield connection

    def _opened(self) -> Connection[Any]:
        import psycopg
        from pgvector.psycopg import register_vector

        try:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise DatabaseError(
                "Postgres cannot be reached.", why=str(error).strip(), fix="Check DATABASE_URL."
            ) from None
        register_vector(self._connection)
        return self._connection
