"""How fast the queue is with a million finished jobs behind it: drain, pick-up, hand-over of a lock.

`python -m bench.queue [--json FILE] [--rows 1000000]`. Real worker loop, real Postgres (embedded, its
durability on). The job does nothing, so the figures are the queue's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.report import begin, circumstances, write_result
from bench.scratch import scratch_postgres
from panlect import queue
from panlect.db import embedded
from panlect.db.migrate import migrate
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database

_RESULT = Path(__file__).parent / "results" / "queue.json"
_DRAIN_JOBS = 5_000
_PICKUPS = 200
_HANDOVERS = 20
_CONCURRENCY = 10


def main() -> None:
    """Measure, write the result, print the figures last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=_RESULT, help="where the result goes")
    parser.add_argument("--rows", type=int, default=1_000_000, help="finished jobs in the table beforehand")
    given = parser.parse_args()
    start = begin()
    with scratch_postgres() as (server, _):
        migrate(server.url)
        _finish_many(server, given.rows)
        figures = asyncio.run(_measure(server.url))
    result = {"finished_rows": given.rows, **figures, **circumstances(start)}
    write_result(given.json, result)
    print(json.dumps(result))


def _finish_many(server: embedded.Server, rows: int) -> None:
    """Finished jobs as they pile up where nobody prunes them, events and all."""
    with psycopg.connect(server.administrator_url(embedded.DATABASE), autocommit=True) as connection:
        connection.execute("set search_path = queue")
        connection.execute("set session_replication_role = replica")  # the triggers' work is done below
        connection.execute(
            "insert into procrastinate_jobs (queue_name, task_name, args, status, attempts)"
            " select 'review', 'review_run', '{}', 'succeeded', 1 from generate_series(1, %s)",
            [rows],
        )
        connection.execute(
            "insert into procrastinate_events (job_id, type)"
            " select id, t from procrastinate_jobs, unnest(array['deferred', 'started', 'succeeded']"
            "::procrastinate_job_event_type[]) t"
        )
        connection.execute("vacuum analyze")


async def _measure(url: str) -> dict[str, float]:
    async with Database(url) as db:
        drain = await _drain(db, url)
        pickups = await _pickups(db, url)
        handovers = await _handovers(db, url)
    return {
        "drain_jobs_per_s": round(drain, 1),
        "pickup_p50_ms": round(statistics.median(pickups) * 1000, 2),
        "pickup_p95_ms": round(sorted(pickups)[int(len(pickups) * 0.95)] * 1000, 2),
        "handover_p50_s": round(statistics.median(handovers), 3),
        "handover_max_s": round(max(handovers), 3),
    }


async def _drain(db: Database, url: str) -> float:
    """Jobs a second, from the first to the last of a full queue."""
    done: list[float] = []
    finished = asyncio.Event()

    async def work(started: float) -> None:
        done.append(started)
        if len(done) == _DRAIN_JOBS:
            finished.set()

    async with db.organisation(ORG) as connection:
        for _ in range(_DRAIN_JOBS):
            await queue.defer(connection, "bench", "review")
    async with _worker(url, work):
        await finished.wait()
    return (_DRAIN_JOBS - 1) / (done[-1] - done[0])


async def _pickups(db: Database, url: str) -> list[float]:
    """Seconds from the commit of an enqueueing transaction to the start of its job, on an idle worker."""
    arrived: asyncio.Queue[float] = asyncio.Queue()
    waited: list[float] = []
    async with _worker(url, arrived.put):
        await asyncio.sleep(1)
        for _ in range(_PICKUPS):
            async with db.organisation(ORG) as connection:
                await queue.defer(connection, "bench", "review")
            committed = time.perf_counter()
            waited.append(await arrived.get() - committed)
    return waited


async def _handovers(db: Database, url: str) -> list[float]:
    """Seconds from the end of a job to the start of the next one with the same lock."""
    starts: asyncio.Queue[float] = asyncio.Queue()
    ends: list[float] = []

    async def work(started: float) -> None:
        await starts.put(started)
        await asyncio.sleep(0.05)
        ends.append(time.perf_counter())

    async with db.organisation(ORG) as connection:
        for _ in range(_HANDOVERS + 1):
            await queue.defer(connection, "bench", "review", lock="review:one")
    async with _worker(url, work):
        begun = [await starts.get() for _ in range(_HANDOVERS + 1)]
    return [begin - end for end, begin in zip(ends, begun[1:], strict=False)]


@asynccontextmanager
async def _worker(url: str, work: Callable[[float], Any]) -> AsyncIterator[None]:
    async with queue.opened(url, pool_size=_CONCURRENCY + 2) as app:

        async def bench(*, v: int) -> None:
            assert v == queue.VERSION
            await work(time.perf_counter())

        app.task(name="bench", queue="review")(bench)
        running = asyncio.create_task(
            app.run_worker_async(
                queues=["review"],
                concurrency=_CONCURRENCY,
                install_signal_handlers=False,
                fetch_job_polling_interval=queue.POLL_S,
                delete_jobs="successful",
            )
        )
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait({running})


if __name__ == "__main__":
    main()
