"""Questions over real HTTP: the lines come out of Postgres, and whoever hangs up ends the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, ToolCall
from panlect.llm.scripted import ScriptedModels
from tests.e2e.conftest import SHOP, connect, finished

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


class Endless(ScriptedModels):
    """Begins to answer, then waits for ever."""

    closed = 0

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        try:
            yield Delta("It begins. " * 40)
            await asyncio.sleep(3600)
        finally:
            self.closed += 1


@pytest.fixture
async def asked(shop: str, forge: Any, indexing: Any, anyio_backend: str) -> Any:
    async with indexing.worker():
        await connect(indexing, forge, shop)
        await finished(indexing, 1)
    return indexing


async def test_an_answer_streams_with_lines_that_come_out_of_the_index(
    asked: Any,
) -> None:
    def script(request: ChatRequest) -> Answer | str:
        if len(request.messages) == 2:
            calls = [
                ("read", {"path": "shop/refund.py"}),
                ("grep", {"text": "order.total"}),
                ("history", {"path_or_words": "shop"}),
            ]
            tools = tuple(ToolCall(str(n), name, json.dumps(sent)) for n, (name, sent) in enumerate(calls))
            return Answer("", "tool_calls", tools)
        results = [message.content for message in request.messages if message.role == "tool"]
        assert "shop/capture.py" in results[1]
        assert "2023-11-14 T: m" in results[2]  # this node has a mirror
        return "Negative [shop/refund.py:1-2], see [README.md:1] and [shop/nothing.py:1-9]."

    models = ScriptedModels(script)
    asked.played_by(models)
    question = {"question": "What does a refund return?", "stream": True}
    events: list[tuple[str, Any]] = []
    async with asked.client.stream("POST", "/api/v1/ask", json=question) as stream:
        assert stream.status_code == 200
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    name, done = events[-1]
    assert name == "done", done
    assert done["sources"][0]["text"] + "\n" == SHOP["shop/refund.py"]
    assert "nothing.py" not in done["answer"]
    assert [name for name, _ in events].count("step") == 4
    # Without a model the same question has the same places, from the same chunks.
    asked.played_by(asked.services.models)
    answer = (await asked.client.post("/api/v1/ask", json={"question": "refund payment"})).json()
    assert (answer["model"], answer["sources"][0]["path"]) == ("none", "shop/refund.py")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_hangs_up_ends_the_model_call(asked: Any, stream: bool) -> None:
    models = Endless(lambda _: "")
    asked.played_by(models)
    question = {"question": "What is it?", "stream": stream}
    headers = {"authorization": f"Bearer {asked.token}"}
    async with httpx2.AsyncClient(base_url=asked.url, headers=headers, trust_env=False) as client:
        if stream:
            async with client.stream("POST", "/api/v1/ask", json=question) as answer:
                async for line in answer.aiter_lines():
                    if line == "event: text":
                        break
        else:
            with pytest.raises(httpx2.TimeoutException):
                await client.post("/api/v1/ask", json=question, timeout=1.0)
    for _ in range(200):
        if models.closed:
            break
        await asyncio.sleep(0.05)
    assert models.closed == 1
