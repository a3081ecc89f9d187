"""Reconcile runs with their wake-ups: what a dead worker held is resumed, what lost its wake-up gets one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from panlect.db import sql
from panlect.db.pool import Database
from panlect.faults import fault
from panlect.ledger.coverage import fail_crashed_run
from panlect.ledger.runs import WakeRun

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_BATCH = 500
DELIVERY_ATTEMPTS = 8


class WakeDelivery(Protocol):
    """Enqueues the work on a stored delivery in the caller's transaction and returns the job's id."""

    async def __call__(self, connection: AsyncConnection[Any], /, *, delivery: UUID, lock_key: str) -> int:
        """As `panlect.queue.wake_delivery` does."""
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found and repaired. `ran` is False when another sweeper was at it."""

    ran: bool = True
    resumed: int = 0
    crashed: int = 0
    rewoken: int = 0
    deliveries: int = 0


async def sweep(
    db: Database, wake: WakeRun, wake_delivery: WakeDelivery, *, crash_limit: int, silent_s: float
) -> Swept:
    """One pass over all organisations; several sweepers at a time are harmless, one of them works.

    Runs whose lease expired go back to the queue, or end as failed(crash) at the `crash_limit`th time.
    Queued runs and waiting deliveries without a live wake-up get one; a job counts as dead when its worker
    was silent for `silent_s`.
    """
    async with db.system() as connection:
        locked = await (await connection.execute(sql.query("runs.try_sweep_lock"))).fetchone()
        if not locked or not locked[0]:
            return Swept(ran=False)
        silent = await (
            await connection.execute(sql.query("runs.expire_leases"), {"crash_limit": crash_limit})
        ).fetchall()
        await connection.execute(sql.query("runs.fail_dead_jobs"), {"silent_s": silent_s})
        deliveries = await _rewake_deliveries(connection, wake_delivery, silent_s)
        rewoken = await _rewake_runs(connection, wake, silent_s)
        fault("sweep.before_commit")
    crashed = [(run_id, organisation_id) for run_id, organisation_id, is_crashed in silent if is_crashed]
    for run_id, organisation_id in crashed:
        await fail_crashed_run(db, organisation_id, run_id, wake)
    return Swept(
        resumed=len(silent) - len(crashed), crashed=len(crashed), rewoken=rewoken, deliveries=deliveries
    )


async def _rewake_runs(connection: AsyncConnection[Any], wake: WakeRun, silent_s: float) -> int:
    values = {"silent_s": silent_s, "at_most": _BATCH}
    rows = await (await connection.execute(sql.query("runs.runs_without_wakeup"), values)).fetchall()
    for run_id, _organisation_id, kind, lock_key in rows:
        job_id = await wake(connection, run_id=run_id, kind=kind, lock_key=lock_key)
        await connection.execute(sql.query("runs.run_enqueued"), {"run_id": run_id, "job_id": job_id})
    return len(rows)


async def _rewake_deliveries(
    connection: AsyncConnection[Any], wake_delivery: WakeDelivery, silent_s: float
) -> int:
    values = {"silent_s": silent_s, "at_most": _BATCH}
    rows = await (await connection.execute(sql.query("runs.deliveries_without_wakeup"), values)).fetchall()
    for delivery, connection_id, repository, pull_request, attempts in rows:
        if attempts >= DELIVERY_ATTEMPTS:
            reason = f"gave up after {attempts} attempts"
            await connection.execute(
                sql.query("deliveries.finish_delivery"),
                {"delivery": delivery, "state": "failed", "reason": reason},
            )
            continue
        lock_key = f"sync:{connection_id}:{repository}:{pull_request}"
        job_id = await wake_delivery(connection, delivery=delivery, lock_key=lock_key)
        await connection.execute(
            sql.query("deliveries.delivery_enqueued"), {"delivery": delivery, "job_id": job_id}
        )
    return len(rows)
