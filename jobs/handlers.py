"""What the queue's tasks call: one function a kind of run, with the services of this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from jobs.tasks import Handlers
from panlect.errors import PanlectError
from panlect.git.repository import Repository
from panlect.inbox import StoredDelivery
from panlect.index.analyse import AnalysisRun
from panlect.index.commit import Active, Plan, activate, analysed, fill_vectors, keep, plan_commit
from panlect.index.runs import OVERTAKEN, IndexSubject, find_subject, is_overtaken, mirror_of, note_progress
from panlect.index.store import PostgresStore
from panlect.ledger.runs import Lease, RunKind
from panlect.metrics import RUNS
from panlect.redact import log_ids
from panlect.review.pull_request import Workshop, publish_review, review_pull_request
from panlect.review.sync import sync
from panlect.wiring import Services, embedding_spec

Execute = Callable[[Lease], Awaitable[object]]


def handlers(services: Services) -> Handlers:
    """The handlers of this process."""
    shop = Workshop(
        db=services.db,
        connections=services.connections,
        mirrors=services.mirrors,
        public_url=services.public_url,
        metrics=services.metrics,
    )
    kinds: Mapping[RunKind, Execute] = {
        RunKind.INDEX: lambda lease: index_commit(services, lease),
        RunKind.REVIEW: lambda lease: review_pull_request(shop, lease),
        RunKind.PUBLISH: lambda lease: publish_review(shop, lease),
    }

    async def sync_pull_request(delivery: StoredDelivery) -> str:
        with log_ids(delivery=delivery.delivery_id):
            return (await sync(services.db, services.connections, delivery)).outcome

    async def execute_run(lease: Lease) -> None:
        run = lease.run
        execute = kinds.get(run.kind)
        if execute is None:
            raise PanlectError(f"No worker knows runs of kind {run.kind}.", fix="Update Panlect.")
        with log_ids(run=str(run.id), organisation=str(run.organisation_id)):
            await execute(lease)
        services.metrics.count(RUNS, kind=run.kind.value, outcome="done")

    return Handlers(sync_pull_request, execute_run)


async def index_commit(services: Services, lease: Lease) -> None:
    """Few changed files: right here. Many, or where it is asked for: one Ray job, waited for."""
    settings = services.settings
    subject = await find_subject(services.db, lease.run.id, lease.token)
    if await is_overtaken(services.db, subject):
        await note_progress(services.db, subject, OVERTAKEN)
        return
    mirror = await mirror_of(services.connections, services.mirrors, subject)
    with PostgresStore(services.db.url, subject.organisation_id) as store:
        plan = await asyncio.to_thread(plan_commit, mirror, subject.commit_sha, store)
        many = len(plan.unseen) > settings.bulk_threshold or bool(subject.detail.get("bulk"))
        if many and services.submit_bulk is not None:

            async def wanted() -> None:
                await note_progress(services.db, subject, {})

            await services.submit_bulk(
                lease.run.id,
                lease.run.attempt,
                lease.token,
                limit=settings.bulk_limit,
                timeout_s=settings.bulk_timeout_s,
                wanted=wanted,
            )
            return
        await _index_here(services, subject, mirror, plan, store)


def _counted(run: AnalysisRun) -> dict[str, int]:
    """How many blobs were left out, by reason."""
    return dict(Counter(run.unread.values()))


async def _index_here(
    services: Services, subject: IndexSubject, mirror: Repository, plan: Plan, store: PostgresStore
) -> None:
    ref = str(subject.detail.get("ref", ""))

    run = AnalysisRun()
    run.note_cut(plan.truncated)

    def analyse() -> Active:
        keep(store, analysed(mirror, plan.unseen, run=run))
        return activate(store, subject.repository_id, plan, ref=ref, serve=not ref)

    async def note(vectors: int) -> None:
        await note_progress(services.db, subject, {"vectors": vectors})

    await note_progress(services.db, subject, {"files": len(plan.entries), "unseen": len(plan.unseen)})
    active = await asyncio.to_thread(analyse)
    progress = {"searchable": True, "chunks": active.chunks, "analysed": len(run.ms), "unread": _counted(run)}
    await note_progress(services.db, subject, progress)
    if services.embedder is not None:
        spec = embedding_spec(services.settings)
        made = await fill_vectors(store, subject.repository_id, active, spec, services.embedder, note)
        await note_progress(services.db, subject, {"vectors": active.chunks, "embedded": made})
