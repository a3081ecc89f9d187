"""Bring a database to this program's schema: numbered files, forward only, each applied once.

A file is one transaction, unless its first line is `-- no-transaction` (concurrent index builds). What ran
is recorded with its sha256: a file that was edited afterwards is an error, never a silent difference.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, LiteralString

from panlect.errors import DatabaseError, MigrationError

if TYPE_CHECKING:
    from psycopg import Connection

MINIMUM_SERVER = 150_000
MINIMUM_VECTOR = (0, 8, 0)
_LOCK_KEY = 0x70616E6C656374  # "panlect": one migrator per database at a time
_LOCK_ATTEMPTS = 6
_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_INCLUDE = re.compile(r"^-- include: procrastinate/sql/schema\.sql sha256=([0-9a-f]{64})$", re.MULTILINE)
_RECORD: LiteralString = """
create schema if not exists panlect;
create table if not exists panlect.migration (
    number int primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What identifies the file's content."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Whether all of the file happens or nothing of it."""
        return not self.text.startswith("-- no-transaction\n")

    def statements(self) -> LiteralString:
        """The SQL to run, with the queue's own schema put in where the file asks for it."""
        return _INCLUDE.sub(_queue_schema, self.text)


def migrations() -> list[Migration]:
    """Every migration of this program, in order. Raises MigrationError when a number is missing or double."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in (resources.files("panlect.db") / "migrations").iterdir()
        if (match := _FILE.match(entry.name))
    ]
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("The migrations are not numbered 1, 2, 3 ...", fix="Reinstall Panlect.")
    return found


def migrate(url: str, known: list[Migration] | None = None) -> list[str]:
    """Apply what is missing and return the names; several at a time wait for each other.

    Raises MigrationError when the history differs from the files, DatabaseError when the server cannot be
    reached or is too old.
    """
    known = migrations() if known is None else known
    with _connected(url) as connection:
        _check_server(connection)
        connection.execute("select pg_advisory_lock(%s)", [_LOCK_KEY])  # released when we disconnect
        connection.execute(_RECORD)
        missing = known[_check_history(connection, known) :]
        for migration in missing:
            _apply(connection, migration)
        _check_vector(connection)
    return [f"{migration.number:04} {migration.name}" for migration in missing]


def check(url: str, known: list[Migration] | None = None) -> None:
    """Raise MigrationError unless the database has exactly this program's schema."""
    known = migrations() if known is None else known
    with _connected(url) as connection:
        there = connection.execute("select to_regclass('panlect.migration') is not null").fetchone()
        applied = _check_history(connection, known) if there and there[0] else 0
    if applied < len(known):
        raise MigrationError(
            f"The database is at schema {applied}, this program needs {len(known)}.",
            fix="Run `panlect migrate`.",
        )


def _connected(url: str) -> Connection:
    import psycopg

    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseError(
            "Postgres cannot be reached.", why=str(error).strip(), fix="Check DATABASE_URL and the server."
        ) from None


def _check_server(connection: Connection) -> None:
    if connection.info.server_version < MINIMUM_SERVER:
        raise DatabaseError(
            f"Postgres {connection.info.server_version // 10_000} is too old.", fix="Use 15 or newer."
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(
            f"The database's encoding is {encoding}.", fix="Create it with `encoding 'UTF8'`."
        )


def _check_vector(connection: Connection) -> None:
    row = connection.execute("select extversion from pg_extension where extname = 'vector'").fetchone()
    version = row[0] if row else "none"
    if not row or tuple(int(part) for part in version.split(".")) < MINIMUM_VECTOR:
        raise DatabaseError(
            f"pgvector {version} is too old: recall under filters needs 0.8.0.",
            fix="Install it, then `alter extension vector update`.",
        )


def _check_history(connection: Connection, known: list[Migration]) -> int:
    """How many of the known migrations ran. Raises MigrationError when something else ran."""
    rows = connection.execute("select number, name, sha256 from panlect.migration order by number").fetchall()
    if len(rows) > len(known):
        raise MigrationError(
            f"The database is at schema {len(rows)}, newer than this program's {len(known)}.",
            fix="Run the newer Panlect: schemas only go forward.",
        )
    for (number, name, sha256), migration in zip(rows, known, strict=False):
        if (number, sha256) != (migration.number, migration.sha256):
            raise MigrationError(
                f"Migration {number:04} {name} was edited after it ran.",
                fix="Restore the file as it was and put the change into a new migration.",
            )
    return len(rows)


def _apply(connection: Connection, migration: Migration) -> None:
    import psycopg

    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            return _apply_once(connection, migration)
        except psycopg.errors.LockNotAvailable:
            # Better to step back and try again than to queue every reader behind our waiting lock.
            if attempt == _LOCK_ATTEMPTS:
                raise MigrationError(
                    f"Migration {migration.number:04} {migration.name} did not get its table locks.",
                    fix="Stop long transactions and run `panlect migrate` again.",
                ) from None
        except psycopg.Error as error:
            raise MigrationError(
                f"Migration {migration.number:04} {migration.name} failed.",
                why=str(error).strip(),
                fix="Nothing of it was kept."
                if migration.in_transaction
                else "Some of it may have been kept.",
            ) from error


def _apply_once(connection: Connection, migration: Migration) -> None:
    record = "insert into panlect.migration (number, name, sha256) values (%s, %s, %s)"
    values = [migration.number, migration.name, migration.sha256]
    if migration.in_transaction:
        with connection.transaction():
            connection.execute("set local lock_timeout = '5s'")
            connection.execute("set local search_path = panlect, public")
            connection.execute(migration.statements())
            connection.execute(record, values)
        return
    connection.execute("set search_path = panlect, public")
    for statement in migration.statements().split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(record, values)


def _queue_schema(match: re.Match[str]) -> str:
    """Procrastinate's schema, as its package ships it and as the migration pinned it."""
    text = (resources.files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8")
    if hashlib.sha256(text.encode()).hexdigest() != match[1]:
        raise MigrationError(
            "The installed procrastinate brings another schema than this program was made for.",
            fix="Install the version of requirements.lock.",
        )
    return text
