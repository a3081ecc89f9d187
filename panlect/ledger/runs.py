"""Journeys A and B: the run is the truth about work. Create one, claim it, finish it, or supersede it.

Whoever works on a run holds its lease; every write of a worker first locks the run's row and finds the
lease still its own, or raises. So a worker that was given up for dead writes nothing when it comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from panlect import history
from panlect.db import sql
from panlect.db.pool import Database
from panlect.errors import PanlectError
from panlect.faults import fault
from panlect.history import Event, EventKind

if TYPE_CHECKING:
    from psycopg import AsyncConnection, AsyncCursor


class RunKind(StrEnum):
    """What kind of work."""

    INDEX = "index"
    REVIEW = "review"
    PUBLISH = "publish"
    SUMMARIZE = "summarize"
    JOB = "job"


class RunStatus(StrEnum):
    """Where a run is; all but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class SupersededError(PanlectError):
    """The head moved while this run worked: it stops, and nothing of it is posted."""


class RunCancelledError(PanlectError):
    """A person cancelled this run: it stops."""


class LeaseLostError(PanlectError):
    """This worker was silent too long and its run was given to another: it writes nothing more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of work as it stood when it was read."""

    id: UUID
    organisation_id: UUID
    kind: RunKind
    status: RunStatus
    reason: str
    cause: str
    repository_id: UUID | None
    pull_request_id: UUID | None
    review_id: UUID | None
    head_sha: str
    base_sha: str
    detail: Mapping[str, Any]
    lock_key: str | None
    attempt: int
    crashes: int
    lease_token: UUID | None
    worker: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """Work to be done. Runs with one `lock_key` never overlap; two with one `dedupe_key` are the same run."""

    kind: RunKind
    cause: str = ""
    repository_id: UUID | None = None
    pull_request_id: UUID | None = None
    review_id: UUID | None = None
    head_sha: str = ""
    base_sha: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    dedupe_key: str | None = None
    lock_key: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run, until it is finished, released, lost or superseded."""

    run: Run
    token: UUID


class WakeRun(Protocol):
    """Enqueues the wake-up of a run in the caller's transaction and returns the job's id."""

    async def __call__(
        self, connection: AsyncConnection[Any], /, *, run_id: UUID, kind: str, lock_key: str | None
    ) -> int:
        """As `panlect.queue.wake_run` does."""
        ...


def new_review(pull_request_id: UUID, repository_id: UUID, *, head: str, base: str, cause: str) -> NewRun:
    """The review of a head: once per head and cause, one at a time for its pull request."""
    return NewRun(
        RunKind.REVIEW,
        cause,
        repository_id,
        pull_request_id,
        head_sha=head,
        base_sha=base,
        dedupe_key=f"review:{pull_request_id}:{head}:{cause}",
        lock_key=f"review:{pull_request_id}",
    )


async def create_run(
    connection: AsyncConnection[Any], organisation_id: UUID, new: NewRun, wake: WakeRun
) -> tuple[Run, bool]:
    """Store the run and its wake-up in the caller's transaction; (the run that was there, False) on a repeat."""
    from psycopg.types.json import Jsonb

    values = {
        "organisation_id": organisation_id,
        "kind": new.kind.value,
        "cause": new.cause,
        "repository_id": new.repository_id,
        "pull_request_id": new.pull_request_id,
        "review_id": new.review_id,
        "head_sha": new.head_sha,
        "base_sha": new.base_sha,
        "detail": Jsonb(dict(new.detail)),
        "dedupe_key": new.dedupe_key,
        "lock_key": new.lock_key,
    }
    run = _first(await _rows(connection, "runs.create_run", values))
    if run is None:
        found = _first(await _rows(connection, "runs.find_run_by_key", values))
        assert found is not None, "the run that a dedupe key collided with is visible"
        return found, False
    event = Event(
        EventKind.RUN_CREATED,
        run_id=run.id,
        pull_request_id=run.pull_request_id,
        head_sha=run.head_sha,
        cause=run.cause,
        detail=run.kind,
    )
    await history.append(connection, organisation_id, event)
    job_id = await wake(connection, run_id=run.id, kind=run.kind.value, lock_key=run.lock_key)
    await connection.execute(
        sql.query("runs.set_job"),
        {"organisation_id": organisation_id, "run_id": run.id, "job_id": job_id},
    )
    return run, True


async def find_run(connection: AsyncConnection[Any], organisation_id: UUID, run_id: UUID) -> Run | None:
    """The run as it stands now, or None."""
    return _first(
        await _rows(connection, "runs.find_run", {"organisation_id": organisation_id, "run_id": run_id})
    )


async def claim(db: Database, run_id: UUID, *, lease_s: float, worker: str) -> Lease | None:
    """The lease of a queued run; None when it is not queued, not due, or another with its lock is running."""
    async with db.system() as connection:
        run = _first(
            await _rows(
                connection, "runs.claim_run", {"run_id": run_id, "lease_s": lease_s, "worker": worker}
            )
        )
    fault("run.after_claim")
    if run is None or run.lease_token is None:
        return None
    return Lease(run, run.lease_token)


async def hold(connection: AsyncConnection[Any], lease: Lease) -> None:
    """Lock the run's row until the transaction ends and make sure that the lease is still ours.

    Raises SupersededError, RunCancelledError or LeaseLostError: the caller's work is not wanted any more.
    """
    run = lease.run
    row = await (
        await connection.execute(
            sql.query("runs.lock_lease"), {"organisation_id": run.organisation_id, "run_id": run.id}
        )
    ).fetchone()
    status, token = row or ("gone", None)
    if status == RunStatus.SUPERSEDED:
        raise SupersededError(f"The head of run {run.id} moved.")
    if status == RunStatus.CANCELLED:
        raise RunCancelledError(f"Run {run.id} was cancelled.")
    if status != RunStatus.RUNNING or token != lease.token:
        raise LeaseLostError(f"Run {run.id} is in other hands.", why=f"It is {status}.")


async def finish(connection: AsyncConnection[Any], lease: Lease, status: RunStatus, reason: str = "") -> None:
    """End the run as done or failed. Raises as `hold` does when it is not ours to end."""
    await hold(connection, lease)
    run = lease.run
    await connection.execute(
        sql.query("runs.finish_run"),
        {**_lease_values(lease), "status": status.value, "reason": reason},
    )
    event = Event(
        EventKind.RUN_FINISHED, run_id=run.id, lease_token=lease.token, detail=f"{status} {reason}".strip()
    )
    await history.append(connection, run.organisation_id, event)


async def release(
    connection: AsyncConnection[Any], lease: Lease, *, after_s: float = 0.0, reason: str = ""
) -> None:
    """Give the run back: at once when a worker shuts down, after `after_s` when the world is not ready.

    Only the second counts as an attempt. Raises as `hold` does.
    """
    await hold(connection, lease)
    await connection.execute(
        sql.query("runs.release_run"),
        {**_lease_values(lease), "after_s": after_s, "reason": reason, "attempt_counts": after_s > 0},
    )
    event = Event(EventKind.LEASE_RELEASED, run_id=lease.run.id, lease_token=lease.token, detail=reason[:200])
    await history.append(connection, lease.run.organisation_id, event)


async def supersede_others(
    connection: AsyncConnection[Any], organisation_id: UUID, pull_request_id: UUID, head_sha: str
) -> list[UUID]:
    """End the reviews of every other head of a pull request; returns their runs.

    A running one notices at its next write. Verdicts of other heads that wait to be published will not be.
    """
    values = {
        "organisation_id": organisation_id,
        "pull_request_id": pull_request_id,
        "head_sha": head_sha,
    }
    rows = await (await connection.execute(sql.query("runs.supersede_others"), values)).fetchall()
    for run_id, _kind, old_head, _review_id in rows:
        event = Event(
            EventKind.RUN_SUPERSEDED,
            run_id=run_id,
            pull_request_id=pull_request_id,
            head_sha=old_head,
            detail=head_sha,
        )
        await history.append(connection, organisation_id, event)
    await connection.execute(
        sql.query("runs.supersede_reviews"),
        {"organisation_id": organisation_id, "review_ids": [row[3] for row in rows if row[3]]},
    )
    return [row[0] for row in rows]


async def revive_head(
    connection: AsyncConnection[Any],
    organisation_id: UUID,
    pull_request_id: UUID,
    head_sha: str,
    wake: WakeRun,
) -> list[UUID]:
    """Go on with what was superseded and is the head again (a force push back); the runs that were queued."""
    values = {
        "organisation_id": organisation_id,
        "pull_request_id": pull_request_id,
        "head_sha": head_sha,
    }
    rows = await (await connection.execute(sql.query("runs.revive_head"), values)).fetchall()
    await connection.execute(sql.query("runs.revive_reviews"), values)
    for run_id, kind, lock_key, cause in rows:
        event = Event(
            EventKind.RUN_CREATED,
            run_id=run_id,
            pull_request_id=pull_request_id,
            head_sha=head_sha,
            cause=cause,
            detail=f"{kind} revived",
        )
        await history.append(connection, organisation_id, event)
        job_id = await wake(connection, run_id=run_id, kind=kind, lock_key=lock_key)
        await connection.execute(
            sql.query("runs.set_job"),
            {"organisation_id": organisation_id, "run_id": run_id, "job_id": job_id},
        )
    return [row[0] for row in rows]


async def cancel(
    connection: AsyncConnection[Any], organisation_id: UUID, run_id: UUID, reason: str = ""
) -> bool:
    """End a queued or running run on a person's wish; False when it had ended."""
    values = {"organisation_id": organisation_id, "run_id": run_id, "reason": reason}
    row = await (await connection.execute(sql.query("runs.cancel_run"), values)).fetchone()
    if row is None:
        return False
    await history.append(
        connection, organisation_id, Event(EventKind.RUN_FINISHED, run_id=run_id, detail="cancelled")
    )
    return True


async def fail_crashed(connection: AsyncConnection[Any], organisation_id: UUID, run_id: UUID) -> Run | None:
    """End a run whose lease expired once too often as failed(crash); None when that is no longer so."""
    values = {"organisation_id": organisation_id, "run_id": run_id}
    run = _first(await _rows(connection, "runs.fail_crashed_run", values))
    if run is not None:
        event = Event(EventKind.RUN_FINISHED, run_id=run_id, detail="failed crash")
        await history.append(connection, organisation_id, event)
    return run


def _lease_values(lease: Lease) -> dict[str, object]:
    return {
        "organisation_id": lease.run.organisation_id,
        "run_id": lease.run.id,
        "lease_token": lease.token,
    }


async def _rows(connection: AsyncConnection[Any], name: str, values: Mapping[str, object]) -> list[Run]:
    from psycopg.rows import class_row

    cursor: AsyncCursor[_Row]
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(sql.query(name), values)
        return [row.run for row in await cursor.fetchall()]


def _first(runs: list[Run]) -> Run | None:
    return runs[0] if runs else None


class _Row:
    """A row of run with its words turned into ours."""

    def __init__(self, *, kind: str, status: str, **rest: Any) -> None:
        self.run = Run(kind=RunKind(kind), status=RunStatus(status), **rest)
