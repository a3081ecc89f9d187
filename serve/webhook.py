"""Journey A, first hop: raw bytes and headers in, verified, stored and enqueued in one transaction, 202."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from panlect.errors import BadPayloadError, BadSignatureError
from panlect.inbox import Accepted, accept
from panlect.metrics import WEBHOOK_SECONDS, WEBHOOKS
from panlect.redact import log_ids
from serve.auth import services

router = APIRouter(prefix="/webhook", tags=["webhook"])


class TooLargeError(Exception):
    """The body is larger than any webhook."""


@router.post("/github", status_code=202)
async def github(request: Request) -> Response:
    """A webhook of GitHub, or of a host that speaks like it. Its signature is its authorisation."""
    built = services(request)
    with built.metrics.time(WEBHOOK_SECONDS, provider="github"):
        try:
            body = await bounded_body(request, built.settings.webhook_max_bytes)
            delivery = await built.connections.verify_github(body, request.headers)
        except TooLargeError:
            return _refused(request, 413, "too_big", "The body is larger than any webhook.")
        except BadSignatureError as error:
            return _refused(request, 401, "bad_sig", str(error))
        except BadPayloadError as error:
            return _refused(request, 400, "bad_payload", str(error))
        with log_ids(delivery=delivery.delivery_id):
            outcome = await accept(built.db, delivery)
    fresh = isinstance(outcome, Accepted)
    built.metrics.count(WEBHOOKS, provider="github", result="accepted" if fresh else "duplicate")
    return JSONResponse({"status": "accepted" if fresh else "seen before"}, 202 if fresh else 200)


def _refused(request: Request, status: int, result: str, message: str) -> JSONResponse:
    services(request).metrics.count(WEBHOOKS, provider="github", result=result)
    return JSONResponse({"error": message}, status)


async def bounded_body(request: Request, limit: int) -> bytes:
    """The raw body, read no further than `limit` bytes. Raises TooLargeError."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        raise TooLargeError
    blocks, size = [], 0
    async for block in request.stream():
        size += len(block)
        if size > limit:
            raise TooLargeError
        blocks.append(block)
    return b"".join(blocks)
