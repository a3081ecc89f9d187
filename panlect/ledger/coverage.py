"""Step 14 of journey A: the verdict with its findings, its suppressions and every hunk, stored for good.

One transaction holds all of it and the publish run, so a verdict that exists will be published, and only
such a one. Afterwards only what became of it on the code host may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect import history
from panlect.db import sql
from panlect.db.pool import Database
from panlect.db.text import storable
from panlect.faults import fault
from panlect.finding import (
    Category,
    Coverage,
    Depth,
    Evidence,
    Finding,
    HunkCoverage,
    Place,
    Severity,
    Side,
    Suppressed,
    Verdict,
    VerdictKind,
)
from panlect.history import Event, EventKind
from panlect.ledger.runs import (
    Lease,
    NewRun,
    Run,
    RunKind,
    RunStatus,
    WakeRun,
    create_run,
    fail_crashed,
    finish,
    hold,
)

if TYPE_CHECKING:
    from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class StoredReview:
    """A verdict as it is kept, and what became of it on the code host.

    `state`: stored, posted, superseded or post_failed, with `state_reason`.
    """

    id: UUID
    organisation_id: UUID
    repository_id: UUID
    pull_request_id: UUID
    run_id: UUID
    cause: str
    verdict: Verdict
    state: str
    state_reason: str
    posted_review_id: str
    posted_check_id: str
    posted_url: str
    marker: str
    created_at: datetime
    posted_at: datetime | None

    @property
    def posted(self) -> bool:
        """Whether people can see it on the code host."""
        return self.state == "posted"


async def store_verdict(db: Database, lease: Lease, verdict: Verdict, wake: WakeRun) -> UUID:
    """Store what is true of the run's head and enqueue its publishing; returns the review's id.

    A head has one verdict per cause: storing a second one returns the first. Raises as `runs.hold` does
    when the run is no longer ours (superseded, cancelled, lease lost): then nothing is stored.
    """
    async with db.organisation(lease.run.organisation_id) as connection:
        await hold(connection, lease)
        review_id = await _store(connection, lease.run, verdict, wake)
        fault("verdict.before_commit")
    fault("verdict.after_commit")
    return review_id


async def fail_run(db: Database, lease: Lease, reason: str, wake: WakeRun) -> None:
    """End the run as failed and let it show: a review as the verdict FAILED(reason) on its pull request, a
    publish run as post_failed on its review. Raises as `runs.hold` does.
    """
    async with db.organisation(lease.run.organisation_id) as connection:
        await hold(connection, lease)
        await _show_failure(connection, lease.run, reason, wake)
        await finish(connection, lease, RunStatus.FAILED, reason)


async def fail_crashed_run(db: Database, organisation_id: UUID, run_id: UUID, wake: WakeRun) -> Run | None:
    """The same for a run that crashed its workers too often, reason `crash`; None when that is not so."""
    async with db.organisation(organisation_id) as connection:
        run = await fail_crashed(connection, organisation_id, run_id)
        if run is not None:
            await _show_failure(connection, run, "crash", wake)
    return run


async def find_review(
    connection: AsyncConnection[Any], organisation_id: UUID, review_id: UUID
) -> StoredReview | None:
    """The whole review, its verdict rebuilt as it was given to `store_verdict`; None when there is none."""
    values = {"organisation_id": organisation_id, "review_id": review_id}
    row = await _one(connection, "reviews.find_review", values)
    if row is None:
        return None
    verdict = Verdict(
        kind=VerdictKind(row["verdict"]),
        reason=row["reason"],
        depth=Depth(row["depth"]) if row["depth"] else None,
        base_sha=row["base_sha"],
        head_sha=row["head_sha"],
        coverage=Coverage(
            tuple(_hunk(r) for r in await sql.rows_of(connection, "reviews.list_hunks", values)),
        ),
        findings=tuple(_finding(r) for r in await sql.rows_of(connection, "reviews.list_findings", values)),
        suppressed=tuple(
            Suppressed(**r) for r in await sql.rows_of(connection, "reviews.list_suppressed", values)
        ),
        model=row["model"],
    )
    kept = {name: row[name] for name in StoredReview.__dataclass_fields__ if name != "verdict"}
    return StoredReview(verdict=verdict, **kept)


async def find_review_of_head(
    connection: AsyncConnection[Any], organisation_id: UUID, pull_request_id: UUID, head_sha: str
) -> StoredReview | None:
    """The newest review of a head, or None."""
    values = {
        "organisation_id": organisation_id,
        "pull_request_id": pull_request_id,
        "head_sha": head_sha,
    }
    row = await _one(connection, "reviews.find_review_of_head", values)
    return await find_review(connection, organisation_id, row["id"]) if row else None


async def mark_posted(
    db: Database,
    lease: Lease,
    *,
    posted_review_id: str,
    posted_check_id: str = "",
    posted_url: str = "",
    marker: str = "",
) -> None:
    """Note the ids under which the code host shows the publish run's review. Raises as `runs.hold` does."""
    await _set_state(
        db,
        lease,
        state="posted",
        reason="",
        posted_review_id=posted_review_id,
        posted_check_id=posted_check_id,
        posted_url=posted_url,
        marker=marker,
    )


async def mark_not_posted(db: Database, lease: Lease, state: str, reason: str) -> None:
    """Note that the publish run's review will not be shown: `superseded` or `post_failed`, and why."""
    if state not in ("superseded", "post_failed"):
        raise ValueError(state)
    await _set_state(db, lease, state=state, reason=reason)


async def _show_failure(connection: AsyncConnection[Any], run: Run, reason: str, wake: WakeRun) -> None:
    if run.kind is RunKind.REVIEW:
        verdict = Verdict(VerdictKind.FAILED, reason, None, run.base_sha, run.head_sha)
        await _store(connection, run, verdict, wake)
    elif run.kind is RunKind.PUBLISH:
        await _one(connection, "reviews.set_state", _state_values(run, "post_failed", reason))


def _state_values(run: Run, state: str, reason: str, **posted: str) -> dict[str, object]:
    return {
        "organisation_id": run.organisation_id,
        "review_id": run.review_id,
        "state": state,
        "state_reason": storable(reason)[:500],
        **dict.fromkeys(("posted_review_id", "posted_check_id", "posted_url", "marker"), ""),
        **posted,
    }


async def _set_state(db: Database, lease: Lease, *, state: str, reason: str, **posted: str) -> None:
    run = lease.run
    values = _state_values(run, state, reason, **posted)
    async with db.organisation(run.organisation_id) as connection:
        await hold(connection, lease)
        row = await _one(connection, "reviews.set_state", values)
        if row is not None and state == "posted":
            event = Event(
                EventKind.REVIEW_POSTED,
                run_id=run.id,
                pull_request_id=run.pull_request_id,
                head_sha=run.head_sha,
                cause=row["cause"],
                lease_token=lease.token,
            )
            await history.append(connection, run.organisation_id, event)
        fault("review.post.before_commit")


async def _store(connection: AsyncConnection[Any], run: Run, verdict: Verdict, wake: WakeRun) -> UUID:
    coverage = verdict.coverage
    values = {
        "organisation_id": run.organisation_id,
        "repository_id": run.repository_id,
        "pull_request_id": run.pull_request_id,
        "run_id": run.id,
        "head_sha": verdict.head_sha,
        "base_sha": verdict.base_sha,
        "cause": run.cause,
        "verdict": verdict.kind.value,
        "reason": storable(verdict.reason),
        "depth": verdict.depth.value if verdict.depth else None,
        "model": verdict.model,
        "findings": len(verdict.findings),
        "suppressed": len(verdict.suppressed),
        "hunks_read": len(coverage.read),
        "hunks_unread": len(coverage.unread),
        "hunks_excluded": len(coverage.excluded),
    }
    created = await _one(connection, "reviews.create_review", values)
    if created is None:
        there = await _one(connection, "reviews.find_review_of_cause", values)
        assert there is not None, "the review that this one collided with is visible"
        return UUID(str(there["id"]))
    review_id = UUID(str(created["id"]))
    key = {"organisation_id": run.organisation_id, "review_id": review_id}
    rows = (
        ("reviews.store_finding", [_finding_row(finding) for finding in verdict.findings]),
        ("reviews.store_suppressed", [_clean(asdict(dropped)) for dropped in verdict.suppressed]),
        ("reviews.store_hunk", [_clean(asdict(hunk)) for hunk in coverage.hunks]),
    )
    for name, parts in rows:
        if parts:
            cursor = connection.cursor()
            await cursor.executemany(
                sql.query(name), [{**key, "ordinal": n, **part} for n, part in enumerate(parts)]
            )
    event = Event(
        EventKind.REVIEW_STORED,
        run_id=run.id,
        pull_request_id=run.pull_request_id,
        head_sha=verdict.head_sha,
        cause=run.cause,
        detail=verdict.kind.value,
    )
    await history.append(connection, run.organisation_id, event)
    publish = NewRun(
        RunKind.PUBLISH,
        run.cause,
        run.repository_id,
        run.pull_request_id,
        review_id,
        verdict.head_sha,
        verdict.base_sha,
        dedupe_key=f"publish:{review_id}",
        # Not the review's lock: the verdict is posted while the review's job is still being put away.
        lock_key=f"publish:{run.pull_request_id}",
    )
    await create_run(connection, run.organisation_id, publish, wake)
    return review_id


def _finding_row(finding: Finding) -> dict[str, object]:
    row = _clean(asdict(finding))
    row["evidence"] = json.dumps(row["evidence"])
    row["related"] = json.dumps(row["related"])
    return row


def _finding(row: Mapping[str, Any]) -> Finding:
    words = {
        **row,
        "severity": Severity(row["severity"]),
        "category": Category(row["category"]),
        "side": Side(row["side"]),
        "evidence": tuple(Evidence(**{**e, "side": Side(e["side"])}) for e in json.loads(row["evidence"])),
        "related": tuple(Place(**place) for place in json.loads(row["related"])),
    }
    return Finding(**words)


def _hunk(row: Mapping[str, Any]) -> HunkCoverage:
    words = {
        **row,
        "side": Side(row["side"]),
        "depth": Depth(row["depth"]) if row["depth"] else None,
        "passes": tuple(row["passes"]),
    }
    return HunkCoverage(**words)


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """The same row, its text fit for Postgres, enums as their words, tuples as lists."""
    return {name: _clean_value(value) for name, value in row.items()}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable(str(value))
    if isinstance(value, dict):
        return _clean(value)
    if isinstance(value, list | tuple):
        return [_clean_value(part) for part in value]
    return value


async def _one(
    connection: AsyncConnection[Any], name: str, values: Mapping[str, object]
) -> dict[str, Any] | None:
    rows = await sql.rows_of(connection, name, values)
    return rows[0] if rows else None
