"""Summaries on the server: behind an index that was activated, one run describes what is missing of its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect import history
from panlect.db.pool import Database
from panlect.db.sql import query, rows_of
from panlect.forge.connections import Connections
from panlect.history import Event, EventKind
from panlect.index import snapshots, summaries
from panlect.index.runs import OVERTAKEN, IndexSubject, Pace, mirror_of, note_progress
from panlect.index.snapshot import BlobReader, Snapshot
from panlect.index.snapshots import StoredSnapshot
from panlect.index.store import PostgresStore
from panlect.index.summaries import EXTRACTIVE, PostgresSummaries
from panlect.ledger.runs import Lease, NewRun, RunKind, RunStatus, create_run
from panlect.llm.chat import Caller, Models
from panlect.queue import wake_run
from panlect.summaries.plan import Estimate, estimate, missing, plan
from panlect.summaries.run import GROUP, IN_FLIGHT, ROLE, Ask, Made, ask_models, summarize

if TYPE_CHECKING:
    from psycopg import AsyncConnection

AskWith = Callable[[Models, Caller, int], Ask]
_ENDED_BADLY = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Studio:
    """What summarising on the server needs."""

    db: Database
    connections: Connections
    mirrors: Path
    models: Models
    in_flight: int = IN_FLIGHT
    ask_with: AskWith = ask_models
    group: int = GROUP


async def model_of(models: Models, organisation_id: UUID) -> str:
    """Who would summarise: `provider/model`, or "extractive"."""
    name = await models.named(ROLE, organisation_id)
    return EXTRACTIVE if name == "none" else name


async def queue_summaries(
    studio: Studio, organisation_id: UUID, repository_id: UUID, *, cause: str = "indexed", again: bool = False
) -> UUID | None:
    """A run that summarises the commit that is searched now, once for it and the model; None without an index.

    With `again` there is one more. Runs of older commits are superseded: nobody wants the rest of their work.
    """

    def find() -> StoredSnapshot | None:
        with PostgresStore(studio.db.url, organisation_id) as store:
            return snapshots.active(store, repository_id)

    active = await asyncio.to_thread(find)
    if active is None:
        return None
    model = await model_of(studio.models, organisation_id)
    key = None if again else f"summarize:{active.id}:{model}"
    async with studio.db.organisation(organisation_id) as connection:
        run, fresh = await create_run(
            connection,
            organisation_id,
            _new(organisation_id, repository_id, active, model, cause, key),
            wake_run,
        )
        if not fresh and run.status in _ENDED_BADLY:
            new = _new(organisation_id, repository_id, active, model, cause, None)
            run, fresh = await create_run(connection, organisation_id, new, wake_run)
        if fresh:
            await _supersede_others(connection, organisation_id, repository_id, run.id, active.commit_sha)
    return run.id


def _new(
    organisation_id: UUID,
    repository_id: UUID,
    active: StoredSnapshot,
    model: str,
    cause: str,
    key: str | None,
) -> NewRun:
    return NewRun(
        RunKind.SUMMARIZE,
        cause,
        repository_id,
        head_sha=active.commit_sha,
        detail={"snapshot": str(active.id), "model": model},
        dedupe_key=key,
        # One at a time for an organisation: they take long, and a worker has few places, which reviews need.
        lock_key=f"summarize:{organisation_id}",
    )


async def _supersede_others(
    connection: AsyncConnection[Any], organisation_id: UUID, repository_id: UUID, run_id: UUID, head_sha: str
) -> None:
    values = {"organisation_id": organisation_id, "repository_id": repository_id, "run_id": run_id}
    rows = await (await connection.execute(query("summaries.supersede_others"), values)).fetchall()
    for other, old_head in rows:
        event = Event(EventKind.RUN_SUPERSEDED, run_id=other, head_sha=old_head, detail=head_sha)
        await history.append(connection, organisation_id, event)


async def summarize_commit(studio: Studio, lease: Lease) -> Made | None:
    """Make what the run's commit lacks and show it; None when another commit is searched by now.

    Raises RunCancelledError as soon as nobody wants it, and what the host raises. What was made by then is kept.
    """
    subject = await find_subject(studio.db, lease)
    snapshot_id = UUID(str(lease.run.detail["snapshot"]))
    with PostgresStore(studio.db.url, subject.organisation_id) as store:
        active = await asyncio.to_thread(snapshots.active, store, subject.repository_id)
        if active is None or active.id != snapshot_id:
            await note_progress(studio.db, subject, OVERTAKEN)
            return None
        mirror = await mirror_of(studio.connections, studio.mirrors, subject)
        snapshot = await asyncio.to_thread(snapshot_of, store, active, mirror)
        made = await _made(studio, subject, store, snapshot)
        keys = {path: one.key for path, one in made.summaries.items()}
        await note_progress(studio.db, subject, {"stage": "placing"})
        await asyncio.to_thread(summaries.place, store, snapshot_id, keys)
    await note_progress(
        studio.db, subject, {"stage": "done", "left_s": 0, "summaries": len(made.summaries), **made.counts()}
    )
    return made


def snapshot_of(store: PostgresStore, active: StoredSnapshot, blobs: BlobReader) -> Snapshot:
    """A stored commit, its texts read from `blobs`."""
    return Snapshot(active.commit_sha, snapshots.entries(store, active.id), store, blobs)


async def _made(studio: Studio, subject: IndexSubject, store: PostgresStore, snapshot: Snapshot) -> Made:
    organisation_id = subject.organisation_id
    model = await model_of(studio.models, organisation_id)
    kept = PostgresSummaries(store)

    def planned() -> tuple[Any, list[Any]]:
        whole = plan(snapshot, model)
        return whole, missing(whole, kept.known([node.key for node in whole.nodes]))

    whole, todo = await asyncio.to_thread(planned)
    guessed = Estimate(0, 0, 0, 0)
    if model != EXTRACTIVE:
        guessed = await estimate(todo, studio.models, ROLE, organisation_id)
    noted = {"model": model, "missing": len(todo), "estimate": asdict(guessed)}
    await note_progress(studio.db, subject, noted | {"left_out": dict(whole.left_out)})
    pace = Pace("summarising", len(todo))

    async def progress(done: int, _: int) -> None:
        await note_progress(studio.db, subject, pace.at(done) or {})  # also asks whether anybody waits

    ask = None
    if model != EXTRACTIVE:
        caller = Caller(organisation_id, subject.repository_id, run_id=subject.run_id, step="summarize")
        ask = studio.ask_with(studio.models, caller, studio.in_flight)
    return await summarize(whole, snapshot, kept, ask, progress, studio.group)


async def find_subject(db: Database, lease: Lease) -> IndexSubject:
    """The repository and commit of a run, as an index of it would name them."""
    run = lease.run
    assert run.repository_id is not None, "a run of summaries has a repository"
    row = await _repository(db, run.organisation_id, run.repository_id)
    return IndexSubject(
        run.id,
        run.organisation_id,
        run.repository_id,
        row["connection_id"],
        row["full_name"],
        row["clone_url"],
        row["default_branch"],
        run.head_sha,
        run.detail,
        lease.token,
    )


async def _repository(db: Database, organisation_id: UUID, repository_id: UUID) -> Mapping[str, Any]:
    async with db.organisation(organisation_id) as connection:
        rows = await rows_of(connection, "forge.get_repository", [organisation_id, repository_id])
    assert rows, "a run's repository outlives it"
    return rows[0]
