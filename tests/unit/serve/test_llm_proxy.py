"""The gateway over HTTP, with models that follow a script: answers, streams, refusals, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast, get_args
from uuid import UUID, uuid4

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from openai import APIError, AsyncOpenAI, RateLimitError
from starlette.requests import ClientDisconnect

from panlect.accounts.keys import Principal
from panlect.errors import (
    BudgetExhaustedError,
    DatabaseError,
    ModelUnavailableError,
    NoModelError,
    PanlectError,
)
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage
from panlect.wiring import Services
from serve.app import edge, gateway
from serve.auth import Reader, Writer
from serve.llm_proxy import MOST_BODY, Stream

pytestmark = pytest.mark.anyio
ORGANISATION, CALL = UUID(int=1), UUID(int=7)
CHAT = "/v1/chat/completions"
ANSWER = Answer(
    "It is fixed.",
    "stop",
    usage=Usage(9, 3),
    provider="openai",
    model="gpt-5",
    call_id=CALL,
    cost_microusd=40,
)


@dataclass
class Script:
    """Models that say what they were told to, and remember who asked."""

    error: PanlectError | None = None
    breaks_after: int = -1
    hangs: bool = False
    names: Sequence[str] = ()
    callers: list[Caller] = field(default_factory=list)
    asked: list[ChatRequest] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        self.asked.append(request)
        self.callers.append(caller)
        if self.error is not None:
            raise self.error
        try:
            self.begun.set()
            await asyncio.sleep(60 if self.hangs else 0)
        finally:
            self.closed.set()
        return ANSWER

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        self.callers.append(caller)
        try:
            for at, text in enumerate(("It is ", "fixed.")):
                if self.error is not None and at == max(0, self.breaks_after):
                    raise self.error
                yield Delta(text)
                self.begun.set()
            while self.hangs:
                await asyncio.sleep(0.01)
                yield Delta("and so on ")
            if self.breaks_after != 99:
                yield ANSWER
        finally:
            self.closed.set()

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
        self.callers.append(caller)
        if self.error is not None:
            raise self.error
        return Embeddings(
            tuple((float(len(text)), 1.0) for text in texts), Usage(5), "openai", "small", CALL, 1
        )

    async def named(self, role: str, organisation_id: UUID) -> str:
        return "none"

    async def known(self, organisation_id: UUID) -> Sequence[str]:
        return self.names if organisation_id == ORGANISATION else ()


class NoDatabase:
    def system(self) -> Any:
        raise DatabaseError("Postgres does not answer.")


def application(models: Script, *, signed_in: bool = True) -> FastAPI:
    app = gateway(cast(Services, SimpleNamespace(db=NoDatabase(), models=models)))
    if signed_in:
        who = Principal(ORGANISATION, uuid4(), "test", frozenset(("write",)))
        for guarded in (Reader, Writer):
            app.dependency_overrides[get_args(guarded)[1].dependency] = lambda: who
    return app


@pytest.fixture
def models() -> Script:
    return Script()


@pytest.fixture
async def client(models: Script) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(application(models), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://panlect.example") as found:
        yield found


def question(**more: Any) -> dict[str, Any]:
    return {"model": "review", "messages": [{"role": "user", "content": "Is it fixed?"}], **more}


async def test_an_answer_says_who_made_it_and_what_it_cost(
    client: httpx2.AsyncClient, models: Script
) -> None:
    answer = await client.post(CHAT, json=question())
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "It is fixed."
    said = {
        name: answer.headers[f"x-panlect-{name}"]
        for name in ("call-id", "cost-microusd", "provider", "model")
    }
    assert said == {"call-id": str(CALL), "cost-microusd": "40", "provider": "openai", "model": "gpt-5"}
    assert "x-panlect-degraded" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert models.callers == [Caller(ORGANISATION)]


async def test_headers_say_for_what_it_is_asked(client: httpx2.AsyncClient, models: Script) -> None:
    ids = [uuid4() for _ in range(3)]
    names = ("repository", "pull-request", "run")
    headers = {f"x-panlect-{name}": str(one) for name, one in zip(names, ids, strict=True)}
    headers["x-panlect-step"] = "propose:3"
    await client.post(CHAT, json=question(), headers=headers)
    await client.post("/v1/embeddings", json={"model": "embed", "input": "x"}, headers=headers)
    assert models.callers == [Caller(ORGANISATION, *ids, "propose:3")] * 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repository", "acme/shop"),
        ("pull-request", "7"),
        ("run", "' or 1=1"),
        ("step", "x" * 201),
        ("step", "a\tb"),
    ],
)
async def test_a_header_that_is_no_id_is_refused(
    client: httpx2.AsyncClient, models: Script, name: str, value: str
) -> None:
    answer = await client.post(CHAT, json=question(), headers={f"x-panlect-{name}": value})
    assert answer.status_code == 400
    assert f"x-panlect-{name}" in answer.json()["error"]["message"]
    assert not models.callers


def data(text: str) -> list[Any]:
    lines = [line[6:] for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_a_stream_ends_with_its_reason_its_usage_and_done(client: httpx2.AsyncClient) -> None:
    answer = await client.post(CHAT, json=question(stream=True, stream_options={"include_usage": True}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = data(answer.text)
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in told[:-2])
    assert text == "It is fixed."
    assert told[-3]["choices"][0]["finish_reason"] == "stop"
    assert told[-3]["panlect"]["cost_microusd"] == 40
    assert told[-2]["usage"]["total_tokens"] == 12
    assert told[-1] == "[DONE]"


async def test_a_stream_that_breaks_says_why_and_is_not_done(
    client: httpx2.AsyncClient, models: Script
) -> None:
    models.error, models.breaks_after = ModelUnavailableError("Every model failed."), 1
    answer = await client.post(CHAT, json=question(stream=True))
    assert answer.status_code == 200
    told = data(answer.text)
    assert told[-1]["error"]["code"] == "model_unavailable"
    assert "[DONE]" not in told
    assert models.closed.is_set()


async def test_a_stream_without_an_answer_is_an_error(client: httpx2.AsyncClient, models: Script) -> None:
    models.breaks_after = 99
    told = data((await client.post(CHAT, json=question(stream=True))).text)
    assert told[-1]["error"]["code"] == "server_error"
    assert "[DONE]" not in told


ERRORS = [
    (NoModelError("No model is configured for review: model none."), 503, "model_not_configured", None),
    (BudgetExhaustedError("Spent.", scope="organisation"), 429, "budget_exhausted", None),
    (ModelUnavailableError("All failed.", retry_after_s=7), 503, "model_unavailable", "7"),
]


@pytest.mark.parametrize(("error", "status", "code", "after"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_before_the_first_piece_has_a_status(
    client: httpx2.AsyncClient,
    models: Script,
    error: PanlectError,
    status: int,
    code: str,
    after: str | None,
    stream: bool,
) -> None:
    models.error = error
    answer = await client.post(CHAT, json=question(stream=stream))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("retry-after") == after
    vectors = await client.post("/v1/embeddings", json={"model": "embed", "input": "x"})
    assert (vectors.status_code, vectors.json()["error"]["code"]) == (status, code)


async def test_with_nothing_configured_the_list_is_empty(client: httpx2.AsyncClient, models: Script) -> None:
    assert (await client.get("/v1/models")).json() == {"object": "list", "data": []}
    models.names = ("review", "openai/gpt-5")
    listed = (await client.get("/v1/models")).json()["data"]
    assert [row["id"] for row in listed] == ["review", "openai/gpt-5"]


async def test_vectors_come_in_the_order_of_their_texts(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/embeddings", json={"model": "embed", "input": ["a", "bbb"]})
    assert [row["embedding"] for row in answer.json()["data"]] == [[1.0, 1.0], [3.0, 1.0]]
    assert answer.headers["x-panlect-call-id"] == str(CALL)


async def test_a_wrong_field_is_named(client: httpx2.AsyncClient) -> None:
    answer = await client.post(CHAT, json=question(temperature="hot"))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "temperature"


@pytest.mark.parametrize("sent", [b"{", b"[" * 100_000, b"\xff"])
async def test_a_body_that_is_no_json_is_refused(client: httpx2.AsyncClient, sent: bytes) -> None:
    answer = await client.post(CHAT, content=sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "body")


async def test_a_prompt_may_be_larger_than_a_form_but_not_without_bound(client: httpx2.AsyncClient) -> None:
    large = question(messages=[{"role": "user", "content": "x" * (MOST_BODY - 1000)}])
    assert (await client.post(CHAT, json=large)).status_code == 200
    assert (await client.post(CHAT, content=b"x" * (MOST_BODY + 1))).status_code == 413
    transport = httpx2.ASGITransport(edge(cast(Services, SimpleNamespace(db=NoDatabase()))))
    async with httpx2.AsyncClient(transport=transport, base_url="https://panlect.example") as other:
        assert (await other.post("/api/v1/indexes", content=b"x" * 1024 * 1025)).status_code == 413


@pytest.mark.parametrize(
    ("method", "path"), [("POST", CHAT), ("POST", "/v1/embeddings"), ("GET", "/v1/models")]
)
async def test_nobody_asks_without_a_token(models: Script, method: str, path: str) -> None:
    transport = httpx2.ASGITransport(application(models, signed_in=False), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://panlect.example") as stranger:
        answer = await stranger.request(method, path, content=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.fixture
async def address(models: Script) -> AsyncIterator[str]:
    """The gateway behind a real server, which tells it when a client hangs up."""
    config = uvicorn.Config(application(models), port=0, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_a_stream_that_nobody_reads_any_more_is_closed(address: str, models: Script) -> None:
    models.hangs = True
    async with httpx2.AsyncClient() as browser:
        async with browser.stream("POST", f"{address}{CHAT}", json=question(stream=True)) as answer:
            async for line in answer.aiter_lines():
                if "fixed" in line:
                    break
        assert not models.closed.is_set()
    async with asyncio.timeout(10):
        await models.closed.wait()


async def test_a_stream_is_closed_when_sending_fails() -> None:
    closed: list[str] = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
            yield b"data: 2\n\n"
        finally:
            closed.append("closed")

    async def send(message: Any) -> None:
        if message.get("body"):
            raise OSError("The client has gone.")

    async def receive() -> Any:
        raise AssertionError("A server that raises in send is not asked for messages.")

    with pytest.raises(ClientDisconnect):
        await Stream(events())({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    assert closed == ["closed"]


async def test_a_question_whose_asker_has_left_is_given_up(address: str, models: Script) -> None:
    models.hangs = True
    async with httpx2.AsyncClient() as browser:
        asking = asyncio.create_task(browser.post(f"{address}{CHAT}", json=question()))
        await models.begun.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(10):
        await models.closed.wait()


async def test_the_usual_client_understands_every_answer(address: str, models: Script) -> None:
    models.names = ("review",)
    async with AsyncOpenAI(api_key="x", base_url=f"{address}/v1", max_retries=0) as usual:
        turns: Any = [{"role": "user", "content": "Is it fixed?"}]
        whole = await usual.chat.completions.create(model="review", messages=turns)
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("It is fixed.", "stop")
        assert whole.usage is not None
        assert whole.usage.total_tokens == 12
        text, reasons, counted = "", [], 0
        async for chunk in await usual.chat.completions.create(
            model="review", messages=turns, stream=True, stream_options={"include_usage": True}
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            reasons += [choice.finish_reason for choice in chunk.choices if choice.finish_reason]
            counted += chunk.usage.total_tokens if chunk.usage else 0
        assert (text, reasons, counted) == ("It is fixed.", ["stop"], 12)
        vectors = await usual.embeddings.create(model="embed", input=["a", "bbb"])  # it asks for base64
        assert [row.embedding for row in vectors.data] == [[1.0, 1.0], [3.0, 1.0]]
        assert [model.id async for model in usual.models.list()] == ["review"]
        models.error = BudgetExhaustedError("The budget is spent.", scope="organisation")
        with pytest.raises(RateLimitError, match="The budget is spent") as spent:
            await usual.chat.completions.create(model="review", messages=turns)
        assert spent.value.code == "budget_exhausted"
        models.breaks_after = 1
        with pytest.raises(APIError, match="The budget is spent"):
            async for _ in await usual.chat.completions.create(model="review", messages=turns, stream=True):
                pass
