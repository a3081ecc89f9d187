"""Workers: one lock, several workers; stopped, killed and resumed, and nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from jobs.tasks import Handlers
from jobs.worker import WorkerOptions, run_worker
from panlect import history, inbox, queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.errors import ConfigurationError, ForgeUnavailableError
from panlect.forge.types import Delivery
from panlect.history import check_history
from panlect.inbox import Accepted, StoredDelivery
from panlect.ledger import runs
from panlect.ledger.postgres_steps import PostgresSteps
from panlect.ledger.runs import Lease, NewRun, Run, RunKind

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
FAST = WorkerOptions(concurrency=4, lease_s=1.0, sweep_s=0.1, grace_s=5.0)
Execute = Callable[[Lease], Awaitable[None]]


async def no_sync(delivery: StoredDelivery) -> None:
    raise AssertionError(delivery)


@asynccontextmanager
async def worker(
    url: str, execute: Execute, options: WorkerOptions = FAST, sync: Any = no_sync
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with Database(url) as db:
        running = asyncio.create_task(run_worker(db, Handlers(sync, execute), options, stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def create(db: Database, *new: NewRun) -> list[Run]:
    async with db.organisation(ORG) as connection:
        return [(await runs.create_run(connection, ORG, each, queue.wake_run))[0] for each in new]


async def settled(db: Database, *run_ids: UUID) -> list[tuple[str, str]]:
    """How the runs ended, once all of them have."""
    async with asyncio.timeout(30):
        while True:
            async with db.organisation(ORG) as connection:
                found = [await runs.find_run(connection, ORG, run_id) for run_id in run_ids]
            if all(run is not None and run.finished_at is not None for run in found):
                return [(run.status.value, run.reason) for run in found if run is not None]
            await asyncio.sleep(0.02)


async def test_two_workers_never_work_on_one_lock_at_the_same_time(db: Database, database_url: str) -> None:
    at_work: list[int] = []
    most: list[int] = []

    async def execute(lease: Lease) -> None:
        at_work.append(1)
        most.append(len(at_work))
        await asyncio.sleep(0.05)
        at_work.pop()

    new = [NewRun(RunKind.REVIEW, lock_key="review:pr") for _ in range(6)]
    made = await create(db, *new)
    async with worker(database_url, execute), worker(database_url, execute):
        assert await settled(db, *(run.id for run in made)) == [("done", "")] * 6
    assert max(most) == 1


async def test_different_locks_are_worked_on_side_by_side(db: Database, database_url: str) -> None:
    both = asyncio.Barrier(2)

    async def execute(lease: Lease) -> None:
        await both.wait()  # ends only when two are here

    made = await create(db, *(NewRun(RunKind.REVIEW, lock_key=f"review:{n}") for n in range(2)))
    async with worker(database_url, execute):
        assert await settled(db, *(run.id for run in made)) == [("done", "")] * 2


async def test_a_stopped_worker_finishes_what_is_in_progress(db: Database, database_url: str) -> None:
    begun = asyncio.Event()

    async def execute(lease: Lease) -> None:
        begun.set()
        await asyncio.sleep(0.3)

    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, execute):
        await begun.wait()
    assert await settled(db, run.id) == [("done", "")]


async def test_what_takes_too_long_to_finish_is_given_back_and_resumed(
    db: Database, database_url: str
) -> None:
    begun = asyncio.Event()

    async def hang(lease: Lease) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async def execute(lease: Lease) -> None:
        assert lease.run.crashes == 0

    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, hang, WorkerOptions(lease_s=30, sweep_s=0.1, grace_s=0.1)):
        await begun.wait()
    async with worker(database_url, execute):
        assert await settled(db, run.id) == [("done", "")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigurationError("No such rule."), "No such rule."),
        (KeyError("hostile text"), "internal error (KeyError)"),
    ],
)
async def test_a_run_that_fails_says_why_and_is_not_tried_again(
    db: Database, database_url: str, error: Exception, reason: str
) -> None:
    async def execute(lease: Lease) -> None:
        raise error

    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, execute):
        assert await settled(db, run.id) == [("failed", reason)]


async def test_a_host_that_is_away_is_asked_again_later(db: Database, database_url: str) -> None:
    async def execute(lease: Lease) -> None:
        raise ForgeUnavailableError("The host is away.", retry_after_s=60)

    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, execute), db.organisation(ORG) as connection:
        while (found := await runs.find_run(connection, ORG, run.id)) and found.reason == "":
            await asyncio.sleep(0.02)
    assert found is not None
    assert (found.status, found.reason, found.attempt) == ("queued", "The host is away.", 1)


async def test_a_database_that_was_away_does_not_fail_the_run(db: Database, database_url: str) -> None:
    async def execute(lease: Lease) -> None:
        raise psycopg.OperationalError("terminating connection due to administrator command")

    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, execute), db.organisation(ORG) as connection:
        while (found := await runs.find_run(connection, ORG, run.id)) and found.reason == "":
            await asyncio.sleep(0.02)
    assert found is not None
    assert (found.status, found.reason) == ("queued", "the database was away (OperationalError)")


async def test_a_delivery_is_worked_off_and_a_failing_one_tried_again(
    db: Database, database_url: str, place: Any, administrator_url: str
) -> None:
    attempts: list[int] = []

    async def sync(delivery: StoredDelivery) -> None:
        attempts.append(delivery.attempts)
        if len(attempts) == 1:
            with psycopg.connect(administrator_url) as connection:
                connection.execute("update panlect.webhook_delivery set not_before = now()")
            raise ForgeUnavailableError("The host is away.")

    async def execute(lease: Lease) -> None:
        raise AssertionError(lease)

    came = Delivery("github", place.connection_id, "d", "pull_request", "opened", "acme/shop", 7, b"{}")
    accepted = await inbox.accept(db, came)
    assert isinstance(accepted, Accepted)
    async with worker(database_url, execute, sync=sync):
        with psycopg.connect(administrator_url, autocommit=True) as connection:
            query = "select state from panlect.webhook_delivery"
            while connection.execute(query).fetchone() != ("done",):
                await asyncio.sleep(0.02)
    assert attempts == [1, 2]


async def test_a_job_of_a_newer_program_is_left_alone(db: Database, database_url: str) -> None:
    called: list[Lease] = []

    async def execute(lease: Lease) -> None:
        called.append(lease)

    async with db.system() as connection:
        await connection.execute(
            "insert into procrastinate_jobs (queue_name, task_name, args) values ('index', 'index_run', %s::jsonb)",
            [f'{{"v": {queue.VERSION + 1}, "run_id": "{uuid4()}"}}'],
        )
    (run,) = await create(db, NewRun(RunKind.INDEX))
    async with worker(database_url, execute):
        assert await settled(db, run.id) == [("done", "")]
    assert [lease.run.id for lease in called] == [run.id]


WORKER = """
import asyncio, sys
from pathlib import Path
from jobs.tasks import Handlers
from jobs.worker import WorkerOptions, run_worker
from panlect.db.pool import Database
from panlect.ledger.postgres_steps import PostgresSteps

async def execute(lease):
    steps = PostgresSteps(db, lease)
    for name in ("fetch", "plan", "propose"):
        async def work():
            with Path(sys.argv[2]).open("a") as done:
                done.write(name + "\\n")
            return name
        await steps.step(name, "", str, work)

async def main():
    global db
    options = WorkerOptions(lease_s=1.0, sweep_s=0.1)
    async with Database(sys.argv[1]) as db:
        await run_worker(db, Handlers(execute, execute), options, asyncio.Event())

asyncio.run(main())
"""


def killable(url: str, log: Path, faults: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PANLECT_FAULTS": faults}
    return subprocess.Popen([sys.executable, "-c", WORKER, url, str(log)], env=environment, cwd=ROOT)


@pytest.mark.parametrize(
    ("point", "work_done"),
    [
        ("run.after_claim", ["fetch", "plan", "propose"]),
        ("step.before_work:kill:2", ["fetch", "plan", "propose"]),
        ("step.before_commit:kill:2", ["fetch", "plan", "plan", "propose"]),
        ("step.after_commit:kill:2", ["fetch", "plan", "propose"]),
        ("run.before_finish", ["fetch", "plan", "propose"]),
    ],
)
async def test_a_worker_killed_at_any_point_is_resumed_and_no_finished_step_is_run_again(
    db: Database, database_url: str, tmp_path: Path, point: str, work_done: list[str]
) -> None:
    log = tmp_path / "done"
    (run,) = await create(db, NewRun(RunKind.REVIEW, lock_key="review:pr"))
    victim = killable(database_url, log, point if ":" in point else f"{point}:kill:1")
    assert await asyncio.to_thread(victim.wait) == -signal.SIGKILL
    heir = killable(database_url, log)
    try:
        assert await settled(db, run.id) == [("done", "")]
    finally:
        heir.terminate()
        heir.wait()
    assert log.read_text().split() == work_done
    async with db.organisation(ORG) as connection:
        assert check_history(await history.read(connection)) == []


async def test_a_worker_that_hung_longer_than_its_lease_writes_nothing_when_it_wakes(
    db: Database, database_url: str
) -> None:
    begun = asyncio.Event()
    outcomes: list[str] = []

    async def execute(lease: Lease) -> None:
        begun.set()

        async def work() -> str:
            await asyncio.sleep(0.2)
            return "ours"

        outcomes.append(await PostgresSteps(db, lease).step("plan", "", str, work))

    (run,) = await create(db, NewRun(RunKind.INDEX))
    zombie = await runs.claim(db, run.id, lease_s=0.01, worker="zombie")
    assert zombie is not None
    time.sleep(0.05)

    async def late() -> str:
        return "the zombie's"

    async with worker(database_url, execute):
        await begun.wait()
        with pytest.raises(runs.LeaseLostError):
            await PostgresSteps(db, zombie).step("plan", "", str, late)
        assert await settled(db, run.id) == [("done", "")]
    assert outcomes == ["ours"]


def test_a_worker_process_stops_cleanly_when_it_is_told_to(
    database_url: str, administrator_url: str, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": database_url, "PANLECT_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.worker", "publish"], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        with psycopg.connect(administrator_url, autocommit=True) as connection:
            query = "select count(*) from queue.procrastinate_workers"
            while connection.execute(query).fetchone() != (1,):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert connection.execute(query).fetchone() == (0,)
    finally:
        process.kill()
        process.wait()
