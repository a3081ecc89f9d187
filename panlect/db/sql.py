"""Named queries: SQL lives in `sql/*.sql`, each with a name and a reason, and Python binds the values.

A query starts with `-- name: verb_noun`, followed by at least one comment line that says why it is as it
is, and ends where the next one starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, LiteralString, cast

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_HEAD = re.compile(r"^-- name: ([a-z0-9_]+)$", re.MULTILINE)


def query(path: str) -> LiteralString:
    """The text of `file.name`, as in `query("runs.claim_run")`. Raises KeyError for an unknown one."""
    file, _, name = path.partition(".")
    return _queries(file)[name]


async def rows_of(
    connection: AsyncConnection[Any], path: str, values: Mapping[str, object] | Sequence[object]
) -> list[dict[str, Any]]:
    """Every row of a named query, by column."""
    from psycopg.rows import dict_row

    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(path), values)
        return await cursor.fetchall()


def names() -> list[str]:
    """Every query of every file, as `file.name`."""
    files = sorted(entry.name[:-4] for entry in _directory().iterdir() if entry.name.endswith(".sql"))
    return [f"{file}.{name}" for file in files for name in _queries(file)]


@cache
def _queries(file: str) -> dict[str, LiteralString]:
    parts = _HEAD.split((_directory() / f"{file}.sql").read_text(encoding="utf-8"))
    found: dict[str, LiteralString] = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        if name in found or not text.lstrip("\n").startswith("-- "):
            raise ValueError(f"sql/{file}.sql: {name} is there twice, or has no line that says why.")
        found[name] = cast("LiteralString", text.strip())  # our own files are as good as literals
    return found


def _directory() -> resources.abc.Traversable:
    return resources.files("panlect.db") / "sql"
