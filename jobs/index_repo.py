"""`python -m jobs.index_repo --run ID`: the driver of one bulk index job, submitted to Ray.

The run's row says what to index. Text is searchable as soon as the snapshot is active; vectors fill in behind.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from uuid import UUID

from panlect import wiring
from panlect.errors import PanlectError
from panlect.index.commit import activate, plan_commit, unembedded
from panlect.index.runs import IndexSubject, find_subject, mirror_of, note_progress
from panlect.index.store import PostgresStore
from panlect.settings import load
from panlect.wiring import Services
from pipelines.bulk_index import Where, analyse_blobs, embed_chunks


def main(arguments: list[str] | None = None) -> int:
    """Index what the run says; 0 when it did."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.index_repo", description="Index one repository in bulk."
    )
    parser.add_argument("--run", type=UUID, required=True, help="id of an index run")
    given = parser.parse_args(arguments)
    try:
        asyncio.run(_index(given.run))
    except PanlectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


async def _index(run_id: UUID) -> None:
    services = await wiring.opened(load())
    try:
        subject = await find_subject(services.db, run_id)
        await asyncio.to_thread(_index_in_bulk, services, subject, asyncio.get_running_loop())
    finally:
        await services.close()


def _index_in_bulk(services: Services, subject: IndexSubject, loop: asyncio.AbstractEventLoop) -> None:
    import ray

    ray.init(address="auto", log_to_driver=False, configure_logging=False)

    def note(**progress: object) -> None:
        asyncio.run_coroutine_threadsafe(note_progress(services.db, subject, progress), loop).result()

    connecting = mirror_of(services.connections, services.mirrors, subject)
    mirror = asyncio.run_coroutine_threadsafe(connecting, loop).result()
    where = Where(services.db.url, subject.organisation_id, subject.repository_id)
    with PostgresStore(services.db.url, subject.organisation_id) as store:
        plan = plan_commit(mirror, subject.commit_sha, store)
        note(files=len(plan.entries), unseen=len(plan.unseen), analysed=0)
        analyse_blobs(mirror.git_dir, plan.unseen, where, lambda done: note(analysed=done))
        active = activate(store, subject.repository_id, plan)
        note(searchable=True, chunks=len(active.hashes))
        model = services.settings.embed_model
        model_id = wiring.embedding_model_id(model)
        missing = unembedded(store, subject.repository_id, active, model_id)
        done = len(active.hashes) - len(missing)

        def embedded(count: int) -> None:
            store.note_embedded(active.snapshot.id, done + count)
            note(vectors=done + count)

        embed_chunks(missing, model, model_id, where, embedded)


if __name__ == "__main__":
    raise SystemExit(main())
