"""What models cost and how long they take: by role, model, repository, pull request, day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import rows_of
from panlect.errors import BadInputError
from panlect.llm.table import Budget

BY = ("role", "model", "repository", "pull_request", "day", "outcome")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spent:
    """One budget now: what is settled, what is promised, and when it is gone if it goes on like this."""

    scope: str
    period: str
    subject: UUID
    name: str  # the repository or pull request; "" for the organisation
    limit_microusd: int
    settled_microusd: int
    reserved_microusd: int
    gone_at: datetime | None


async def costs(
    db: Database, organisation_id: UUID, by: str, *, since: datetime, until: datetime | None = None
) -> list[Row]:
    """One row a value of `by`, the dearest first (days in order): calls, failures, tokens, cost, latencies in ms.

    `unpriced` counts calls whose price nobody knows: their cost is not in the sum. Raises BadInputError for another
    `by`.
    """
    if by not in BY:
        raise BadInputError(f"Costs are not known by {by[:40]!r}.", fix=f"Use one of {', '.join(BY)}.")
    values = {
        "organisation_id": organisation_id,
        "by": by,
        "since": since,
        "until": until or datetime.now(UTC),
    }
    async with db.organisation(organisation_id) as connection:
        return await rows_of(connection, "models.sum_costs", values)


async def spending(db: Database, organisation_id: UUID, budgets: Sequence[Budget]) -> list[Spent]:
    """How far each budget that bounded a call in its present period is spent, the fullest first."""
    limits: dict[tuple[str, str], int] = {}
    for budget in budgets:
        key = (budget.scope, budget.period)
        limits[key] = min(budget.limit_microusd, limits.get(key, budget.limit_microusd))
    async with db.organisation(organisation_id) as connection:
        rows = await rows_of(connection, "models.list_spend", {"organisation_id": organisation_id})
    found = [
        Spent(
            row["scope"],
            row["period"],
            row["subject"],
            row["name"] or "",
            limits[row["scope"], row["period"]],
            row["settled"],
            row["reserved"],
            _gone_at(row, limits[row["scope"], row["period"]]),
        )
        for row in rows
        if (row["scope"], row["period"]) in limits
    ]
    return sorted(found, key=lambda one: -one.settled_microusd / max(1, one.limit_microusd))


def _gone_at(row: Row, limit: int) -> datetime | None:
    """When the limit is reached at the pace since the period began (or the first call, for a total)."""
    began, now = row["began"], datetime.now(UTC)
    seconds = (now - began).total_seconds() if began else 0
    if seconds <= 0 or row["settled"] <= 0:
        return None
    left = (limit - row["settled"]) / (row["settled"] / seconds)
    return datetime.fromtimestamp(now.timestamp() + max(0.0, min(left, 3.2e9)), UTC)
