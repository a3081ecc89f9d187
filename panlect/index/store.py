"""Analyses and chunk texts in Postgres, by content; and the way into it that snapshots and vectors share.

Used from threads and from Ray's workers, so it is synchronous: one connection, one transaction a call, each
under the tenant's role. COPY is refused under row level security, so rows travel by binary COPY into a
temporary table and from there, what is there already being skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from panlect.code.packed import COLUMNS, Column, Packed, name_id, search_of, symbols_of
from panlect.code.parse import ANALYSER_VERSION
from panlect.db.pool import APP_ROLE, enter
from panlect.db.sql import query
from panlect.db.text import storable
from panlect.errors import DatabaseError
from panlect.index.snapshot import BlobKey

if TYPE_CHECKING:
    from psycopg import Connection, Copy
    from psycopg.abc import AdaptContext

_BATCH = 5000
_INT4_ARRAY = 1007  # the type's number in every Postgres
_ARRAY_HEAD = np.array([1, 0, 23], dtype=">i4").tobytes()  # one dimension, no nulls, of int4


class PostgresStore:
    """One organisation's part of the index. Use as a context manager.

    Raises DatabaseError when Postgres cannot be reached.
    """

    def __init__(self, url: str, organisation_id: UUID, *, version: str = ANALYSER_VERSION) -> None:
        self.url, self.organisation_id, self.version = url, organisation_id, version
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
        with self.transaction() as connection:
            rows = connection.execute(query("index.known_blobs"), self._columns_of(wanted)).fetchall()
        return {(_language(analyser), bytes(sha).hex()) for sha, analyser in rows}

    def load(self, column: Column, keys: Sequence[BlobKey]) -> dict[BlobKey, bytes]:
        """One column of many blobs; those that are not kept are left out."""
        if column not in COLUMNS:
            raise ValueError(column)
        found: dict[BlobKey, bytes] = {}
        for at in range(0, len(keys), _BATCH):
            with self.transaction() as connection, connection.cursor(binary=True) as cursor:
                cursor.execute(query(f"index.load_{column}"), self._columns_of(keys[at : at + _BATCH]))
                found.update(((_language(row[1]), bytes(row[0]).hex()), bytes(row[2])) for row in cursor)
        return found

    def put(
        self, analyses: Iterable[tuple[BlobKey, Packed]], ms: Mapping[BlobKey, float] | None = None
    ) -> None:
        """Keep new analyses, and how long each took; those that are there stay as they are."""
        took = ms or {}
        rows = [
            (
                self.organisation_id,
                bytes.fromhex(sha),
                self.analyser(language),
                *packed,
                _Int4Array(names_of(packed.symbols)),
                search_of(packed.search).hashes,
                took.get((language, sha), 0.0),
            )
            for (language, sha), packed in analyses
        ]
        kinds = ["uuid", "bytea", "text", "bytea", "bytea", "bytea", "bytea", "int4[]", "bytea", "float4"]
        self.copy("incoming_blob", "index.stage_blobs", "index.store_blobs", kinds, rows)

    # Chunk texts

    def put_chunks(self, chunks: Iterable[tuple[bytes, str]]) -> None:
        """Texts by hash; what is there is skipped."""
        rows = [(self.organisation_id, digest, storable(text)) for digest, text in chunks]
        kinds = ["uuid", "bytea", "text"]
        self.copy("incoming_chunk", "index.stage_chunks", "index.store_chunks", kinds, rows)

    def read_chunks(self, hashes: Sequence[bytes]) -> dict[bytes, str]:
        """Texts by hash; those that are not kept are left out."""
        with self.transaction() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(
                query("index.read_chunks"),
                {"organisation_id": self.organisation_id, "hashes": list(hashes)},
            )
            return {bytes(digest): text for digest, text in cursor}

    # The way in

    def analyser(self, language: str) -> str:
        """Under which name analyses in a language are kept."""
        return f"{self.version}/{language}"

    def copy(
        self, table: str, stage: str, store: str, kinds: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Rows into the temporary table that `stage` makes and `store` empties, some thousands a transaction."""
        for at in range(0, len(rows), _BATCH):
            with self.copying(table, stage, store) as copy:
                copy.set_types(kinds)
                for row in rows[at : at + _BATCH]:
                    copy.write_row(row)

    @contextmanager
    def copying(self, table: str, stage: str, store: str) -> Iterator[Copy]:
        """One transaction: a binary COPY into the table that `stage` makes, then `store`."""
        with self.transaction() as connection:
            connection.execute(query(stage))
            with connection.cursor() as cursor:
                with cursor.copy(f"copy {table} from stdin (format binary)") as copy:
                    yield copy
                cursor.execute(query(store))
                cursor.execute(
                    f"drop table pg_temp.{table}".encode()
                )  # the next one may be in this transaction

    @contextmanager
    def transaction(self) -> Iterator[Connection[Any]]:
        """A transaction under the tenant's role, on the store's one connection; inside another a part of it.

        A connection that is found dead at the start is replaced once. Raises DatabaseError when it dies later.
        """
        import psycopg

        try:
            with ExitStack() as stack:
                yield self._begun(stack)
        except psycopg.OperationalError as error:
            if self._connection is not None and not self._connection.closed:
                raise  # a timeout or a deadlock: the caller's own
            self.close()
            raise DatabaseError(
                "The connection to Postgres broke.",
                why=str(error).strip(),
                fix="Try again; check the server.",
            ) from None

    def _begun(self, stack: ExitStack) -> Connection[Any]:
        """The connection, inside a transaction that `stack` ends."""
        import psycopg

        connection = self._connection
        if connection is not None and not connection.closed:
            is_outermost = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            try:
                return self._entered(connection, stack)
            except psycopg.OperationalError:
                if not (is_outermost and connection.closed):
                    raise
        return self._entered(self._opened(), stack)

    def _entered(self, connection: Connection[Any], stack: ExitStack) -> Connection[Any]:
        with ExitStack() as entering:
            entering.enter_context(connection.transaction())
            enter(connection, APP_ROLE, str(self.organisation_id))
            stack.enter_context(entering.pop_all())
        return connection

    def _columns_of(self, keys: Sequence[BlobKey]) -> Mapping[str, object]:
        return {
            "organisation_id": self.organisation_id,
            "shas": [bytes.fromhex(sha) for _, sha in keys],
            "analysers": [self.analyser(language) for language, _ in keys],
        }

    def _opened(self) -> Connection[Any]:
        import psycopg
        from pgvector.psycopg import register_vector

        try:
            connection = psycopg.connect(self.url, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise DatabaseError(
                "Postgres cannot be reached.", why=str(error).strip(), fix="Check DATABASE_URL."
            ) from None
        register_vector(connection)
        _register_int4_array(connection)
        self._connection = connection
        return connection


def names_of(symbols: bytes) -> np.ndarray[Any, Any]:
    """The 32-bit hashes of the names that a blob defines, uses, extends and mentions, ascending."""
    columns = symbols_of(symbols)
    ids = np.frombuffer(b"".join((columns.defined, columns.used, columns.extended, columns.mentioned)), "<u8")
    return np.unique(ids.astype(np.uint32).view(np.int32))


def name_number(name: str) -> int:
    """The hash of one name among those of `names_of`."""
    return int(np.uint64(name_id(name)).astype(np.uint32).view(np.int32))


def _language(analyser: str) -> str:
    return analyser.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class _Int4Array:
    """Numbers on their way into an int[] column: a list of them would be dumped one by one."""

    numbers: np.ndarray[Any, Any]

    def encoded(self) -> bytes:
        """As Postgres sends and receives arrays: header, length, lower bound, then each number with its size."""
        if not len(self.numbers):
            return np.array([0, 0, 23], dtype=">i4").tobytes()
        pairs = np.full((len(self.numbers), 2), 4, dtype=">i4")
        pairs[:, 1] = self.numbers
        return _ARRAY_HEAD + np.array([len(self.numbers), 1], dtype=">i4").tobytes() + pairs.tobytes()


def _register_int4_array(context: AdaptContext) -> None:
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class Int4ArrayDumper(Dumper):
        format = Format.BINARY
        oid = _INT4_ARRAY

        def dump(self, obj: _Int4Array) -> bytes:
            return obj.encoded()

    context.adapters.register_dumper(_Int4Array, Int4ArrayDumper)
