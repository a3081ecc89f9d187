"""The index over the API: what is indexed and how far it is, start and cancel, what became of each file, who knows a name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request

from panlect.errors import BadInputError
from panlect.forge import repositories
from panlect.index import snapshots
from panlect.index.store import PostgresStore
from panlect.ledger.runs import cancel, create_run, find_run
from panlect.queue import wake_run
from panlect.review.sync import new_index
from panlect.search.who import timed, who_in_organisation
from serve.auth import Reader, Writer, services
from serve.schemas import FileOfIndex, Index, NewIndex, Run, Started, StorageOfIndex

router = APIRouter(prefix="/api/v1", tags=["index"])
T = TypeVar("T")


@router.get("/indexes")
async def list_indexes(request: Request, who: Reader) -> list[Index]:
    """Every connected repository: what is searched, and how far the newest index run is."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await repositories.list_repositories(connection, who.organisation_id)
    return [Index.model_validate(row) for row in rows]


@router.post("/indexes", status_code=202)
async def start(request: Request, who: Writer, asked: NewIndex) -> list[Started]:
    """Index the newest commit of one repository, or of all; what is there already costs nothing."""
    built = services(request)
    async with built.db.organisation(who.organisation_id) as connection:
        rows = await repositories.list_repositories(connection, who.organisation_id)
    chosen = [row for row in rows if asked.repository in (None, row["id"])]
    if not chosen:
        raise BadInputError("This repository is not connected.", fix="See GET /api/v1/indexes.")
    started = []
    for row in chosen:
        async with built.connections.client(who.organisation_id, row["connection_id"]) as client:
            branch = (
                await client.branch(row["full_name"], asked.ref)
                if asked.ref
                else await client.default_branch(row["full_name"])
            )
        new = new_index(row["id"], branch.head_sha, cause="api", bulk=asked.bulk, ref=asked.ref)
        async with built.db.organisation(who.organisation_id) as connection:
            run, _ = await create_run(connection, who.organisation_id, new, wake_run)
        started.append(Started(repository=row["full_name"], run_id=run.id))
    return started


@router.post("/runs/{run_id}/cancel")
async def cancel_run(request: Request, who: Writer, run_id: UUID) -> Run:
    """End a run that waits or works; what it stored stays, and a later run goes on from there."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        ended = await cancel(connection, who.organisation_id, run_id, f"cancelled by {who.name}")
        run = await find_run(connection, who.organisation_id, run_id)
    if run is None:
        raise HTTPException(404, "There is no such run.")
    if not ended:
        raise HTTPException(409, f"This run has ended: it is {run.status}.")
    return Run.model_validate(run, from_attributes=True)


@router.get("/indexes/{repository_id}/files")
async def files(
    request: Request,
    who: Reader,
    repository_id: UUID,
    skipped: Annotated[bool, Query(description="Only files that were not read, with the reason")] = False,
    limit: Annotated[int, Query(ge=1, le=50_000)] = 1000,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[FileOfIndex]:
    """What became of every file of the active snapshot, by path."""

    def read(store: PostgresStore) -> list[FileOfIndex]:
        active = snapshots.searched(store, repository_id)
        found = snapshots.files(store, active.id, skipped=skipped, offset=offset, limit=limit)
        return [FileOfIndex(**asdict(one)) for one in found]

    return await _with_store(request, who.organisation_id, read)


@router.get("/index-storage")
async def storage(request: Request, who: Reader) -> StorageOfIndex:
    """What the index of this organisation takes, in rows and bytes."""
    found = await _with_store(request, who.organisation_id, snapshots.storage)
    return StorageOfIndex(**asdict(found))


@router.get("/who")
async def who_knows(
    request: Request,
    who: Reader,
    name: Annotated[
        str, Query(min_length=1, max_length=200, description="A symbol, route, variable, table ...")
    ],
    kind: Annotated[str, Query(description="symbol, env, route, flag, config, feature, table, column")] = "",
) -> dict[str, Any]:
    """Every definition, use, subclass and mention of a name in all repositories; nothing is cut."""
    began = time.perf_counter()
    known = await _with_store(
        request, who.organisation_id, lambda store: who_in_organisation(store, name, kind)
    )
    return timed(known, began)


async def _with_store(request: Request, organisation_id: UUID, read: Callable[[PostgresStore], T]) -> T:
    """What `read` says, asked in a thread on a connection of its own."""

    def asked() -> T:
        with PostgresStore(services(request).db.app_url, organisation_id) as store:
            return read(store)

    return await asyncio.to_thread(asked)
