"""The sandbox forge as one web application: REST, git over HTTP, pages."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from cluster.sandbox import api, git_http, pages
from cluster.sandbox import repositories as repos
from cluster.sandbox.api import Forge
from cluster.sandbox.store import Store

_MAX_PUSH = 512 * 1024 * 1024


def create_app(directory: Path, url: str) -> FastAPI:
    """The forge over `directory`, reachable as `url`. It keeps all it knows there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.forge = Forge(Store(directory), url)
        yield
        await app.state.forge.hooks.drain()
        app.state.forge.store.close()

    app = FastAPI(
        title="Panlect sandbox forge",
        lifespan=lifespan,
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
    )
    app.add_exception_handler(AnyHTTPException, _as_github_says)
    app.include_router(api.router, prefix="/api/v3")
    app.get("/{owner}/{name}.git/info/refs")(info_refs)
    app.post("/{owner}/{name}.git/{service}")(rpc)
    app.include_router(pages.router)
    return app


async def _as_github_says(request: Request, error: Exception) -> Response:
    """GitHub's errors are `{"message": ...}`."""
    assert isinstance(error, AnyHTTPException)
    headers = dict(error.headers or {})
    return JSONResponse(
        {"message": error.detail, "status": str(error.status_code)}, error.status_code, headers
    )


async def info_refs(request: Request, owner: str, name: str, service: str = "") -> Response:
    """The first request of a clone or a push."""
    forge, full_name = _forge_and_name(request, owner, name)
    if service not in git_http.SERVICES:
        raise HTTPException(403, "Only the smart protocol is spoken here: use a newer git.")
    if service == "git-receive-pack":
        _git_login(request)
    body = await git_http.advertise(
        service, forge.store.git_dir(full_name), request.headers.get("git-protocol", "")
    )
    return Response(
        body, media_type=f"application/x-{service}-advertisement", headers={"cache-control": "no-cache"}
    )


async def rpc(request: Request, owner: str, name: str, service: str) -> Response:
    """One exchange of a clone or a push; a push moves pull requests and sends webhooks."""
    forge, full_name = _forge_and_name(request, owner, name)
    if service not in git_http.SERVICES:
        raise HTTPException(404, "Not Found")
    who = _git_login(request) if service == "git-receive-pack" else ""
    body = await _body(request)
    answer = git_http.serve(
        service, forge.store.git_dir(full_name), request.headers.get("git-protocol", ""), body
    )

    async def stream() -> AsyncIterator[bytes]:
        before = repos.heads(forge.git(full_name)) if who else {}
        async for block in answer:
            yield block
        if who:
            api.pushed(forge, full_name, before, who)

    return StreamingResponse(stream(), media_type=f"application/x-{service}-result")


def _forge_and_name(request: Request, owner: str, name: str) -> tuple[Forge, str]:
    forge = api.forge_of(request)
    full_name = f"{owner}/{name}"
    if forge.store.repository(full_name) is None:
        raise HTTPException(404, "Not Found")
    return forge, full_name


def _git_login(request: Request) -> str:
    """Who pushes: the password of basic authentication is the token."""
    try:
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        token = base64.b64decode(encoded).decode().partition(":")[2] if kind.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        token = ""
    found = api.forge_of(request).store.login_of(token)
    if found is None:
        raise HTTPException(401, "Bad credentials", {"www-authenticate": 'Basic realm="sandbox forge"'})
    return found


async def _body(request: Request) -> bytes:
    blocks, size = [], 0
    async for block in request.stream():
        blocks.append(block)
        size += len(block)
        if size > _MAX_PUSH:
            raise HTTPException(413, "The push is larger than 512 MB.")
    body = b"".join(blocks)
    if request.headers.get("content-encoding") != "gzip":
        return body
    try:
        return gzip.decompress(body)
    except (OSError, zlib.error, EOFError) as error:
        raise HTTPException(400, "The body is not gzip.") from error
