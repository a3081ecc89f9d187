"""Calls to a host: what is repeated and what never is, how far an answer is read, and where a token may go."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from panlect.errors import EgressRefusedError, ForgeError, ForgeUnavailableError
from panlect.forge import http
from panlect.forge.types import Check, Conclusion, ReviewPost
from panlect.metrics import MemoryBackend, Metrics

pytestmark = pytest.mark.anyio
SHA = "a" * 40
REPO = {"full_name": "acme/shop", "clone_url": "https://x/acme/shop.git", "default_branch": "main"}
REVIEW = {"id": 1, "user": {"login": "p"}, "body": "b"}
POST = ReviewPost(SHA, "body", ())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host says next; `status` 0 hangs up without a word."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ScriptedHost:
    """Gives the scripted answers in order, and remembers what was asked."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def host(self, **changes: Any) -> http.Host:
        return http.Host(**{"api_url": self.url, "token": "ghp_secret", "allow": ["127.0.0.1"], **changes})

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


@pytest.fixture
def host() -> Iterator[ScriptedHost]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            script.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            answer = script.answers.pop(0)
            if not answer.status:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"content-type": "application/json; charset=utf-8", **answer.headers}.items():
                self.send_header(name, value.replace("HOST", script.url))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that stopped reading is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    script = ScriptedHost(f"http://127.0.0.1:{server.server_address[1]}/api/v3")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none is taken."""
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(http.asyncio, "sleep", sleep)
    return taken


# What is repeated


@pytest.mark.parametrize(
    "first",
    [
        Answer(500),
        Answer(502, b"<html>bad gateway</html>", {"content-type": "text/html"}),
        Answer(503),
        Answer(429),
        Answer(403, {"message": "rate limit"}, {"x-ratelimit-remaining": "0"}),
        Answer(403, {"message": "abuse"}, {"retry-after": "1"}),
        Answer(0),
    ],
)
async def test_a_read_that_failed_for_now_is_repeated(
    host: ScriptedHost, pauses: list[float], first: Answer
) -> None:
    host.answers += [first, Answer(200, REPO)]
    async with http.connect(host.host()) as client:
        assert (await client.repository("acme/shop")).default_branch == "main"
    assert len(host.asked) == 2


async def test_a_read_is_given_up_after_four_times_with_growing_pauses(
    host: ScriptedHost, pauses: list[float]
) -> None:
    host.answers += [Answer(500, {"message": "down"})] * 4
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeUnavailableError) as caught:
            await client.repository("acme/shop")
    assert caught.value.status == 500
    assert len(host.asked) == 4
    assert [
        2 * 0.1 <= pauses[0] <= 2 * 0.3,
        4 * 0.1 <= pauses[1] <= 4 * 0.3,
        8 * 0.1 <= pauses[2] <= 8 * 0.3,
    ] == [True] * 3


async def test_a_host_that_hangs_up_is_unavailable(host: ScriptedHost, pauses: list[float]) -> None:
    host.answers += [Answer(0)] * 4
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeUnavailableError, match=r"127\.0\.0\.1 did not answer"):
            await client.repository("acme/shop")


@pytest.mark.parametrize(
    ("said", "waited"),
    [({"retry-after": "7"}, 7.0), ({"retry-after": "86400"}, 60.0), ({"retry-after": "Wed, 21 Oct"}, None)],
)
async def test_the_host_says_how_long_to_wait_and_a_minute_is_the_most(
    host: ScriptedHost, pauses: list[float], said: dict[str, str], waited: float | None
) -> None:
    host.answers += [Answer(429, {"message": "slow down"}, said), Answer(200, REPO)]
    async with http.connect(host.host()) as client:
        await client.repository("acme/shop")
    assert pauses == [waited] if waited is not None else pauses[0] < 1


async def test_a_limit_that_lasts_is_told_with_its_pause(host: ScriptedHost, pauses: list[float]) -> None:
    host.answers += [Answer(429, {"message": "slow down"}, {"retry-after": "30"})] * 4
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeUnavailableError) as caught:
            await client.repository("acme/shop")
    assert caught.value.retry_after_s == 30.0


@pytest.mark.parametrize("first", [Answer(500), Answer(429, headers={"retry-after": "1"}), Answer(0)])
async def test_a_posted_review_is_never_repeated(
    host: ScriptedHost, pauses: list[float], first: Answer
) -> None:
    host.answers += [first, Answer(200, REVIEW)]
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeUnavailableError):
            await client.post_review("acme/shop", 1, POST)
    assert (len(host.asked), pauses) == (1, [])


# What a refusal says


@pytest.mark.parametrize(
    ("status", "fix"),
    [(401, "not valid any more"), (403, "may not do this"), (404, "cannot see it"), (422, "")],
)
async def test_a_refusal_is_told_with_what_to_do(host: ScriptedHost, status: int, fix: str) -> None:
    host.answers.append(Answer(status, {"message": "No", "errors": ["Line could not be resolved"]}))
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeError) as caught:
            await client.post_review("acme/shop", 1, POST)
    assert not isinstance(caught.value, ForgeUnavailableError)
    assert caught.value.status == status
    assert fix in caught.value.fix
    assert "ghp_secret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>", {"content-type": "text/html"}),
        Answer(200, b"{"),
        Answer(200, b"\xff\xfe"),
        Answer(200, [1]),
        Answer(200, "text"),
        Answer(301, {"url": "http://169.254.169.254/"}, {"location": "http://169.254.169.254/"}),
        Answer(304),
    ],
)
async def test_an_answer_that_is_not_githubs_is_an_error_of_the_host(
    host: ScriptedHost, answer: Answer
) -> None:
    host.answers.append(answer)
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeError):
            await client.repository("acme/shop")
    assert len(host.asked) == 1


async def test_an_answer_larger_than_the_limit_is_cut(
    host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_MAX_ANSWER", 1000)
    host.answers.append(Answer(200, b"[" + b" " * 100_000 + b"]"))
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeError, match="larger than"):
            await client.repository("acme/shop")


# Pages


async def test_every_page_is_read_with_the_query_of_its_link(host: ScriptedHost) -> None:
    link = {"link": '<HOST/repos/acme/shop/pulls/1/reviews?per_page=100&page=2>; rel="next"'}
    host.answers += [Answer(200, [REVIEW], link), Answer(200, [{**REVIEW, "id": 2}])]
    async with http.connect(host.host()) as client:
        found = await client.reviews("acme/shop", 1)
    assert [review.review_id for review in found] == ["1", "2"]
    first, second = host.paths()
    assert first == "/api/v3/repos/acme/shop/pulls/1/reviews?per_page=100"
    assert second == first + "&page=2"


@pytest.mark.parametrize(
    "link",
    ["http://evil.example/repos", "//evil.example/repos", "https://127.0.0.1/x", "http://127.0.0.1:1/x"],
)
async def test_a_page_on_another_host_is_not_followed(host: ScriptedHost, link: str) -> None:
    host.answers.append(Answer(200, [REVIEW], {"link": f'<{link}>; rel="next"'}))
    async with http.connect(host.host()) as client:
        with pytest.raises(ForgeError, match="another host"):
            await client.reviews("acme/shop", 1)
    assert len(host.asked) == 1


async def test_pages_without_an_end_are_left_after_fifty(host: ScriptedHost) -> None:
    host.answers += [Answer(200, [REVIEW], {"link": '<HOST/repos/x?page=2>; rel="next"'})] * 60
    async with http.connect(host.host()) as client:
        assert len(await client.reviews("acme/shop", 1)) == 50


# Where a token goes


async def test_the_token_travels_in_a_header_and_nowhere_else(host: ScriptedHost) -> None:
    host.answers.append(Answer(200, REPO))
    async with http.connect(host.host()) as client:
        await client.repository("acme/shop")
    ((_, path, headers),) = host.asked
    assert headers["authorization"].endswith("ghp_secret")
    assert "ghp_secret" not in path
    assert headers["host"] == host.url.removeprefix("http://").removesuffix("/api/v3")


async def test_a_private_host_is_not_called_unless_it_is_allowed(host: ScriptedHost) -> None:
    async with http.connect(host.host(allow=())) as client:
        with pytest.raises(EgressRefusedError):
            await client.repository("acme/shop")
    assert host.asked == []


async def test_proxies_of_the_environment_are_not_used(
    host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    host.answers.append(Answer(200, REPO))
    async with http.connect(host.host()) as client:
        assert (await client.repository("acme/shop")).full_name == "acme/shop"


# What the calls mean


async def test_a_check_that_is_there_is_replaced(host: ScriptedHost) -> None:
    host.answers += [Answer(200, {"check_runs": [{"id": 9}, {"id": 4}]}), Answer(200, {"id": 9})]
    async with http.connect(host.host()) as client:
        assert await client.set_check("acme/shop", Check("panlect", SHA, Conclusion.SUCCESS, "t", "s")) == "9"
    assert [(method, path.split("?")[0][-13:]) for method, path, _ in host.asked][1] == (
        "PATCH",
        "/check-runs/9",
    )


async def test_a_check_that_is_not_there_is_created(host: ScriptedHost) -> None:
    host.answers += [Answer(200, {"check_runs": []}), Answer(201, {"id": 9})]
    async with http.connect(host.host()) as client:
        assert await client.set_check("acme/shop", Check("panlect", SHA, Conclusion.SUCCESS, "t", "s")) == "9"
    assert [method for method, _, _ in host.asked] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("answer", "login"),
    [
        (Answer(200, {"login": "panlect"}), "panlect"),
        (Answer(403, {"message": "App"}), ""),
        (Answer(200, []), ""),
    ],
)
async def test_whose_token_it_is_may_stay_unknown(host: ScriptedHost, answer: Answer, login: str) -> None:
    host.answers.append(answer)
    async with http.connect(host.host()) as client:
        assert await client.login() == login


async def test_each_call_is_timed_by_outcome_and_never_by_path(
    host: ScriptedHost, pauses: list[float]
) -> None:
    backend = MemoryBackend()
    host.answers += [Answer(500), Answer(200, REPO)]
    async with http.connect(host.host(), Metrics(backend)) as client:
        await client.repository("acme/shop")
    assert {labels for _, labels in backend.counts} == {
        (("outcome", outcome), ("provider", "github")) for outcome in ("5xx", "2xx")
    }


def test_a_host_does_not_show_its_token() -> None:
    assert "ghp_secret" not in repr(http.Host("https://api.github.com", "ghp_secret"))
