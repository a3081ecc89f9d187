"""The model gateway over HTTP, OpenAI-compatible: whoever holds a token asks a role or a model, and pays from a budget."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from panlect.errors import BadInputError, PanlectError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta
from panlect.llm.wire import (
    Chunks,
    answer_headers,
    answer_json,
    checked_dimensions,
    embeddings_json,
    error_json,
    models_json,
    parse_chat,
    parse_embeddings,
)
from serve.auth import Reader, Writer, services

MOST_BODY = 8 * 1024 * 1024
_GONE = 499  # what others log for a client that left; nobody reads it
_MOST_STEP = 200
log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["models"])
T = TypeVar("T")
OptionalHeader = Annotated[str, Header()]


async def asking(
    who: Writer,
    x_panlect_repository: OptionalHeader = "",
    x_panlect_pull_request: OptionalHeader = "",
    x_panlect_run: OptionalHeader = "",
    x_panlect_step: OptionalHeader = "",
) -> Caller:
    """For whom a model is asked. Raises BadInputError for an id that is none."""

    def identified(name: str, text: str) -> UUID | None:
        try:
            return UUID(text) if text else None
        except ValueError as error:
            raise BadInputError(
                f"The header x-panlect-{name} is no UUID.", fix="Send an id, or leave it out."
            ) from error

    step = x_panlect_step
    if len(step) > _MOST_STEP or not step.isprintable():
        raise BadInputError(
            "The header x-panlect-step is no short name.", fix="Send a step's name, or leave it out."
        )
    return Caller(
        who.organisation_id,
        identified("repository", x_panlect_repository),
        identified("pull-request", x_panlect_pull_request),
        identified("run", x_panlect_run),
        step,
    )


Asking = Annotated[Caller, Depends(asking)]


@router.get("/models")
async def models(request: Request, who: Reader) -> dict[str, Any]:
    """The roles and models that this organisation can ask."""
    return models_json(await services(request).models.known(who.organisation_id))


@router.post("/chat/completions", response_model=None)
async def chat_completions(request: Request, caller: Asking) -> Response:
    """One answer, whole or as a stream of events that ends in [DONE], or in an error when it broke."""
    wanted = parse_chat(await request.body())
    if wanted.stream:
        return await _streamed(request, wanted.request, caller, include_usage=wanted.include_usage)
    answer = await _while_there(request, services(request).models.chat(wanted.request, caller))
    if answer is None:
        return Response(status_code=_GONE)
    return JSONResponse(answer_json(answer, int(time.time())), headers=answer_headers(answer))


@router.post("/embeddings", response_model=None)
async def embeddings(request: Request, caller: Asking) -> Response:
    """Vectors of texts, as numbers or packed in base64."""
    wanted = parse_embeddings(await request.body())
    made = await _while_there(request, services(request).models.embed(wanted.model, wanted.texts, caller))
    if made is None:
        return Response(status_code=_GONE)
    checked_dimensions(made, wanted)
    return JSONResponse(embeddings_json(made, packed=wanted.packed), headers=answer_headers(made))


async def as_openai_says(request: Request, error: Exception) -> Response:
    """Our errors in the shape that clients of OpenAI read."""
    assert isinstance(error, PanlectError)
    said = error_json(error)
    if said.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse(said.body, said.status, dict(said.headers))


async def _streamed(request: Request, asked: ChatRequest, caller: Caller, *, include_usage: bool) -> Response:
    """A stream; what fails before its first piece is an error with a status, as for a whole answer."""
    pieces = services(request).models.stream(asked, caller)
    try:
        first = await _while_there(request, anext(pieces, None))
    except BaseException:
        await pieces.aclose()
        raise
    if first is None:
        await pieces.aclose()
        return Response(status_code=_GONE)
    chunks = Chunks(f"chatcmpl-{uuid4().hex}", asked.model, int(time.time()), include_usage)
    return Stream(_events(chunks, first, pieces))


async def _events(
    chunks: Chunks, first: Delta | Answer, pieces: AsyncGenerator[Delta | Answer, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        piece: Delta | Answer | None = first
        yield chunks.opening()
        try:
            while isinstance(piece, Delta):
                yield chunks.piece(piece.text)
                piece = await anext(pieces, None)
        except PanlectError as error:
            log.warning("A stream broke: %s", error)
            yield chunks.broken(error)
            return
        if piece is None:
            yield chunks.broken(PanlectError("The stream ended without an answer."))
            return
        for event in chunks.ending(piece):
            yield event


class Stream(StreamingResponse):
    """Events as they come. However the response ends, what it reads from is closed: nobody pays for an answer unread."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, then close."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


async def _while_there(request: Request, asking: Coroutine[Any, Any, T]) -> T | None:
    """What `asking` gives, or None when the client left before: then it was cancelled."""
    asked = asyncio.ensure_future(asking)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait((asked, gone), return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        return None
    finally:
        for task in (asked, gone):
            task.cancel()
        await asyncio.gather(asked, gone, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
