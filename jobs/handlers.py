"""What the queue's tasks call: one function a kind of run, with the services of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping

from jobs.collect import Collector
from jobs.tasks import Handlers
from panlect.errors import ConfigurationError, EmbeddingError, PanlectError
from panlect.git.repository import Repository
from panlect.inbox import StoredDelivery
from panlect.index.analyse import AnalysisRun
from panlect.index.commit import (
    Active,
    Analysed,
    Plan,
    activate,
    analysed,
    fill_vectors,
    keep,
    plan_commit,
    unembedded,
)
from panlect.index.models import ModelSpec, key_of
from panlect.index.runs import (
    OVERTAKEN,
    IndexSubject,
    Pace,
    RunNotes,
    find_subject,
    is_overtaken,
    mirror_of,
    models_to_fill,
    note_progress,
)
from panlect.index.store import PostgresStore
from panlect.ledger.runs import Lease, RunKind
from panlect.metrics import RUNS
from panlect.redact import log_ids
from panlect.review.pull_request import Workshop, publish_review, review_pull_request
from panlect.review.sync import sync
from panlect.summaries.hosted import Studio, queue_summaries, summarize_commit
from panlect.wiring import Services, embedding_spec

_LEAVES_WITHIN_S = 3.0
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
    collector = Collector()
    studio = studio_of(services)

    async def index_and_collect(lease: Lease) -> None:
        await index_commit(services, lease)
        if lease.run.repository_id is not None and not lease.run.detail.get("ref"):
            await queue_summaries(studio, lease.run.organisation_id, lease.run.repository_id)
        await collector.after_index(services, lease.run.organisation_id)

    kinds: Mapping[RunKind, Execute] = {
        RunKind.INDEX: index_and_collect,
        RunKind.REVIEW: lambda lease: review_pull_request(shop, lease),
        RunKind.PUBLISH: lambda lease: publish_review(shop, lease),
        RunKind.SUMMARIZE: lambda lease: summarize_commit(studio, lease),
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


def studio_of(services: Services) -> Studio:
    """What summarising takes of the services."""
    in_flight = services.settings.summarize_in_flight
    return Studio(services.db, services.connections, services.mirrors, services.models, in_flight)


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
    notes = RunNotes(services.db, subject)
    run = AnalysisRun()
    run.note_cut(plan.truncated)

    def analyse() -> Active | None:
        rows = analysed(mirror, plan.unseen, run=run)
        keep(store, _noted(rows, Pace("analysing", len(plan.unseen)), notes))
        if not notes.may_activate(analysed=len(run.ms), unread=_counted(run)):
            return None
        return activate(store, subject.repository_id, plan, ref=ref, serve=not ref)

    await note_progress(services.db, subject, {"files": len(plan.entries), "unseen": len(plan.unseen)})
    active = await _in_thread(analyse, notes)
    if active is None:
        return
    await note_progress(services.db, subject, {"searchable": True, "chunks": active.chunks})
    if services.embedder is not None:
        made = await _embed_by_all(services, subject, store, active)
        await note_progress(services.db, subject, {"vectors": active.chunks, "embedded": made})
    await note_progress(services.db, subject, {"stage": "done", "left_s": 0})


def _noted(rows: Iterable[Analysed], pace: Pace, notes: RunNotes) -> Iterator[Analysed]:
    """The rows as they come, noted on the way: a run that was cancelled stops between two of them."""
    try:
        for done, row in enumerate(rows, start=1):
            yield row
            notes.wanted()
            if said := pace.at(done):
                notes.note(**said, analysed=done)
    finally:
        if isinstance(rows, Generator):
            rows.close()  # ends its children now, not when the error is forgotten


async def _in_thread(work: Callable[[], Active | None], notes: RunNotes) -> Active | None:
    """What `work` answers. Who is cancelled waits a moment for it to stop: it writes to the store until then."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        notes.leave()
        with contextlib.suppress(TimeoutError, PanlectError):
            await asyncio.wait_for(working, _LEAVES_WITHIN_S)
        raise


async def _embed_by_all(
    services: Services, subject: IndexSubject, store: PostgresStore, active: Active
) -> int:
    """Fill in the vectors of every model that needs them; how many were made."""
    configured = embedding_spec(services.settings)
    made = 0
    for spec in await asyncio.to_thread(models_to_fill, store, subject.repository_id, configured):
        try:
            made += await _embed(services, subject, store, active, spec)
        except (ConfigurationError, EmbeddingError) as error:
            if spec == configured:
                raise
            await note_progress(services.db, subject, {"not_embedded": {spec.name: error.what}})
    return made


async def _embed(
    services: Services, subject: IndexSubject, store: PostgresStore, active: Active, spec: ModelSpec
) -> int:
    """Fill in the vectors of a model; how many were made."""
    assert services.embedder is not None
    repository_id = subject.repository_id
    missing = await asyncio.to_thread(unembedded, store, repository_id, active, key_of(spec))
    pace = Pace("embedding", active.chunks, before=active.chunks - len(missing))

    async def note(vectors: int) -> None:
        await note_progress(services.db, subject, {"vectors": vectors, **(pace.at(vectors) or {})})

    return await fill_vectors(store, repository_id, active, spec, services.embedder, note)
