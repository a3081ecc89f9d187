"""Journeys A and B: wake a worker. A job carries the id of a run or delivery and a version, nothing else.

Deferring happens inside the caller's transaction, so the work and its wake-up exist together or not at
all. The truth is the run; a wake-up that gets lost is replaced by the sweeper.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from procrastinate import App
    from psycopg import AsyncConnection

VERSION = 1  # of the arguments; a worker takes this one and the one before
QUEUES = ("webhook", "index", "review", "publish", "summarize", "jobs")
SYNC_TASK = "sync_pull_request"
_RUN_QUEUE = {
    "index": "index",
    "review": "review",
    "publish": "publish",
    "summarize": "summarize",
    "job": "jobs",
}
# The lock of a finished job is handed over at the next poll: below the 0.5 s that a hand-over may take.
POLL_S = 0.4
# A worker's own bookkeeping need not wait for the disk: what a crash of Postgres takes back is at most a
# finished wake-up, and waking a finished run does nothing. Enqueueing is the caller's, and is durable.
_OPTIONS = "-c role=panlect_system -c search_path=queue -c synchronous_commit=off"


def run_task(kind: str) -> str:
    """The task that wakes a run of this kind, as in `review_run`."""
    return f"{kind}_run"


def run_tasks() -> dict[str, str]:
    """Every task that wakes a run -> its queue."""
    return {run_task(kind): queue for kind, queue in _RUN_QUEUE.items()}


async def wake_run(connection: AsyncConnection[Any], *, run_id: UUID, kind: str, lock_key: str | None) -> int:
    """Enqueue the wake-up of a run in this transaction; returns the job's id.

    Jobs with the same lock are worked on one at a time, in the order in which they were enqueued.
    """
    return await defer(connection, run_task(kind), _RUN_QUEUE[kind], lock=lock_key, run_id=str(run_id))


async def wake_delivery(connection: AsyncConnection[Any], *, delivery: UUID, lock_key: str) -> int:
    """Enqueue the work on a stored delivery in this transaction; returns the job's id."""
    return await defer(connection, SYNC_TASK, "webhook", lock=lock_key, delivery=str(delivery))


async def defer(
    connection: AsyncConnection[Any], task: str, queue: str, *, lock: str | None = None, **arguments: str
) -> int:
    """Enqueue one job in the caller's transaction and return its id."""
    from procrastinate import PsycopgConnector
    from procrastinate.manager import JobManager
    from procrastinate.tasks import configure_task

    deferrer = configure_task(
        name=task,
        job_manager=JobManager(PsycopgConnector()),  # never opened: the caller's connection does the work
        queue=queue,
        lock=lock,
        connection=connection,
    )
    return await deferrer.defer_async(v=VERSION, **arguments)


@asynccontextmanager
async def opened(url: str, *, pool_size: int = 4) -> AsyncIterator[App]:
    """A Procrastinate app without tasks, its pool open on the queue's schema as panlect_system."""
    from procrastinate import App, PsycopgConnector
    from psycopg.conninfo import conninfo_to_dict
    from psycopg_pool import AsyncConnectionPool

    given = str(conninfo_to_dict(url).get("options") or "")
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=max(2, pool_size),
        open=False,
        kwargs={"options": f"{given} {_OPTIONS}".strip()},
        check=AsyncConnectionPool.check_connection,
        name="queue",
    )
    await pool.open()
    try:
        app = App(connector=PsycopgConnector())
        async with app.open_async(pool=pool):
            yield app
    finally:
        await pool.close()
