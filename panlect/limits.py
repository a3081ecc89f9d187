"""How often something may happen, over all replicas: token buckets in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from panlect.db.pool import Database

_TAKE: LiteralString = "select take_tokens(%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `capacity` at once, and `per_s` a second in the long run."""

    capacity: float
    per_s: float


async def take(db: Database, key: str, limit: Limit, amount: float = 1.0) -> float:
    """0.0 when `amount` was taken from the bucket `key`; else the seconds until it may be there, and nothing is taken.

    More than the capacity waits for a full bucket and leaves it in debt. `key` is cut at 300 characters.
    """
    (row,) = await db.call_system((_TAKE, [key[:300], amount, limit.capacity, limit.per_s]))
    assert row is not None, "the function returns one number"
    return float(row[0])
