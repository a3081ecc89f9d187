"""What the sandbox forge remembers: accounts, repositories, pull requests, reviews, checks, hooks, deliveries.

One SQLite file beside the bare repositories; every value that GitHub would keep, nothing more.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (login TEXT PRIMARY KEY, token TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS repository (
    id INTEGER PRIMARY KEY, full_name TEXT UNIQUE NOT NULL, default_branch TEXT NOT NULL, description TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pull (
    id INTEGER PRIMARY KEY, repository TEXT NOT NULL, number INTEGER NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    author TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', draft INTEGER NOT NULL DEFAULT 0,
    base_ref TEXT NOT NULL, base_sha TEXT NOT NULL, head_ref TEXT NOT NULL, head_sha TEXT NOT NULL,
    created_at TEXT NOT NULL, UNIQUE (repository, number)
);
CREATE TABLE IF NOT EXISTS review (
    id INTEGER PRIMARY KEY, repository TEXT NOT NULL, number INTEGER NOT NULL, author TEXT NOT NULL, state TEXT NOT NULL,
    body TEXT NOT NULL, commit_id TEXT NOT NULL, submitted_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS comment (
    id INTEGER PRIMARY KEY, review_id INTEGER NOT NULL REFERENCES review (id), repository TEXT NOT NULL,
    number INTEGER NOT NULL, author TEXT NOT NULL, path TEXT NOT NULL, side TEXT NOT NULL, line INTEGER NOT NULL,
    start_line INTEGER, commit_id TEXT NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS check_run (
    id INTEGER PRIMARY KEY, repository TEXT NOT NULL, head_sha TEXT NOT NULL, name TEXT NOT NULL, author TEXT NOT NULL,
    status TEXT NOT NULL, conclusion TEXT, details_url TEXT NOT NULL, output TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hook (
    id INTEGER PRIMARY KEY, repository TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, events TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY, hook_id INTEGER NOT NULL REFERENCES hook (id), guid TEXT NOT NULL, event TEXT NOT NULL,
    action TEXT NOT NULL, payload BLOB NOT NULL, redelivery INTEGER NOT NULL DEFAULT 0, status_code INTEGER,
    delivered_at TEXT NOT NULL
);
"""


def now() -> str:
    """The time as GitHub writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Store:
    """The forge's memory in `directory`: `forge.sqlite` and `repositories/<owner>/<name>.git`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(directory / "forge.sqlite", check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write at a time; all of it or nothing, what is nested inside included."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection  # the outer one commits
                return
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Every row of a query."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(sql, values)]

    def row(self, sql: str, *values: object) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def insert(self, table: str, **values: object) -> int:
        """Insert one row; its id. Table and column names are ours, never a caller's."""
        columns = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        with self.transaction() as connection:
            cursor = connection.execute(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values())
            )
            return int(cursor.lastrowid or 0)

    def git_dir(self, full_name: str) -> Path:
        """Where the bare repository lies."""
        return self.directory / "repositories" / f"{full_name}.git"

    def add_account(self, login: str, token: str) -> None:
        """An account that signs in with `token`; the same login again gets the new token."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO account (login, token) VALUES (?, ?)", (login, token))

    def login_of(self, token: str) -> str | None:
        """Whose token this is."""
        found = self.row("SELECT login FROM account WHERE token = ?", token)
        return str(found["login"]) if found else None

    def repository(self, full_name: str) -> dict[str, Any] | None:
        """A repository by its full name."""
        return self.row("SELECT * FROM repository WHERE full_name = ?", full_name)

    def add_repository(self, full_name: str, default_branch: str, description: str = "") -> None:
        """Remember a repository whose bare git directory lies at `git_dir` already."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO repository (full_name, default_branch, description) VALUES (?, ?, ?)"
                " ON CONFLICT (full_name) DO UPDATE SET default_branch = excluded.default_branch",
                (full_name, default_branch, description),
            )

    def pull(self, full_name: str, number: int) -> dict[str, Any] | None:
        """A pull request by its number."""
        return self.row("SELECT * FROM pull WHERE repository = ? AND number = ?", full_name, number)

    def add_pull(self, full_name: str, **values: object) -> int:
        """Open a pull request; its number."""
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT max(number) FROM pull WHERE repository = ?", (full_name,)
            ).fetchone()
            number = int(row[0] or 0) + 1
            self.insert("pull", repository=full_name, number=number, created_at=now(), **values)
        return number

    def open_pulls_with_head(self, full_name: str, head_ref: str) -> list[dict[str, Any]]:
        """Open pull requests of a branch."""
        return self.rows(
            "SELECT * FROM pull WHERE repository = ? AND head_ref = ? AND state = 'open'", full_name, head_ref
        )

    def move_head(self, full_name: str, number: int, head_sha: str) -> None:
        """The branch of a pull request was pushed."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE pull SET head_sha = ? WHERE repository = ? AND number = ?",
                (head_sha, full_name, number),
            )

    def set_state(self, full_name: str, number: int, state: str) -> None:
        """Close or reopen a pull request."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE pull SET state = ? WHERE repository = ? AND number = ?", (state, full_name, number)
            )

    def add_review(
        self,
        full_name: str,
        number: int,
        author: str,
        body: str,
        commit_id: str,
        comments: list[dict[str, Any]],
    ) -> int:
        """One review with all its comments, or nothing of it."""
        with self.transaction():
            review = self.insert(
                "review", repository=full_name, number=number, author=author, state="COMMENTED", body=body,
                commit_id=commit_id, submitted_at=now(),
            )  # fmt: skip
            for comment in comments:
                self.insert(
                    "comment", review_id=review, repository=full_name, number=number, author=author,
                    path=comment["path"], side=comment["side"], line=comment["line"], start_line=comment["start_line"],
                    commit_id=commit_id, body=comment["body"], created_at=now(),
                )  # fmt: skip
        return review

    def update_check(self, check_id: int, values: dict[str, Any]) -> None:
        """Replace what a check says."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE check_run SET status = ?, conclusion = ?, details_url = ?, output = ?, updated_at = ?"
                " WHERE id = ?",
                (
                    values["status"],
                    values["conclusion"],
                    values["details_url"],
                    json.dumps(values["output"]),
                    now(),
                    check_id,
                ),
            )

    def record_delivery(self, delivery_id: int, status_code: int) -> None:
        """What the receiver answered; 0 when it did not."""
        with self.transaction() as connection:
            connection.execute("UPDATE delivery SET status_code = ? WHERE id = ?", (status_code, delivery_id))
