"""Step 5 of journey A: what a worker does with a job. Unpack it, call the handler, write down how it ended.

A task never fails because of the work it woke: how the work ended stands in the run or the delivery.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from panlect import inbox, queue
from panlect.db.pool import Database
from panlect.errors import DatabaseError, ForgeUnavailableError, PanlectError
from panlect.faults import fault
from panlect.inbox import StoredDelivery
from panlect.ledger.coverage import fail_run
from panlect.ledger.leases import Heartbeat
from panlect.ledger.runs import (
    Lease,
    LeaseLostError,
    RunCancelledError,
    RunStatus,
    SupersededError,
    claim,
    finish,
    release,
)

if TYPE_CHECKING:
    from procrastinate import App

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 8
_LONGEST_WAIT_S = 600.0
_UNWANTED = (SupersededError, RunCancelledError, LeaseLostError)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the tasks call. Wiring makes it once per process.

    `sync_pull_request` re-reads the host, supersedes runs of other heads, creates the run, and says what came of it.
    `execute_run` does the work of any kind of run in steps, and returns when it is done.
    """

    sync_pull_request: Callable[[StoredDelivery], Awaitable[str | None]]
    execute_run: Callable[[Lease], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Workplace:
    """One worker process: its database, its handlers, and the heartbeat of its leases."""

    db: Database
    handlers: Handlers
    heartbeat: Heartbeat
    lease_s: float
    worker: str


def register(app: App, place: Workplace) -> None:
    """Make every task known to a worker's app under its fixed name."""

    async def sync_pull_request(*, v: int, delivery: str) -> None:
        if _known_version(queue.SYNC_TASK, v):
            await work_off(place, UUID(delivery))

    app.task(name=queue.SYNC_TASK, queue="webhook")(sync_pull_request)

    for name, queue_name in queue.run_tasks().items():

        async def wake(*, v: int, run_id: str, name: str = name) -> None:
            if _known_version(name, v):
                await work_on(place, UUID(run_id))

        app.task(name=name, queue=queue_name)(wake)


async def work_off(place: Workplace, delivery_id: UUID) -> None:
    """Work off a delivery. One that fails is tried again by the sweeper, later each time, then given up."""
    delivery = await inbox.take(place.db, delivery_id)
    if delivery is None:
        return
    try:
        outcome = await place.handlers.sync_pull_request(delivery)
    except PanlectError as error:
        _LOG.warning("Delivery %s was not worked off (attempt %d): %s", delivery.id, delivery.attempts, error)
        return
    await inbox.finish(place.db, delivery.id, outcome=outcome or "")


async def work_on(place: Workplace, run_id: UUID) -> None:
    """Work on a run under its lease and write down how it ended; nothing when it is not there to be had."""
    lease = await claim(place.db, run_id, lease_s=place.lease_s, worker=place.worker)
    if lease is None:
        return
    place.heartbeat.add(lease.token)
    try:
        await _execute(place, lease)
    except _UNWANTED as error:
        _LOG.info("Run %s stopped: %s", run_id, error)
    finally:
        place.heartbeat.drop(lease.token)


async def _execute(place: Workplace, lease: Lease) -> None:
    from psycopg import OperationalError

    try:
        await place.handlers.execute_run(lease)
        fault("run.before_finish")
        async with place.db.organisation(lease.run.organisation_id) as connection:
            await finish(connection, lease, RunStatus.DONE)
    except _UNWANTED:
        raise
    except asyncio.CancelledError:
        await _give_back(place, lease, 0.0, "the worker was stopped")
        raise
    except ForgeUnavailableError as error:
        await _try_later(place, lease, "forge unavailable", error.what, error.retry_after_s)
    except (DatabaseError, OperationalError) as error:
        # A restart or a fail-over is no fault of the run. While the database is away this raises too, and
        # the lease runs out.
        await _try_later(
            place, lease, "database unavailable", f"the database was away ({type(error).__name__})"
        )
    except PanlectError as error:
        await fail_run(place.db, lease, error.what, queue.wake_run)
    except Exception as error:  # the edge of a task: recorded for people, then raised for the log
        await fail_run(place.db, lease, f"internal error ({type(error).__name__})", queue.wake_run)
        raise


async def _try_later(
    place: Workplace, lease: Lease, given_up: str, reason: str, at_least_s: float = 0.0
) -> None:
    """Give the run back for later, each time a longer while; the last time it fails as `given_up`."""
    if lease.run.attempt >= _ATTEMPTS:
        await fail_run(place.db, lease, given_up, queue.wake_run)
    else:
        wait_s = max(at_least_s, min(_LONGEST_WAIT_S, 5.0 * 2**lease.run.attempt))
        await _give_back(place, lease, wait_s, reason)


async def _give_back(place: Workplace, lease: Lease, after_s: float, reason: str) -> None:
    async with place.db.organisation(lease.run.organisation_id) as connection:
        await release(connection, lease, after_s=after_s, reason=reason)


def _known_version(task: str, version: int) -> bool:
    """Whether these arguments are ours to read: this version or the one before.

    A job of a newer program is left alone: its run stays queued, and the sweeper wakes it again until a
    worker that knows it is up.
    """
    if queue.VERSION - 1 <= version <= queue.VERSION:
        return True
    _LOG.warning("A job of %s has version %d, which this worker does not know.", task, version)
    return False
