"""Reviews and runs as people list them, and the steps of a review in the order in which they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query, rows_of

if TYPE_CHECKING:
    from psycopg import AsyncConnection

Row = dict[str, Any]


async def list_reviews(
    connection: AsyncConnection[Any],
    organisation_id: UUID,
    *,
    repository: str = "",
    number: int | None = None,
    limit: int = 50,
) -> list[Row]:
    """The newest reviews, of one repository or pull request when that is said."""
    values = {"organisation_id": organisation_id, "repository": repository, "number": number, "limit": limit}
    return await rows_of(connection, "trace.list_reviews", values)


async def find_review_row(
    connection: AsyncConnection[Any], organisation_id: UUID, review_id: UUID
) -> Row | None:
    """One review as it stands in a list."""
    values = {"organisation_id": organisation_id, "review_id": review_id}
    rows = await rows_of(connection, "trace.find_review_row", values)
    return rows[0] if rows else None


async def find_verdict(
    connection: AsyncConnection[Any], organisation_id: UUID, repository: str, sha: str
) -> Row | None:
    """What is known of one commit: `review_id` when a verdict is stored, `running` when one is under way, the policy of
    its check. None when there is no such repository.
    """
    values = {"organisation_id": organisation_id, "repository": repository, "sha": sha}
    rows = await rows_of(connection, "trace.find_verdict", values)
    return rows[0] if rows else None


async def list_steps(connection: AsyncConnection[Any], organisation_id: UUID, review_id: UUID) -> list[Row]:
    """The steps of a review's run and of its publish run, oldest first."""
    values = {"organisation_id": organisation_id, "review_id": review_id}
    return await rows_of(connection, "trace.list_steps", values)


async def find_context(connection: AsyncConnection[Any], organisation_id: UUID, review_id: UUID) -> list[Row]:
    """The context items that were gathered for a review."""
    values = {"organisation_id": organisation_id, "review_id": review_id}
    rows = await rows_of(connection, "trace.find_context", values)
    return list(rows[0]["items"] or []) if rows else []


async def find_impact(connection: AsyncConnection[Any], organisation_id: UUID, review_id: UUID) -> Row | None:
    """How far a review's change reaches over all repositories; None where that was not asked."""
    values = {"organisation_id": organisation_id, "review_id": review_id}
    rows = await rows_of(connection, "trace.find_impact", values)
    return rows[0]["impact"] if rows else None


async def list_runs(
    connection: AsyncConnection[Any], organisation_id: UUID, *, kind: str = "", limit: int = 50
) -> list[Row]:
    """The newest runs, of one kind when that is said."""
    values = {"organisation_id": organisation_id, "kind": kind, "limit": limit}
    return await rows_of(connection, "trace.list_runs", values)


async def waiting_runs(db: Database) -> float:
    """How many runs wait, over all organisations."""
    async with db.system() as connection:
        row = await (await connection.execute(query("trace.waiting_runs"))).fetchone()
    return float(row[0]) if row else 0.0
