"""Stored summaries: what a file, a directory or a repository is, by content; read by search, context and pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from panlect.db.sql import query
from panlect.db.text import storable
from panlect.index.store import PostgresStore

Kind = Literal["file", "directory", "repository"]
EXTRACTIVE = "extractive"
_AT_ONCE = 5000
_MOST_CACHED = 500_000
_BUSY_S = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """A few sentences. `model` is "extractive" where they were taken out of the code, with no model asked."""

    key: bytes
    kind: Kind
    model: str
    prompt_version: int
    text: str
    extractive: bool
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A summary and what it is of: a path, "" for the repository; and of which commit."""

    path: str
    summary: Summary
    commit_sha: str = ""


class State(NamedTuple):
    """Of which snapshot there are summaries by a model, and since when."""

    snapshot_id: UUID
    placed_at: datetime


class SummaryStore(Protocol):
    """Where summaries are kept, by their keys."""

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Summary]:
        """Those that are there."""
        ...

    def put(self, summaries: Iterable[Summary]) -> None:
        """Keep these; what is there stays as it is."""
        ...


@dataclass(slots=True)
class MemorySummaries:
    """Summaries in a dictionary, for tests and where nothing is to be kept."""

    kept: dict[bytes, Summary] = field(default_factory=dict)

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Summary]:
        """Those that are there."""
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put(self, summaries: Iterable[Summary]) -> None:
        """Keep these."""
        for one in summaries:
            self.kept.setdefault(one.key, one)


@dataclass(frozen=True, slots=True)
class PostgresSummaries:
    """One organisation's summaries."""

    store: PostgresStore

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Summary]:
        """Those that are there."""
        found: dict[bytes, Summary] = {}
        for at in range(0, len(keys), _AT_ONCE):
            values = {"organisation_id": self.store.organisation_id, "keys": list(keys[at : at + _AT_ONCE])}
            with self.store.transaction() as connection:
                rows = connection.execute(query("summaries.known"), values).fetchall()
            found.update((bytes(row[0]), _summary(row)) for row in rows)
        return found

    def put(self, summaries: Iterable[Summary]) -> None:
        """Keep these."""
        rows = [
            (
                self.store.organisation_id,
                one.key,
                one.kind,
                one.model,
                one.prompt_version,
                storable(one.text),
                one.extractive,
                one.tokens_in,
                one.tokens_out,
            )
            for one in summaries
        ]
        kinds = ["uuid", "bytea", "text", "text", "int4", "text", "bool", "int4", "int4"]
        self.store.copy(
            "incoming_summary", "summaries.stage_summaries", "summaries.store_summaries", kinds, rows
        )


def place(store: PostgresStore, snapshot_id: UUID, keys: Mapping[str, bytes]) -> None:
    """Say which summaries a snapshot has, by path, in place of what its repository showed. One transaction."""
    rows = [(store.organisation_id, snapshot_id, storable(path), key) for path, key in keys.items()]
    values = {"organisation_id": store.organisation_id, "snapshot_id": snapshot_id}
    with store.transaction() as connection:
        connection.execute(query("summaries.forget_placed"), values)
        connection.execute(query("summaries.note_forgotten"), values)
        kinds = ["uuid", "uuid", "text", "bytea"]
        store.copy("incoming_placed", "summaries.stage_placed", "summaries.store_placed", kinds, rows)
        connection.execute(query("summaries.note_placed"), values)


def state(store: PostgresStore, repository_id: UUID) -> State | None:
    """Of which snapshot a model has made summaries, and when they were placed; None when it has made none."""
    values = {"organisation_id": store.organisation_id, "repository_id": repository_id}
    with store.transaction() as connection:
        row = connection.execute(query("summaries.state"), values).fetchone()
    return State(*row) if row else None


def languages(store: PostgresStore, snapshot_id: UUID) -> dict[str, int]:
    """How many files a commit has in each language, the most frequent first."""
    with store.transaction() as connection:
        rows = connection.execute(query("summaries.languages"), {"snapshot_id": snapshot_id}).fetchall()
    return dict(rows)


def newest_run(store: PostgresStore, repository_id: UUID) -> Mapping[str, Any] | None:
    """The newest run that summarised a repository: status, reason and progress."""
    from psycopg.rows import dict_row

    values = {"organisation_id": store.organisation_id, "repository_id": repository_id}
    with store.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("summaries.newest_run"), values).fetchone()


def placed(
    store: PostgresStore,
    repository_id: UUID,
    paths: Sequence[str] | None = None,
    *,
    below: str = "",
    by_model: bool = False,
    kinds: Sequence[Kind] | None = None,
    directly: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> list[Placed]:
    """The summaries of a repository by path.

    Of `paths` alone, of what is `below` (with `directly` not in a directory there), by a model alone, of some kinds.
    """
    values = {
        "organisation_id": store.organisation_id,
        "repository_id": repository_id,
        "paths": None if paths is None else [storable(path) for path in paths],
        "below": storable(below.strip("/")),
        "by_model": by_model,
        "kinds": None if kinds is None else list(kinds),
        "directly": directly,
        "limit": limit,
        "offset": offset,
    }
    with store.transaction() as connection:
        rows = connection.execute(query("summaries.placed"), values).fetchall()
    return [Placed(row[0], _summary(row[1:9]), row[9]) for row in rows]


class SummaryCache:
    """The terminal's summaries in a file beside its blob cache. Nothing in it is the only copy.

    A file that cannot be used is replaced by memory: then summaries are made anew the next time.
    """

    def __init__(self, directory: Path) -> None:
        self._connection = _opened(directory / "summaries.sqlite")

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def __enter__(self) -> SummaryCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Summary]:
        """Those that are there."""
        found: dict[bytes, Summary] = {}
        for key in keys:
            row = self._connection.execute(
                "SELECT key, kind, model, prompt_version, text, extractive, tokens_in, tokens_out"
                " FROM summary WHERE key = ?",
                (key,),
            ).fetchone()
            if row is not None:
                found[key] = _summary(row)
        return found

    def put(self, summaries: Iterable[Summary]) -> None:
        """Keep what a model made; the rest costs nothing to make again."""
        rows = [
            (s.key, s.kind, s.model, s.prompt_version, s.text, s.extractive, s.tokens_in, s.tokens_out)
            for s in summaries
            if not s.extractive
        ]
        with self._connection as connection:
            connection.executemany("INSERT OR IGNORE INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute(
                "DELETE FROM summary WHERE rowid <= (SELECT max(rowid) - ? FROM summary)", (_MOST_CACHED,)
            )


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _connect(str(path))
    except (OSError, sqlite3.DatabaseError):
        return _connect(":memory:")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=_BUSY_S)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS summary (key BLOB PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL,"
            " prompt_version INTEGER NOT NULL, text TEXT NOT NULL, extractive INTEGER NOT NULL,"
            " tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL)"
        )
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _summary(row: Sequence[object]) -> Summary:
    key, kind, model, version, text, extractive, tokens_in, tokens_out = row
    return Summary(
        bytes(key),  # type: ignore[call-overload]
        kind,  # type: ignore[arg-type]
        str(model),
        int(version),  # type: ignore[call-overload]
        str(text),
        bool(extractive),
        int(tokens_in),  # type: ignore[call-overload]
        int(tokens_out),  # type: ignore[call-overload]
    )
