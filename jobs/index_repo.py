"""Bulk indexing as a Ray job: `ray job submit ... -- python -m jobs.index_repo --repo NAME | --all --shard 0/4`.

The server submits the same with `--run ID`, whose row says what to index. Text is searchable as soon as the
snapshot is active; vectors fill in behind. A job that is killed loses nothing that was stored: the next one
goes on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections.abc import Callable
from uuid import UUID

from jobs.by_hand import work_off_run
from jobs.ray_jobs import join_cluster
from jobs.repositories import (
    ConnectedRepository,
    StuckError,
    Wanted,
    add_options,
    connected,
    one_by_one,
    wanted_of,
)
from panlect import wiring
from panlect.errors import ConfigurationError, PanlectError
from panlect.faults import fault
from panlect.index.commit import Active, activate, embedded, plan_commit, unembedded
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
from panlect.ledger.runs import Lease, RunStatus, create_run
from panlect.queue import wake_run
from panlect.review.sync import new_index
from panlect.settings import load
from panlect.wiring import Services
from pipelines.bulk_index import Source, analyse_blobs, embed_chunks

_LEAVES_WITHIN_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Index what is asked for; 0 when all of it is indexed."""
    given = _parser().parse_args(arguments)
    try:
        if given.run:
            return asyncio.run(_index_run(given.run, given.lease))
        return asyncio.run(_index_all(wanted_of(given), given.ref))
    except PanlectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.index_repo",
        description="Index repositories in bulk on this Ray cluster. What is indexed already costs nothing.",
    )
    what = add_options(parser)
    what.add_argument("--run", type=UUID, help="id of an index run (the server's own way)")
    parser.add_argument(
        "--lease", type=UUID, help="with --run: the lease to work under; no more is done once it is lost"
    )
    parser.add_argument("--ref", default="", help="a branch to index beside the default one")
    return parser


async def _index_run(run_id: UUID, lease: UUID | None) -> int:
    """The job of a run that the server's worker holds and waits for."""
    services = await wiring.opened(load())
    try:
        await _index(services, await find_subject(services.db, run_id, lease))
    finally:
        await services.close()
    return 0


async def _index_all(wanted: Wanted, ref: str) -> int:
    """Each repository as a run of its own, worked on here, one after the other."""
    services = await wiring.opened(load())
    try:
        organisation_id, repositories = await connected(services, wanted)

        async def index(one: ConnectedRepository) -> tuple[bool, str]:
            status, said = await _index_one(services, organisation_id, one, ref)
            return status is RunStatus.DONE, f"{status} {said}"

        failed = await one_by_one(repositories, index)
        print(f"{len(repositories) - failed} indexed, {failed} failed", flush=True)
    finally:
        await services.close()
    return 1 if failed else 0


async def _index_one(
    services: Services, organisation_id: UUID, one: ConnectedRepository, ref: str
) -> tuple[RunStatus, str]:
    """A run for the newest commit, worked on under a lease; one that a worker took first is waited for.

    Raises PanlectError when an earlier run of the repository holds it up for longer than an index may take,
    StuckError when the index took longer itself and could not be ended.
    """
    async with services.connections.client(organisation_id, one.connection_id) as client:
        branch = await (client.branch(one.full_name, ref) if ref else client.default_branch(one.full_name))
    new = new_index(one.id, branch.head_sha, cause="job", bulk=True, ref=ref)
    async with services.db.organisation(organisation_id) as connection:
        run, _ = await create_run(connection, organisation_id, new, wake_run)

    async def execute(lease: Lease) -> None:
        await _index(services, await find_subject(services.db, lease.run.id, lease.token))

    late = PanlectError(
        f"Another index of {one.full_name} did not end.",
        fix="See GET /api/v1/runs?kind=index; cancel it, or start a worker if its process is gone.",
    )
    ended = await work_off_run(services, organisation_id, run.id, execute, late)
    chunks, vectors = ended.detail.get("chunks", 0), ended.detail.get("vectors", 0)
    return ended.status, ended.reason or f"{chunks} chunks, {vectors} vectors"


async def _index(services: Services, subject: IndexSubject) -> None:
    """The bulk pipeline in a thread of its own, never longer than it may take.

    Ray Data waits for resources without a word: only a clock outside of it can tell that nothing happens, and
    a thread that waits there may never hear that it is to stop (StuckError).
    """
    if await is_overtaken(services.db, subject):
        await note_progress(services.db, subject, OVERTAKEN)
        return
    loop = asyncio.get_running_loop()
    notes = RunNotes(services.db, subject)
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def work() -> None:
        error: BaseException | None = None
        try:
            _index_in_bulk(services, subject, notes)
        except Exception as caught:  # noqa: BLE001 - the edge of a thread: raised again where it is awaited
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    thread = threading.Thread(target=work, name="bulk-index", daemon=True)
    thread.start()
    try:
        await asyncio.wait_for(done, services.settings.bulk_timeout_s)
    except TimeoutError:
        notes.leave()
        await asyncio.to_thread(thread.join, _LEAVES_WITHIN_S)
        kind = StuckError if thread.is_alive() else PanlectError
        raise kind(
            "The bulk index took longer than it may.",
            fix="Raise PANLECT_BULK_TIMEOUT_S, or see whether the cluster has room. A rerun goes on from here.",
        ) from None
    finally:
        notes.leave()


def _index_in_bulk(services: Services, subject: IndexSubject, notes: RunNotes) -> None:
    join_cluster()
    mirror = notes.ask(mirror_of(services.connections, services.mirrors, subject))
    source = Source(subject.run_id, subject.organisation_id, subject.repository_id)
    ref = str(subject.detail.get("ref", ""))
    with PostgresStore(services.db.url, subject.organisation_id) as store:
        plan = plan_commit(mirror, subject.commit_sha, store)
        notes.note(files=len(plan.entries), unseen=len(plan.unseen), analysed=0)
        paced = _paced("analysing", len(plan.unseen), "analysed", notes)
        unread = analyse_blobs(plan.unseen, source, paced, cut=plan.truncated)
        if not notes.may_activate(analysed=len(plan.unseen) - sum(unread.values()), unread=unread):
            return
        active = activate(store, subject.repository_id, plan, ref=ref, serve=not ref)
        notes.note(searchable=True, chunks=active.chunks)
        _embed_by_all(services, store, source, active, notes)


def _embed_by_all(
    services: Services, store: PostgresStore, source: Source, active: Active, notes: RunNotes
) -> None:
    """Fill in the vectors of every model that needs them."""
    configured = wiring.embedding_spec(services.settings)
    made = 0
    for spec in models_to_fill(store, source.repository_id, configured):
        try:
            made += _embed(spec, store, source, active, notes)
        except ConfigurationError as error:  # the searched model is not on this machine any more
            if spec == configured:
                raise
            notes.note(not_embedded={spec.name: error.what})
    notes.note(embedded=made, stage="done", left_s=0)


def _embed(
    spec: ModelSpec,
    store: PostgresStore,
    source: Source,
    active: Active,
    notes: RunNotes,
) -> int:
    from panlect.index import snapshots

    key = key_of(spec)
    missing = unembedded(store, source.repository_id, active, key)
    before = active.chunks - len(missing)
    paced = _paced("embedding", len(missing), "embedded", notes)

    def made(count: int) -> None:
        snapshots.note_embedded(store, active.snapshot.id, before + count)
        paced(count)

    notes.note(vectors=before)
    embed_chunks(missing, spec, source, made)
    embedded(store, source.repository_id, key)
    notes.note(vectors=before + len(missing))
    return len(missing)


def _paced(stage: str, total: int, name: str, notes: RunNotes) -> Callable[[int], None]:
    pace = Pace(stage, total)

    def progress(done: int) -> None:
        fault(f"index.after_{name}")
        notes.wanted()
        said = pace.at(done)
        if said is not None:
            notes.note(**said, **{name: done})
            rest = f", {said['left_s']:.0f} s left" if said["left_s"] else ""
            print(f"{stage} {done} of {total}, {said['per_s']} a second{rest}", flush=True)

    return progress


if __name__ == "__main__":
    raise SystemExit(main())
