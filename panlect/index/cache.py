"""The terminal's blob cache: analyses by content in one SQLite file, shared by every repository of a user.

Nothing in it is the only copy: a file that cannot be read is renamed away and built anew.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from panlect.code.packed import COLUMNS, Column, Packed
from panlect.code.parse import ANALYSER_VERSION
from panlect.index.snapshot import BlobKey

_log = logging.getLogger(__name__)
_BUSY_S = 10
_KEPT_AFTER_EVICTION = 0.8  # of the limit, so that not every run evicts
_DAY_S = 86_400
_PER_STATEMENT = 2000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS blob (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
                                 used INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS search (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS symbols (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""
_SELECT: Mapping[Column, str] = {
    column: f"SELECT blob.key, part.content FROM json_each(?) AS wanted"  # noqa: S608 - names of our own
    f" JOIN blob ON blob.key = wanted.value JOIN {column} AS part ON part.id = blob.id"
    for column in COLUMNS
}


class BlobCache:
    """Packed analyses by (analyser version, language, blob), at most `max_bytes` of them; the oldest go first.

    Safe for several processes. A directory that cannot be written to makes it a cache in memory, with a warning.
    """

    def __init__(
        self, directory: Path, *, max_bytes: int = 2 * 1024**3, version: str = ANALYSER_VERSION
    ) -> None:
        self._version, self._max_bytes = version, max_bytes
        self._path = directory / "blobs.sqlite"
        self._connection = self._open()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def __enter__(self) -> BlobCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def known(self, keys: Iterable[BlobKey]) -> set[BlobKey]:
        """Which of these blobs are here; they count as used today."""
        wanted = {self._name(key): key for key in keys}
        found: set[BlobKey] = set()
        for names in _batches(sorted(wanted)):
            rows = self._rows(
                "SELECT blob.key FROM json_each(?) AS wanted JOIN blob ON blob.key = wanted.value", names
            )
            found.update(wanted[row[0]] for row in rows)
        self._touch([self._name(key) for key in found])
        return found

    def load(self, column: Column, keys: Sequence[BlobKey]) -> dict[BlobKey, bytes]:
        """One column of many blobs; those that are not here are left out."""
        wanted = {self._name(key): key for key in keys}
        found: dict[BlobKey, bytes] = {}
        for names in _batches(sorted(wanted)):
            found.update((wanted[name], content) for name, content in self._rows(_SELECT[column], names))
        return found

    def put(self, analyses: Iterable[tuple[BlobKey, Packed]]) -> None:
        """Keep these analyses. Those that are here already stay as they are."""
        try:
            with self._connection as connection:
                for key, packed in analyses:
                    self._insert(connection, key, packed)
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                raise
            self._rebuild(error)
            with self._connection as connection:
                for key, packed in analyses:
                    self._insert(connection, key, packed)
        self._evict()

    def _insert(self, connection: sqlite3.Connection, key: BlobKey, packed: Packed) -> None:
        cursor = connection.execute(
            "INSERT INTO blob (key, bytes, used) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (self._name(key), sum(map(len, packed)), _today()),
        )
        if cursor.rowcount:
            for column, content in zip(COLUMNS, packed, strict=True):
                connection.execute(
                    f"INSERT INTO {column} (id, content) VALUES (?, ?)",  # noqa: S608 - names of our own
                    (cursor.lastrowid, content),
                )

    def _rows(self, statement: str, names: Sequence[str]) -> list[tuple[str, bytes]]:
        try:
            return self._connection.execute(statement, (json.dumps(names),)).fetchall()
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                raise
            self._rebuild(error)
            return []

    def _touch(self, names: list[str]) -> None:
        """Mark as used, once a day: a read must not cost a write."""
        for batch in _batches(names):
            with self._connection as connection:
                connection.execute(
                    "UPDATE blob SET used = ?1 WHERE used < ?1 AND key IN (SELECT value FROM json_each(?2))",
                    (_today(), json.dumps(batch)),
                )

    def _evict(self) -> None:
        (total,) = self._connection.execute("SELECT COALESCE(SUM(bytes), 0) FROM blob").fetchone()
        if total <= self._max_bytes:
            return
        surplus = total - int(self._max_bytes * _KEPT_AFTER_EVICTION)
        gone: list[int] = []
        for number, size in self._connection.execute("SELECT id, bytes FROM blob ORDER BY used, id"):
            gone.append(number)
            surplus -= size
            if surplus <= 0:
                break
        with self._connection as connection:
            for table in ("blob", *COLUMNS):
                connection.execute(
                    f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
                    (json.dumps(gone),),
                )
        self._connection.execute("PRAGMA incremental_vacuum")

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _connect(str(self._path))
        except (OSError, sqlite3.OperationalError) as error:
            _log.warning("The blob cache %s cannot be used (%s): nothing is kept.", self._path, error)
            return _connect(":memory:")
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return _connect(str(self._path))

    def _rebuild(self, error: sqlite3.DatabaseError) -> None:
        self._connection.close()
        self._set_aside(error)
        self._connection = _connect(str(self._path))

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = self._path.with_name(f"{self._path.name}.corrupt")
        _log.warning("The blob cache %s is damaged (%s): it is now %s.", self._path, error, aside.name)
        os.replace(self._path, aside)  # noqa: PTH105 - overwrites the one before
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _name(self, key: BlobKey) -> str:
        return f"{self._version}:{key[0]}:{key[1]}"


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=_BUSY_S)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + _PER_STATEMENT] for at in range(0, len(names), _PER_STATEMENT))


def _today() -> int:
    return int(time.time()) // _DAY_S
