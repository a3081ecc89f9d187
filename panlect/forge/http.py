"""The only code that calls a code host: vetted addresses, bounded answers, retries where they are safe."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import gidgethub
import httpx2
from gidgethub import sansio

from panlect.egress import vet
from panlect.errors import ForgeError, ForgeUnavailableError, NameUnresolvedError
from panlect.forge import github
from panlect.forge.types import (
    Branch,
    Check,
    HostedRepository,
    PostedReview,
    PullRequest,
    Request,
    Response,
    ReviewPost,
)
from panlect.metrics import FORGE_SECONDS, Metrics

_MAX_ANSWER = 32 * 1024 * 1024
_MAX_PAGES = 50
_TRIES = 4
_ANSWER_S = 60.0  # for a whole answer: a host that trickles must not hold a worker
_AGENT = "panlect"


@dataclass(frozen=True, slots=True)
class Host:
    """A code host: the root of its API, a token, and the private hosts that may be called."""

    api_url: str
    token: str = field(repr=False)
    allow: Sequence[str] = ()


class ForgeClient:
    """Typed calls to one GitHub-compatible host. Open with `connect`."""

    def __init__(self, host: Host, client: httpx2.AsyncClient, metrics: Metrics) -> None:
        self._host, self._client, self._metrics = host, client, metrics

    async def login(self) -> str:
        """Whose token this is; "" when the host does not say (an App's token)."""
        try:
            answer = await self._one(Request("GET", "/user"))
        except ForgeUnavailableError:
            raise
        except ForgeError:
            return ""
        return str(answer.get("login", "")) if isinstance(answer, dict) else ""

    async def pull_request(self, repository: str, number: int) -> PullRequest:
        """The pull request as it is now."""
        return github.pull_request(await self._one(github.get_pull_request(repository, number)))

    async def repository(self, repository: str) -> HostedRepository:
        """The repository as it is now."""
        return github.hosted_repository(await self._one(github.get_repository(repository)))

    async def default_branch(self, repository: str) -> Branch:
        """The default branch with its newest commit."""
        name = (await self.repository(repository)).default_branch
        return await self.branch(repository, name)

    async def branch(self, repository: str, name: str) -> Branch:
        """A branch with its newest commit."""
        return github.branch(await self._one(github.get_branch(repository, name)))

    async def open_pull_requests(self, repository: str) -> list[PullRequest]:
        """Every open pull request."""
        return [
            github.pull_request(row)
            async for page in self._pages(github.list_pull_requests(repository))
            for row in page
        ]

    async def reviews(self, repository: str, number: int) -> list[PostedReview]:
        """Every review of a pull request, oldest first."""
        pages = self._pages(github.list_reviews(repository, number))
        return [review async for page in pages for review in github.reviews(page)]

    async def post_review(self, repository: str, number: int, post: ReviewPost) -> PostedReview:
        """Post one review. Never repeated by itself: look for the marker before trying again."""
        return github.reviews([await self._one(github.create_review(repository, number, post))])[0]

    async def set_check(self, repository: str, check: Check) -> str:
        """Post the check, or replace the one of the same name and head; its id."""
        listed = await self._one(github.list_checks(repository, check.head_sha, check.name))
        ids = github.check_ids(listed)
        request = (
            github.update_check(repository, ids[0], check) if ids else github.create_check(repository, check)
        )
        answer = await self._one(request)
        return str(answer.get("id", "")) if isinstance(answer, dict) else ""

    async def create_hook(self, repository: str, url: str, secret: str) -> None:
        """Ask the host to send its webhooks to `url`."""
        await self._one(github.create_hook(repository, url, secret))

    async def _one(self, request: Request) -> Any:
        data, _ = self._read(request, await self._send(request))
        return data

    async def _pages(self, request: Request) -> AsyncIterator[Any]:
        for _ in range(_MAX_PAGES):
            data, following = self._read(request, await self._send(request))
            yield data
            if following is None:
                return
            request = Request(request.method, _same_host_path(self._host.api_url, following))

    def _read(self, request: Request, response: Response) -> tuple[Any, str | None]:
        what = f"{request.method} {request.path.split('?')[0]}"
        try:
            data, _, following = sansio.decipher_response(response.status, response.headers, response.body)
        except (gidgethub.GitHubException, ValueError, AssertionError) as error:
            raise _typed(what, response, error) from error
        return data, following

    async def _send(self, request: Request) -> Response:
        """Send, and for reads try again on 429, 5xx and broken connections, with growing pauses."""
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout(_ANSWER_S):
                    response = await self._send_once(request)
            except (httpx2.HTTPError, NameUnresolvedError, TimeoutError) as error:
                if request.method != "GET" or attempt == _TRIES:
                    raise ForgeUnavailableError(
                        f"{urlsplit(self._host.api_url).hostname} did not answer.", why=type(error).__name__
                    ) from error
                pause = 0.0
            else:
                if not _retriable(response) or request.method != "GET" or attempt == _TRIES:
                    return response
                pause = _retry_after(response)
            await asyncio.sleep(max(pause, random.uniform(0.1, 0.3) * 2**attempt))  # noqa: S311 - jitter

    async def _send_once(self, request: Request) -> Response:
        target = await asyncio.to_thread(vet, self._host.api_url, self._host.allow)
        parts = urlsplit(self._host.api_url)
        shown = f"[{target.address}]" if ":" in target.address else target.address
        url = f"{target.scheme}://{shown}:{target.port}{parts.path.rstrip('/')}{request.path}"
        headers = sansio.create_headers(_AGENT, accept=github.ACCEPT, oauth_token=self._host.token or None)
        headers["host"] = parts.netloc
        outcome = "error"
        began = time.perf_counter()
        try:
            async with self._client.stream(
                request.method,
                url,
                headers=headers,
                json=dict(request.body) if request.body is not None else None,
                params=dict(request.query) or None,
                extensions={"sni_hostname": target.host},
            ) as answer:
                body = await _bounded(answer)
                outcome = f"{answer.status_code // 100}xx"
                return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, body)
        finally:
            self._metrics.backend.observe(
                FORGE_SECONDS, {"provider": "github", "outcome": outcome}, time.perf_counter() - began
            )


@asynccontextmanager
async def connect(host: Host, metrics: Metrics | None = None) -> AsyncIterator[ForgeClient]:
    """A client for one host; proxies and credentials of the environment are not used."""
    async with httpx2.AsyncClient(
        follow_redirects=False, trust_env=False, timeout=httpx2.Timeout(20.0)
    ) as client:
        yield ForgeClient(host, client, metrics or Metrics())


async def _bounded(answer: httpx2.Response) -> bytes:
    blocks, size = [], 0
    async for block in answer.aiter_bytes():
        blocks.append(block)
        size += len(block)
        if size > _MAX_ANSWER:
            raise ForgeError("The host's answer is larger than 32 MB.", status=answer.status_code)
    return b"".join(blocks)


def _retriable(response: Response) -> bool:
    limited = response.status == 403 and ("retry-after" in response.headers or _exhausted(response))
    return response.status in (429, 500, 502, 503, 504) or limited


def _exhausted(response: Response) -> bool:
    return response.headers.get("x-ratelimit-remaining") == "0"


def _retry_after(response: Response) -> float:
    """Seconds to wait as the host says, at most a minute here: longer waits belong to the queue."""
    said = response.headers.get("retry-after", "")
    if said.isdigit():
        return min(60.0, float(said))
    reset = response.headers.get("x-ratelimit-reset", "")
    if _exhausted(response) and reset.isdigit():
        return min(60.0, max(0.0, float(reset) - time.time()))
    return 0.0


def _typed(what: str, response: Response, error: Exception) -> ForgeError:
    why = str(error)[:300]
    if _retriable(response):
        return ForgeUnavailableError(
            f"{what} failed for now.", status=response.status, retry_after_s=_retry_after(response), why=why
        )
    fixes = {
        401: "The token is not valid any more: set a new one.",
        403: "The token may not do this: give it the rights that the documentation lists.",
        404: "It is gone, or the token cannot see it.",
    }
    return ForgeError(
        f"{what} was refused.", status=response.status, why=why, fix=fixes.get(response.status, "")
    )


def _same_host_path(api_url: str, link: str) -> str:
    """The path of a paging link; a link to another host would carry our token there."""
    ours, theirs = urlsplit(api_url), urlsplit(link)
    if theirs.netloc and theirs.netloc != ours.netloc:
        raise ForgeError("The host's paging link leads to another host.", why=theirs.netloc[:100])
    path = theirs.path.removeprefix(ours.path.rstrip("/"))
    return f"{path}?{theirs.query}" if theirs.query else path
