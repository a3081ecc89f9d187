"""Runs, leases and steps: who holds the lease may write, and what finished is never run again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from panlect import history, queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.history import check_history
from panlect.ledger import runs
from panlect.ledger.leases import Heartbeat
from panlect.ledger.postgres_steps import PostgresSteps
from panlect.ledger.runs import (
    Lease,
    LeaseLostError,
    NewRun,
    Run,
    RunCancelledError,
    RunKind,
    RunStatus,
    SupersededError,
)
from panlect.ledger.sweeper import Swept, sweep

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    numbers: tuple[int, ...]


async def create(db: Database, new: NewRun) -> tuple[Run, bool]:
    async with db.organisation(ORG) as connection:
        return await runs.create_run(connection, ORG, new, queue.wake_run)


async def review(db: Database, place: Any, head: str = "head1", cause: str = "push") -> Run:
    new = runs.new_review(place.pull_request_id, place.repository_id, head=head, base="base", cause=cause)
    return (await create(db, new))[0]


async def claimed(db: Database, run: Run, lease_s: float = 30.0) -> Lease:
    lease = await runs.claim(db, run.id, lease_s=lease_s, worker="test")
    assert lease is not None
    return lease


async def status(db: Database, run_id: UUID) -> tuple[RunStatus, str]:
    async with db.organisation(ORG) as connection:
        run = await runs.find_run(connection, ORG, run_id)
    assert run is not None
    return run.status, run.reason


async def end(db: Database, lease: Lease, state: RunStatus = RunStatus.DONE) -> None:
    async with db.organisation(ORG) as connection:
        await runs.finish(connection, lease, state)


async def swept(db: Database, crash_limit: int = 3) -> Swept:
    return await sweep(db, queue.wake_run, queue.wake_delivery, crash_limit=crash_limit, silent_s=30)


async def jobs(db: Database) -> list[tuple[str, str]]:
    async with db.system() as connection:
        rows = await connection.execute("select task_name, status::text from procrastinate_jobs order by id")
        return [tuple(row) for row in await rows.fetchall()]


async def test_a_run_and_its_wake_up_exist_together_or_not_at_all(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.organisation(ORG) as connection:
            await runs.create_run(connection, ORG, NewRun(RunKind.INDEX), queue.wake_run)
            raise ZeroDivisionError
    assert await jobs(db) == []
    run, created = await create(db, NewRun(RunKind.INDEX))
    assert created
    assert await status(db, run.id) == (RunStatus.QUEUED, "")
    assert await jobs(db) == [("index_run", "todo")]


async def test_the_same_work_asked_for_twice_is_one_run(db: Database, place: Any) -> None:
    first = await review(db, place)
    assert (await review(db, place)).id == first.id
    assert (await review(db, place, cause="command")).id != first.id
    assert len(await jobs(db)) == 2


async def test_a_run_is_claimed_once(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    leases = await asyncio.gather(*(runs.claim(db, run.id, lease_s=30, worker=str(n)) for n in range(8)))
    assert len([lease for lease in leases if lease is not None]) == 1


async def test_runs_with_one_lock_never_overlap(db: Database) -> None:
    first, _ = await create(db, NewRun(RunKind.INDEX, lock_key="index:r"))
    second, _ = await create(db, NewRun(RunKind.INDEX, lock_key="index:r"))
    lease = await claimed(db, first)
    assert await runs.claim(db, second.id, lease_s=30, worker="test") is None
    await end(db, lease)
    assert await runs.claim(db, second.id, lease_s=30, worker="test") is not None


async def test_a_finished_step_is_read_back_and_not_run_again(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    steps = PostgresSteps(db, await claimed(db, run))
    calls: list[int] = []

    async def work() -> Answer:
        calls.append(1)
        return Answer("nul \0 and é", (1, 2))

    first = await steps.step("plan", "k", Answer, work)
    again = await steps.step("plan", "k", Answer, work)
    other = await steps.step("plan", "other", Answer, work)
    assert first == again == other == Answer("nul \0 and é", (1, 2))
    assert len(calls) == 2


async def test_a_failed_step_is_recorded_and_run_again(db: Database, administrator_url: str) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    steps = PostgresSteps(db, await claimed(db, run))

    async def fail() -> int:
        raise OSError("disk\0full")

    async def work() -> int:
        return 7

    with pytest.raises(OSError, match="disk"):
        await steps.step("fetch", "", int, fail)
    with psycopg.connect(administrator_url) as connection:
        row = connection.execute("select state, error from panlect.step").fetchone()
    assert row == ("failed", "OSError: disk\ufffdfull")
    assert await steps.step("fetch", "", int, work) == 7


async def test_a_worker_that_was_given_up_for_dead_writes_nothing(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    zombie = await claimed(db, run, lease_s=0.01)
    await asyncio.sleep(0.05)
    assert (await swept(db)).resumed == 1
    heir = await claimed(db, run)

    async def work() -> int:
        return 1

    with pytest.raises(LeaseLostError):
        await PostgresSteps(db, zombie).step("plan", "", int, work)
    with pytest.raises(LeaseLostError):
        await end(db, zombie, RunStatus.FAILED)
    assert await PostgresSteps(db, heir).step("plan", "", int, work) == 1
    await end(db, heir)
    assert await status(db, run.id) == (RunStatus.DONE, "")


async def test_the_result_of_a_step_that_ended_after_its_lease_is_thrown_away(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    zombie = await claimed(db, run, lease_s=0.01)

    async def slow() -> int:
        await asyncio.sleep(0.05)
        await swept(db)
        return 1

    with pytest.raises(LeaseLostError):
        await PostgresSteps(db, zombie).step("plan", "", int, slow)
    heir = PostgresSteps(db, await claimed(db, run))

    async def work() -> int:
        return 2

    assert await heir.step("plan", "", int, work) == 2


async def test_a_newer_head_supersedes_queued_and_running_reviews_of_its_pull_request(
    db: Database, place: Any
) -> None:
    running = await claimed(db, await review(db, place, "head1"))
    queued = await review(db, place, "head2")
    newest = await review(db, place, "head3")
    async with db.organisation(ORG) as connection:
        ended = await runs.supersede_others(connection, ORG, place.pull_request_id, "head3")
    assert set(ended) == {running.run.id, queued.id}
    assert await status(db, running.run.id) == (RunStatus.SUPERSEDED, "head moved")
    assert await status(db, newest.id) == (RunStatus.QUEUED, "")

    async def work() -> int:
        raise AssertionError("a superseded run does no more work")

    with pytest.raises(SupersededError):
        await PostgresSteps(db, running).step("plan", "", int, work)
    assert await runs.claim(db, queued.id, lease_s=30, worker="test") is None


async def test_a_cancelled_run_stops_at_its_next_step(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    lease = await claimed(db, run)
    async with db.organisation(ORG) as connection:
        assert await runs.cancel(connection, ORG, run.id, "not needed")
        assert not await runs.cancel(connection, ORG, run.id, "twice")
    with pytest.raises(RunCancelledError):
        await end(db, lease)
    assert await status(db, run.id) == (RunStatus.CANCELLED, "not needed")


async def test_a_run_given_back_for_later_is_not_claimed_before_its_time(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    lease = await claimed(db, run)
    async with db.organisation(ORG) as connection:
        await runs.release(connection, lease, after_s=0.2, reason="the host is away")
    assert await runs.claim(db, run.id, lease_s=30, worker="test") is None
    await asyncio.sleep(0.25)
    assert (await claimed(db, run)).run.attempt == 2


async def test_the_sweeper_wakes_a_run_whose_job_is_gone(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    assert await swept(db) == Swept()
    async with db.system() as connection:
        await connection.execute("delete from procrastinate_jobs")
    assert (await swept(db)).rewoken == 1
    assert await jobs(db) == [("index_run", "todo")]
    assert await swept(db) == Swept()
    assert (await claimed(db, run)).run.attempt == 1


async def test_of_many_sweepers_one_works(db: Database) -> None:
    for _ in range(3):
        await create(db, NewRun(RunKind.INDEX))
    async with db.system() as connection:
        await connection.execute("delete from procrastinate_jobs")
    results = await asyncio.gather(*(swept(db) for _ in range(6)))
    assert sum(result.rewoken for result in results) == 3
    assert len(await jobs(db)) == 3


async def test_a_run_that_crashes_its_workers_three_times_ends_as_failed(db: Database, place: Any) -> None:
    run = await review(db, place)
    for expected in (Swept(resumed=1, rewoken=0), Swept(resumed=1), Swept(crashed=1)):
        await claimed(db, run, lease_s=0.01)
        await asyncio.sleep(0.05)
        assert await swept(db) == expected
    assert await status(db, run.id) == (RunStatus.FAILED, "crash")


async def fetched(db: Database, *, beating: bool) -> None:
    """The oldest wake-up is with a worker, which beats or has died."""
    async with db.system() as connection:
        await connection.execute(
            "insert into procrastinate_workers (last_heartbeat) values (now() - %s * interval '1 hour')",
            [0 if beating else 1],
        )
        await connection.execute(
            "select procrastinate_fetch_job_v2(null, (select max(id) from procrastinate_workers))"
        )


async def test_a_dead_worker_frees_the_lock_of_a_run_that_was_superseded(db: Database, place: Any) -> None:
    lease = await claimed(db, await review(db, place, "head1"))
    await fetched(db, beating=False)
    async with db.organisation(ORG) as connection:
        await runs.supersede_others(connection, ORG, place.pull_request_id, "head2")
    await review(db, place, "head2")
    await swept(db)
    assert await jobs(db) == [("review_run", "failed"), ("review_run", "todo")]
    assert lease.run.head_sha == "head1"


async def test_an_expired_lease_frees_the_lock_even_when_its_worker_still_beats(
    db: Database, place: Any
) -> None:
    await claimed(db, await review(db, place), lease_s=0.01)
    await fetched(db, beating=True)
    await asyncio.sleep(0.05)
    assert (await swept(db, crash_limit=1)).crashed == 1
    assert (await jobs(db))[0] == ("review_run", "failed")


async def test_the_wake_up_of_a_worker_whose_event_loop_is_busy_is_left_alone(
    db: Database, place: Any
) -> None:
    await claimed(db, await review(db, place))
    await fetched(db, beating=False)
    await swept(db)
    assert await jobs(db) == [("review_run", "doing")]


async def test_a_run_whose_worker_died_before_it_claimed_is_woken_again(db: Database, place: Any) -> None:
    await review(db, place)
    await fetched(db, beating=False)
    assert (await swept(db)).rewoken == 1
    assert await jobs(db) == [("review_run", "failed"), ("review_run", "todo")]


async def test_a_crashed_review_says_so_on_its_pull_request(
    db: Database, place: Any, administrator_url: str
) -> None:
    await claimed(db, await review(db, place), lease_s=0.01)
    await asyncio.sleep(0.05)
    assert (await swept(db, crash_limit=1)).crashed == 1
    with psycopg.connect(administrator_url) as connection:
        stored = connection.execute("select verdict, reason, head_sha from panlect.review").fetchall()
        publish = connection.execute("select head_sha from panlect.run where kind = 'publish'").fetchall()
    assert stored == [("FAILED", "crash", "head1")]
    assert publish == [("head1",)]


async def test_a_heartbeat_keeps_a_lease_while_the_event_loop_is_blocked(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    with Heartbeat(db.system_url, lease_s=0.3) as heartbeat:
        lease = await claimed(db, run, lease_s=0.3)
        heartbeat.add(lease.token)
        time.sleep(1.0)
        assert await swept(db) == Swept()
        heartbeat.drop(lease.token)
        await asyncio.sleep(0.5)
        assert (await swept(db)).resumed == 1


async def test_a_heartbeat_for_an_unknown_lease_disturbs_nobody(db: Database) -> None:
    run, _ = await create(db, NewRun(RunKind.INDEX))
    with Heartbeat(db.system_url, lease_s=0.2) as heartbeat:
        heartbeat.add(uuid4())
        lease = await claimed(db, run, lease_s=0.2)
        heartbeat.add(lease.token)
        await asyncio.sleep(0.6)
        assert await swept(db) == Swept()


async def test_the_history_of_all_this_keeps_its_promises(db: Database, place: Any) -> None:
    first = await review(db, place, "head1")

    async def work() -> int:
        return 1

    lost = await claimed(db, first, lease_s=0.01)
    await asyncio.sleep(0.05)
    await swept(db)
    assert lost.run.id == first.id
    running = await claimed(db, first)
    await PostgresSteps(db, running).step("plan", "", int, work)
    async with db.organisation(ORG) as connection:
        await runs.supersede_others(connection, ORG, place.pull_request_id, "head2")
    lease = await claimed(db, await review(db, place, "head2"))
    await PostgresSteps(db, lease).step("plan", "", int, work)
    await end(db, lease)
    async with db.organisation(ORG) as connection:
        events = await history.read(connection)
    assert [event.kind.value for event in events] == [
        "run_created", "lease_granted", "lease_expired", "lease_granted", "step_done", "run_superseded",
        "run_created", "lease_granted", "step_done", "run_finished",
    ]  # fmt: skip
    assert check_history(events) == []
