"""The OpenAI wire against a server that nobody here wrote: llama.cpp with a small model. `make test-llm-wire` runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from panlect.egress import Egress
from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Message, Schema, Tool
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.select import Upstreams

ROOT = Path(__file__).resolve().parents[2]
ASKED_FOR = "LLM_VENV" in os.environ  # a plain `make test` does not wait for a model
PYTHON = ROOT / os.environ.get("LLM_VENV", "") / "bin/python"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.llm_wire,
    pytest.mark.skipif(
        not (ASKED_FOR and PYTHON.exists()), reason="no llama.cpp here: make test-llm-wire installs it"
    ),
]
VERDICT = Schema(
    "verdict",
    {
        "type": "object",
        "properties": {"fixed": {"type": "boolean"}, "line": {"type": "integer"}},
        "required": ["fixed", "line"],
        "additionalProperties": False,
    },
)
READ = Tool(
    "read_file",
    "Reads a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the whole file, as there is one server."""
    return "asyncio"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(PYTHON), str(Path(__file__).with_name("llama_server.py")), str(port)]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        assert any(line.startswith("listening at") for line in server.stdout), "llama.cpp did not start"
        yield f"127.0.0.1:{port}"
    finally:
        server.stdin.close()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


@dataclass
class Asking:
    upstreams: Upstreams
    address: str

    def target(self, **facts: Any) -> Target:
        provider = Provider("llama", "compatible", f"http://{self.address}/v1")
        return Target(Choice(provider, "smollm2", Model(**facts)), "", 60.0)

    async def whole(self, request: ChatRequest, **facts: Any) -> Answer:
        return await self.upstreams.upstream_for("compatible").chat(request, self.target(**facts))

    async def stream(self, request: ChatRequest, **facts: Any) -> list[Delta | Answer]:
        upstream = self.upstreams.upstream_for("compatible")
        return [piece async for piece in upstream.stream(request, self.target(**facts))]


@pytest.fixture(scope="module")
async def llama(anyio_backend: str, address: str) -> AsyncIterator[Asking]:
    upstreams = Upstreams(Egress((address,)))
    yield Asking(upstreams, address)
    await upstreams.aclose()


def question(text: str = "Name one colour.", **more: Any) -> ChatRequest:
    turns = (Message("system", "Be brief."), Message("user", text))
    return ChatRequest("ask", turns, **{"temperature": 0.0, "max_tokens": 24, "seed": 7, **more})


async def test_a_question_is_answered_and_counted(llama: Asking) -> None:
    answer = await llama.whole(question())
    assert answer.content.strip()
    assert answer.finish_reason in ("stop", "length")
    assert not answer.usage.estimated
    assert 5 < answer.usage.input_tokens < 100
    assert 0 < answer.usage.output_tokens <= 24


async def test_the_same_question_streams_the_same_answer(llama: Asking) -> None:
    whole = await llama.whole(question())
    *deltas, answer = await llama.stream(question())
    assert isinstance(answer, Answer)
    assert (
        "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == answer.content == whole.content
    )
    assert len(deltas) > 1
    assert answer.usage.output_tokens == whole.usage.output_tokens
    assert not answer.usage.estimated


@pytest.mark.parametrize("stream", [False, True])
async def test_a_shape_is_kept(llama: Asking, stream: bool) -> None:
    request = question("Is it fixed? In which line?", schema=VERDICT, max_tokens=64)
    answer = (await llama.stream(request))[-1] if stream else await llama.whole(request)
    assert isinstance(answer, Answer)
    found = json.loads(answer.content)
    assert set(found) == {"fixed", "line"}
    assert isinstance(found["fixed"], bool)
    assert isinstance(found["line"], int)


async def test_a_required_tool_comes_as_a_call_or_as_prose(llama: Asking) -> None:
    """This server has ignored tool_choice in some versions and kept it in others: both are answers."""
    answer = await llama.whole(question("Read a.py.", tools=(READ,), tool_choice="required", max_tokens=48))
    if answer.tool_calls:
        assert answer.tool_calls[0].name == "read_file"
    else:
        assert answer.content.strip()


async def test_a_shape_by_a_tool_is_an_answer_even_when_the_tool_is_ignored(llama: Asking) -> None:
    answer = await llama.whole(question(schema=VERDICT, max_tokens=48), json_schema=False)
    assert answer.content.strip()
    assert answer.tool_calls == ()


async def test_an_answer_that_meets_its_limit_says_so(llama: Asking) -> None:
    for answer in (
        await llama.whole(question("Tell a long story.", max_tokens=5)),
        (await llama.stream(question("Tell a long story.", max_tokens=5)))[-1],
    ):
        assert isinstance(answer, Answer)
        assert (answer.finish_reason, answer.usage.output_tokens) == ("length", 5)


async def test_a_prompt_that_is_too_long_has_its_name(llama: Asking) -> None:
    for ask in (llama.whole, llama.stream):
        with pytest.raises(ProviderError) as caught:
            await ask(question("word " * 4000))
        assert caught.value.outcome == "too_long"


async def test_a_model_that_makes_no_vectors_says_so(llama: Asking) -> None:
    with pytest.raises(ProviderError) as caught:
        await llama.upstreams.upstream_for("compatible").embed(["x"], llama.target())
    assert caught.value.outcome in ("rejected", "unavailable")
