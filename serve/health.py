"""Is this process alive, and can it work? Open to everyone, and says nothing else."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from panlect.errors import DatabaseError
from serve.auth import services

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """The process can work: its database answers."""
    try:
        await services(request).ping()
    except DatabaseError as error:
        return JSONResponse({"status": "not ready", "why": error.what}, 503, {"retry-after": "2"})
    return JSONResponse({"status": "ready"})
