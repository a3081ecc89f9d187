"""The native API: repositories, index, search, runs."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request

from panlect.forge import repositories
from panlect.ledger import trace
from panlect.ledger.runs import create_run, find_run
from panlect.queue import wake_run
from panlect.review.sync import new_index
from panlect.search.filters import Filters
from serve.auth import Reader, Writer, services
from serve.schemas import Connected, ConnectRepository, Repository, Run

router = APIRouter(prefix="/api/v1", tags=["repositories"])


@router.get("/repositories")
async def list_repositories(request: Request, who: Reader) -> list[Repository]:
    """What is connected, with the state of each index."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await repositories.list_repositories(connection, who.organisation_id)
    return [Repository.model_validate(row) for row in rows]


@router.post("/repositories", status_code=201)
async def connect(request: Request, who: Writer, asked: ConnectRepository) -> Connected:
    """Connect a repository: check the token, ask the host for webhooks, start indexing."""
    built = services(request)
    found = await repositories.connect_repository(
        built.db,
        built.connections,
        who.organisation_id,
        base_url=asked.base_url,
        token=asked.token,
        full_name=asked.full_name,
        webhook_url=asked.webhook_url or f"{built.public_url}/webhook/github",
    )
    run_id = await _index(request, who.organisation_id, found, bulk=asked.bulk) if asked.index else None
    return Connected(id=found.id, full_name=found.full_name, run_id=run_id)


async def _index(
    request: Request, organisation_id: UUID, found: repositories.Connected, *, bulk: bool
) -> UUID:
    async with services(request).db.organisation(organisation_id) as connection:
        new = new_index(found.id, found.head_sha, cause="connected", bulk=bulk)
        run, _ = await create_run(connection, organisation_id, new, wake_run)
    return run.id


@router.get("/search")
async def search(
    request: Request,
    who: Reader,
    repository: Annotated[
        list[UUID], Query(min_length=1, max_length=32, description="Id of a repository; may be repeated")
    ],
    q: Annotated[str, Query(min_length=1, max_length=2000, description="Words, names, or a question")],
    k: Annotated[int, Query(ge=1, le=100)] = 10,
    path: Annotated[
        list[str] | None, Query(description="Only below this folder, or what this glob matches")
    ] = None,
    language: Annotated[list[str] | None, Query(description="Only in this language")] = None,
    kind: Annotated[
        list[str] | None, Query(description="Only where a function, class ... is defined")
    ] = None,
) -> dict[str, Any]:
    """Search one or several indexed repositories; `mode` says whether vectors took part."""
    filters = Filters(tuple(path or ()), tuple(language or ()), tuple(kind or ()))
    return await services(request).search.search(who.organisation_id, repository, q, k, filters)


@router.get("/runs")
async def runs(
    request: Request, who: Reader, kind: str = "", limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[Run]:
    """The newest work first."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await trace.list_runs(connection, who.organisation_id, kind=kind, limit=limit)
    return [Run.model_validate(row) for row in rows]


@router.get("/runs/{run_id}")
async def read_run(request: Request, who: Reader, run_id: UUID) -> Run:
    """One piece of work, its progress in `detail`."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        run = await find_run(connection, who.organisation_id, run_id)
    if run is None:
        raise HTTPException(404, "There is no such run.")
    return Run.model_validate(run, from_attributes=True)
