"""FastAPI factories: the same applications under uvicorn, in tests, and in Ray Serve's replicas."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panlect import __version__
from panlect.errors import (
    BadInputError,
    BudgetExhaustedError,
    ConfigurationError,
    DatabaseError,
    EgressRefusedError,
    ForgeError,
    ModelError,
    NotAuthorisedError,
    PanlectError,
)
from panlect.wiring import Services
from serve import (
    api,
    api_page,
    ask,
    auth,
    health,
    indexes,
    llm_proxy,
    models,
    models_page,
    reviews,
    summaries,
    web,
    webhook,
)
from serve.pages import SECURITY_HEADERS, page

log = logging.getLogger(__name__)
_STATUS = (
    (NotAuthorisedError, 401),
    (BadInputError, 400),
    (ConfigurationError, 400),
    (BudgetExhaustedError, 402),
    (ModelError, 503),
    (EgressRefusedError, 400),
    (DatabaseError, 503),
    (ForgeError, 502),
)
_MAX_BODY = 1024 * 1024  # of a form or of JSON; webhooks bound their own


def edge(services: Services) -> FastAPI:
    """Every route behind one port: pages, API, sign-in, webhooks, health."""
    app = _base(services, "Panlect", openapi="/api/openapi.json")
    app.include_router(health.router)
    app.include_router(webhook.router)
    app.include_router(auth.router)
    app.include_router(api.router)
    app.include_router(indexes.router)
    app.include_router(reviews.router)
    app.include_router(reviews.verdicts)
    app.include_router(models.router)
    app.include_router(models_page.router)
    app.include_router(summaries.router)
    app.include_router(web.router)
    app.include_router(ask.router)
    app.include_router(api_page.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    return app


def gateway(services: Services) -> FastAPI:
    """The model gateway, under `/llm`."""
    app = _base(services, "Panlect model gateway", openapi=None, most_body=llm_proxy.MOST_BODY)
    app.add_exception_handler(PanlectError, llm_proxy.as_openai_says)
    app.include_router(llm_proxy.router)
    return app


def _base(services: Services, title: str, *, openapi: str | None, most_body: int = _MAX_BODY) -> FastAPI:
    # FastAPI's own documentation page loads scripts from elsewhere; ours is serve/api_page.py.
    app = FastAPI(title=title, version=__version__, docs_url=None, redoc_url=None, openapi_url=openapi)
    app.state.services = services
    app.add_exception_handler(PanlectError, _as_said)
    app.add_exception_handler(HTTPException, _as_http_says)
    app.add_exception_handler(RequestValidationError, _as_invalid)
    app.add_middleware(_Hardened, most_body=most_body)
    return app


class _Hardened:
    """No body is read without a bound; every answer tells the browser to run, sniff and frame nothing of others.

    Plain ASGI: a middleware of Starlette's own kind costs each request a group of tasks, and hides a client that left.
    """

    def __init__(self, app: ASGIApp, most_body: int) -> None:
        self._app, self._most_body = app, most_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the headers that every answer has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith("/static")

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    if name != "cache-control" or not is_static:
                        headers.setdefault(name, value)
            await send(message)

        app = self._too_large(scope) or self._app
        await app(scope, receive, hardened)

    def _too_large(self, scope: Scope) -> Response | None:
        """A refusal before anything is read: a body is parsed before the guard of its route has run."""
        if scope["path"].startswith("/webhook/"):
            return None
        headers = Headers(scope=scope)
        said, most = headers.get("content-length", ""), self._most_body
        if "transfer-encoding" in headers or (said.isdigit() and int(said) > most):
            error = f"Send at most {most} bytes, and say how many."
            return JSONResponse({"error": error, "why": "", "fix": ""}, 413, {"connection": "close"})
        return None


async def _as_said(request: Request, error: Exception) -> Response:
    """An error a person can act on: a page for browsers, JSON for programs, sign-in where that is the fix."""
    assert isinstance(error, PanlectError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    if not _wants_page(request):
        headers = {"retry-after": "2"} if status == 503 else {}
        return JSONResponse({"error": error.what, "why": error.why, "fix": error.fix}, status, headers)
    if status == 401 and request.method == "GET":
        return RedirectResponse(f"/auth/sign-in?to={quote(request.url.path)}", 303)
    return page("problem.html", status=status, here="", what=error.what, why=error.why, fix=error.fix)


async def _as_http_says(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if not _wants_page(request):
        return JSONResponse(
            {"error": error.detail, "why": "", "fix": ""}, error.status_code, dict(error.headers or {})
        )
    fix = "The address may be mistyped, or the review gone." if error.status_code == 404 else ""
    return page("problem.html", status=error.status_code, here="", what=error.detail, why="", fix=fix)


async def _as_invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """422 that names the field and what is wrong, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"field": ".".join(str(p) for p in one["loc"][1:]), "wrong": one["msg"]} for one in error.errors()
    ]
    return JSONResponse({"error": "The request is not valid.", "why": wrong, "fix": "See /api/docs."}, 422)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
