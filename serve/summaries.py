"""What repositories are, in words: summaries over the API, and the page of one repository."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from jobs.handlers import studio_of
from panlect.errors import BadInputError
from panlect.forge.repositories import list_repositories
from panlect.index import snapshots, summaries
from panlect.index.store import PostgresStore
from panlect.index.summaries import Placed
from panlect.summaries.hosted import queue_summaries
from serve.auth import Reader, Writer, services
from serve.pages import page
from serve.schemas import RepositorySummary, Started

router = APIRouter(tags=["summaries"])
T = TypeVar("T")
_MOST_SHOWN = 500  # directories on the page


@router.get("/api/v1/repositories/{repository_id}/summaries")
async def list_summaries(
    request: Request,
    who: Reader,
    repository_id: UUID,
    path: Annotated[str, Query(max_length=1000, description="Only this directory or file, and below")] = "",
    limit: Annotated[int, Query(ge=1, le=50_000)] = 5000,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[RepositorySummary]:
    """What the repository (path ""), its directories and files are; `extractive` where no model said it."""
    await _row(request, who.organisation_id, repository_id)
    found = await _with_store(
        request,
        who.organisation_id,
        lambda store: summaries.placed(store, repository_id, below=path, limit=limit, offset=offset),
    )
    return [_as_row(one) for one in found]


@router.post("/api/v1/repositories/{repository_id}/summaries", status_code=202)
async def start(request: Request, who: Writer, repository_id: UUID) -> Started:
    """Summarise the commit that is searched, once more: what is there already costs nothing, what failed is tried again."""
    row = await _row(request, who.organisation_id, repository_id)
    studio = studio_of(services(request))
    run_id = await queue_summaries(studio, who.organisation_id, repository_id, cause="api", again=True)
    if run_id is None:
        raise BadInputError("This repository has no index yet.", fix="Wait for its first index run.")
    return Started(repository=row["full_name"], run_id=run_id)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the page of a repository shows."""

    own: Placed | None
    directories: Sequence[Placed]
    files: Sequence[Placed]
    left_out: int
    languages: Mapping[str, int]
    run: Mapping[str, Any] | None


@router.get("/repos/{repository_id}", include_in_schema=False)
async def repository(
    request: Request, who: Reader, repository_id: UUID, path: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """One repository, or one directory of it: what it is, what is in it, and who says so."""
    row = await _row(request, who.organisation_id, repository_id)
    path = path.strip("/")
    shown = await _with_store(request, who.organisation_id, lambda store: _shown(store, repository_id, path))
    if path and shown.own is None:
        raise HTTPException(404, "There is no such directory.")
    return page(
        "repo.html",
        here="repos",
        repository=row,
        path=path,
        shown=shown,
        by=_by(shown.own),
        working=shown.run is not None and shown.run["status"] in ("queued", "running"),
    )


def _shown(store: PostgresStore, repository_id: UUID, path: str) -> _Shown:
    directories = summaries.placed(
        store, repository_id, below=path, kinds=("directory", "repository"), limit=_MOST_SHOWN + 1
    )
    own = next((one for one in directories if one.path == path), None)
    held = [one for one in directories if one.path != path]
    active = snapshots.active(store, repository_id)
    files = summaries.placed(
        store, repository_id, below=path, kinds=("file",), directly=True, limit=_MOST_SHOWN
    )
    return _Shown(
        own,
        held[:_MOST_SHOWN],
        files,
        max(0, len(held) - _MOST_SHOWN),
        summaries.languages(store, active.id) if active else {},
        summaries.newest_run(store, repository_id),
    )


def _by(own: Placed | None) -> str:
    """Who says what a repository is."""
    if own is None:
        return ""
    return (
        "extractive: taken from the code itself, no model was asked"
        if own.summary.extractive
        else own.summary.model
    )


def _as_row(one: Placed) -> RepositorySummary:
    return RepositorySummary(
        path=one.path,
        kind=one.summary.kind,
        text=one.summary.text,
        model=one.summary.model,
        extractive=one.summary.extractive,
        commit_sha=one.commit_sha,
    )


async def _row(request: Request, organisation_id: UUID, repository_id: UUID) -> Mapping[str, Any]:
    async with services(request).db.organisation(organisation_id) as connection:
        rows = await list_repositories(connection, organisation_id)
    for row in rows:
        if row["id"] == repository_id:
            return row
    raise HTTPException(404, "There is no such repository.")


async def _with_store(request: Request, organisation_id: UUID, read: Callable[[PostgresStore], T]) -> T:
    """What `read` says, asked in a thread on a connection of its own."""

    def asked() -> T:
        with PostgresStore(services(request).db.app_url, organisation_id) as store:
            return read(store)

    return await asyncio.to_thread(asked)
