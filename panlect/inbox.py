"""Step 3 and 4 of journey A: one delivery stored exactly once, and its task enqueued, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from panlect import queue
from panlect.db import sql
from panlect.db.pool import Database
from panlect.db.text import storable
from panlect.faults import fault

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class Delivery(Protocol):
    """A webhook whose signature was checked, as the forge room reads it."""

    @property
    def forge(self) -> str:
        """The dialect: github or gitlab."""
        ...

    @property
    def connection_id(self) -> UUID:
        """The connection whose secret signed it."""
        ...

    @property
    def delivery_id(self) -> str:
        """The host's own id of the delivery."""
        ...

    @property
    def event(self) -> str:
        """The host's word for what happened."""
        ...

    @property
    def action(self) -> str:
        """What about it."""
        ...

    @property
    def repository(self) -> str:
        """owner/name, or empty."""
        ...

    @property
    def pull_request(self) -> int | None:
        """The pull request's number, when it is about one."""
        ...

    @property
    def body(self) -> bytes:
        """The raw bytes that were signed."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The few headers worth keeping."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """The delivery is durable and will be worked off."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The delivery was accepted before; nothing more happens."""


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery to be worked off. Its content is a hint: the truth is read from the host."""

    id: UUID
    organisation_id: UUID
    connection_id: UUID
    delivery_id: str
    forge: str
    event: str
    action: str
    repository: str
    pull_request: int | None
    body: bytes
    attempts: int


async def accept(db: Database, delivery: Delivery) -> Accepted | Duplicate:
    """Store the delivery and enqueue its task, both or neither; answer the host only after this returned.

    Raises DatabaseError when Postgres cannot be reached (the host will deliver again).
    """
    async with db.system() as connection:
        stored = await _store(connection, delivery)
        if stored is None:
            return Duplicate()
        lock_key = f"sync:{delivery.connection_id}:{storable(delivery.repository)}:{delivery.pull_request}"
        job_id = await queue.wake_delivery(connection, delivery=stored, lock_key=lock_key)
        await connection.execute(
            sql.query("deliveries.delivery_enqueued"), {"delivery": stored, "job_id": job_id}
        )
        fault("inbox.before_commit")
    fault("inbox.after_commit")
    return Accepted(stored)


async def take(db: Database, delivery: UUID) -> StoredDelivery | None:
    """The delivery to work off, its attempt counted; None when it has come to its end before."""
    from psycopg.rows import class_row

    async with db.system() as connection, connection.cursor(row_factory=class_row(StoredDelivery)) as cursor:
        await cursor.execute(sql.query("deliveries.take_delivery"), {"delivery": delivery})
        return await cursor.fetchone()


async def finish(db: Database, delivery: UUID, *, outcome: str = "", failed: str = "") -> None:
    """Close the delivery as done with what came of it, or as failed with a reason; once."""
    fault("sync.before_done")
    async with db.system() as connection:
        await connection.execute(
            sql.query("deliveries.finish_delivery"),
            {
                "delivery": delivery,
                "state": "failed" if failed else "done",
                "reason": storable(failed or outcome)[:500],
            },
        )


async def _store(connection: AsyncConnection[Any], delivery: Delivery) -> UUID | None:
    from psycopg.types.json import Jsonb

    values = {
        "connection_id": delivery.connection_id,
        "delivery_id": storable(delivery.delivery_id),
        "forge": delivery.forge,
        "event": storable(delivery.event),
        "action": storable(delivery.action),
        "repository": storable(delivery.repository),
        "pull_request": delivery.pull_request,
        "headers": Jsonb({storable(name): storable(value) for name, value in delivery.headers.items()}),
        "body": delivery.body,
    }
    row = await (await connection.execute(sql.query("deliveries.store_delivery"), values)).fetchone()
    return row[0] if row else None
