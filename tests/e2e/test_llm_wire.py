"""Every wire against scripted providers over real HTTP: answers, streams, tools, shapes, and each way to fail."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.sandbox.models import Providers, Running, running
from panlect.egress import Egress
from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Message, Schema, Tool, ToolCall
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target, Upstream
from panlect.llm.upstreams.select import Upstreams

pytestmark = pytest.mark.anyio
WIRES = ("compatible", "openai", "azure", "gemini", "anthropic", "bedrock")
THREE = ("compatible", "anthropic", "bedrock")
NAMES = {"anthropic": "claude-sonnet-4-5--", "bedrock": "us.anthropic.claude-sonnet-4-5--"}
KEYS = {"bedrock": "AKIAABCDEFGHIJKLMNOP:d7Fh2kQ9sLw0pZx5"}
KEY = "sk-proj-d7Fh2kQ9sLw0pZx5vB8n"
VERDICT = Schema(
    "verdict",
    {
        "type": "object",
        "properties": {
            "verdict": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["verdict", "lines"],
        "additionalProperties": False,
    },
)
FITTING = {"verdict": "text", "lines": [1]}
READ = Tool("read_file", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})


@pytest.fixture(scope="module")
def providers() -> Iterator[Running]:
    with running() as found:
        yield found


@dataclass
class Asking:
    """Asks models of one wire."""

    kind: str
    upstream: Upstream
    providers: Running

    def target(self, how: str, *, timeout_s: float = 5.0, key: str | None = None, **facts: Any) -> Target:
        root = self.providers.root
        path = {"compatible": "/v1", "openai": "/v1", "gemini": "/v1beta/openai"}.get(self.kind, "")
        provider = Provider("p", self.kind, f"{root}{path}", region="eu-central-1")  # type: ignore[arg-type]
        model = NAMES.get(self.kind, "") + how
        return Target(
            Choice(provider, model, Model(**facts)),
            KEYS.get(self.kind, KEY) if key is None else key,
            timeout_s,
        )

    async def answer(
        self, how: str, *, stream: bool, request: ChatRequest | None = None, **given: Any
    ) -> Answer:
        target = self.target(how, **given)
        if not stream:
            return await self.upstream.chat(request or asked(), target)
        pieces = [piece async for piece in self.upstream.stream(request or asked(), target)]
        *deltas, whole = pieces
        assert isinstance(whole, Answer)
        assert all(isinstance(delta, Delta) for delta in deltas)
        shown = "".join(delta.text for delta in deltas if isinstance(delta, Delta))
        if "{" in shown:
            assert json.loads(shown) == json.loads(whole.content)
        else:
            assert shown == whole.content
        return whole

    @property
    def app(self) -> Providers:
        return self.providers.app


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the whole file, so that its connections and clients can be used again."""
    return "asyncio"


@pytest.fixture(scope="module")
async def upstreams(anyio_backend: str, providers: Running) -> AsyncIterator[Upstreams]:
    found = Upstreams(Egress((providers.allow,)))
    yield found
    await found.aclose()


@pytest.fixture
def asking(request: pytest.FixtureRequest, providers: Running, upstreams: Upstreams) -> Asking:
    providers.app.asked.clear()
    return Asking(request.param, upstreams.upstream_for(request.param), providers)


def asked(**more: Any) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", "Is it fixed?"))
    return ChatRequest("review", **{"messages": messages, "max_tokens": 50, "temperature": 0.2, **more})


every_wire = pytest.mark.parametrize("asking", WIRES, indirect=True)
three_wires = pytest.mark.parametrize("asking", THREE, indirect=True)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@every_wire
@both_ways
async def test_an_answer_comes_whole_with_what_it_cost(asking: Asking, stream: bool) -> None:
    answer = await asking.answer("cached", stream=stream)
    assert (answer.content, answer.finish_reason, answer.provider) == ("ok", "stop", "p")
    assert answer.model.endswith("cached")
    assert answer.usage.input_tokens > 20
    assert answer.usage.cached_tokens == answer.usage.input_tokens // 2
    assert answer.usage.output_tokens == 1
    assert not answer.usage.estimated


@three_wires
@both_ways
async def test_what_was_asked_arrives(asking: Asking, stream: bool) -> None:
    assert (await asking.answer("echo", stream=stream)).content == "Is it fixed?"
    body = asking.app.asked[-1].body
    text = json.dumps(body)
    assert "Be brief." in text
    assert "0.2" in text
    assert "50" in text


@three_wires
@both_ways
async def test_a_conversation_with_tools_arrives_in_its_order(asking: Asking, stream: bool) -> None:
    messages = (
        Message("system", "Be brief."),
        Message("user", "Look."),
        Message("assistant", "", (ToolCall("call_9", "read_file", '{"path": "a.py"}'),)),
        Message("tool", "x = 1", tool_call_id="call_9"),
        Message("user", "And now?"),
    )
    await asking.answer("ok", stream=stream, request=asked(messages=messages, tools=(READ,)))
    text = json.dumps(asking.app.asked[-1].body)
    places = [text.index(part) for part in ("Look.", "call_9", "x = 1", "And now?")]
    assert places == sorted(places)
    assert "a.py" in text


@three_wires
@both_ways
@pytest.mark.parametrize("choice", ["auto", "required", "read_file"])
async def test_a_tool_is_called(asking: Asking, stream: bool, choice: str) -> None:
    request = asked(tools=(READ,), tool_choice=choice)
    answer = await asking.answer("tool", stream=stream, request=request)
    assert answer.finish_reason == "tool_calls"
    (call,) = answer.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("read_file", {"path": "text"})
    assert call.id
    assert bool(asking.app.asked[-1].forced) is (choice != "auto")


@three_wires
@both_ways
@pytest.mark.parametrize("facts", [{}, {"json_schema": False}], ids=["native", "tool"])
async def test_a_shape_is_kept_natively_or_by_a_tool(asking: Asking, stream: bool, facts: Any) -> None:
    answer = await asking.answer("json", stream=stream, request=asked(schema=VERDICT), **facts)
    assert json.loads(answer.content) == FITTING
    assert (answer.finish_reason, answer.tool_calls) == ("stop", ())
    sent = asking.app.asked[-1]
    assert (sent.schema is None) is bool(facts)
    assert [name for name, _ in sent.tools] == (["verdict"] if facts else [])


@three_wires
@both_ways
async def test_a_model_with_neither_is_asked_for_json_in_words(asking: Asking, stream: bool) -> None:
    request = asked(schema=VERDICT)
    await asking.answer("ok", stream=stream, request=request, json_schema=False, tools=False)
    sent = asking.app.asked[-1]
    assert (sent.schema, sent.tools) == (None, ())
    assert "fits this JSON schema" in json.dumps(sent.body)


@three_wires
@both_ways
async def test_prose_in_place_of_the_forced_tool_is_the_text(asking: Asking, stream: bool) -> None:
    answer = await asking.answer("prose", stream=stream, request=asked(schema=VERDICT), json_schema=False)
    assert answer.content.startswith("Once upon a time")
    assert answer.tool_calls == ()


@three_wires
@both_ways
async def test_an_answer_that_was_cut_at_its_limit_says_so(asking: Asking, stream: bool) -> None:
    answer = await asking.answer("length", stream=stream)
    assert answer.finish_reason == "length"
    assert answer.content.endswith("longer ans")


@three_wires
@both_ways
async def test_a_refusal_is_told_apart_from_an_answer(asking: Asking, stream: bool) -> None:
    answer = await asking.answer("refusal", stream=stream)
    assert (answer.finish_reason, answer.refusal) == ("content_filter", "I cannot help with that.")


@three_wires
@both_ways
async def test_what_a_provider_does_not_count_is_counted_here(asking: Asking, stream: bool) -> None:
    usage = (await asking.answer("no-usage", stream=stream)).usage
    assert usage.estimated
    assert usage.input_tokens == 7
    assert usage.output_tokens == 1


OUTCOMES = {
    "429": ("rate_limited", False),
    "500": ("unavailable", False),
    "auth": ("auth", False),
    "too-long": ("too_long", False),
    "rejected": ("rejected", False),
    "garbage": ("garbage", True),
    "empty": ("garbage", True),
}


@three_wires
@both_ways
@pytest.mark.parametrize("how", OUTCOMES)
async def test_each_way_to_fail_has_its_name(asking: Asking, stream: bool, how: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as where warnings are not errors
        with pytest.raises(ProviderError) as caught:
            await asking.answer(how, stream=stream)
    assert (caught.value.outcome, caught.value.billed) == OUTCOMES[how]
    assert caught.value.retry_after_s == (2.0 if how == "429" else 0.0)
    assert not any(part in str(caught.value) for part in (KEY, *KEYS["bedrock"].split(":")))
    assert len(str(caught.value)) < 420


@three_wires
@pytest.mark.parametrize(
    ("how", "outcome"), [("cut", "cut"), ("drop", "cut"), ("error-in-stream", "unavailable")]
)
async def test_a_stream_without_its_end_is_no_answer(asking: Asking, how: str, outcome: str) -> None:
    pieces = []
    with pytest.raises(ProviderError) as caught:
        async for piece in asking.upstream.stream(asked(), asking.target(how)):
            pieces.append(piece)
    assert (caught.value.outcome, caught.value.billed) == (outcome, True)
    assert pieces
    assert all(isinstance(piece, Delta) for piece in pieces)


@three_wires
@pytest.mark.parametrize("how", ["cut", "drop"])
async def test_a_whole_answer_that_breaks_off_is_none(asking: Asking, how: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await asking.answer(how, stream=False)
    assert caught.value.outcome == ("garbage" if how == "cut" else "unavailable")
    assert caught.value.billed  # it had begun, so the provider may ask for its price


@three_wires
@both_ways
async def test_silence_is_not_waited_for_longer_than_was_said(asking: Asking, stream: bool) -> None:
    began = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        await asking.answer("stall", stream=stream, timeout_s=0.2)
    assert (caught.value.outcome, caught.value.billed) == ("timeout", True)
    assert time.monotonic() - began < 5


@three_wires
async def test_an_answer_without_end_is_not_read_to_its_end(asking: Asking) -> None:
    with pytest.raises(ProviderError) as caught:
        await asking.answer("huge", stream=False)
    assert caught.value.outcome in ("garbage", "unavailable")
    assert caught.value.billed


@three_wires
async def test_a_stream_is_closed_when_nobody_listens_any_more(asking: Asking) -> None:
    async with aclosing(asking.upstream.stream(asked(), asking.target("endless"))) as pieces:
        async for piece in pieces:
            assert piece == Delta("and so on ")
            break
    answer = await asking.answer("ok", stream=False)  # the client is as good as new
    assert answer.content == "ok"


@three_wires
async def test_an_address_that_may_not_be_called_is_not(asking: Asking) -> None:
    upstreams = Upstreams(Egress())
    upstream = upstreams.upstream_for(asking.kind)
    with pytest.raises(ProviderError) as caught:
        await upstream.chat(asked(), asking.target("ok"))
    assert caught.value.outcome == "rejected"
    assert "not a public address" in str(caught.value)
    assert not asking.app.asked
    await upstreams.aclose()


@three_wires
async def test_a_provider_that_is_away_is_unavailable(asking: Asking) -> None:
    target = asking.target("ok")
    provider = Provider("p", asking.kind, "http://127.0.0.1:1/v1", region="eu-central-1")  # type: ignore[arg-type]
    upstreams = Upstreams(Egress(("127.0.0.1",)))
    with pytest.raises(ProviderError) as caught:
        away = Target(Choice(provider, target.choice.model, Model()), target.key, 5.0)
        await upstreams.upstream_for(asking.kind).chat(asked(), away)
    assert (caught.value.outcome, caught.value.billed) == ("unavailable", False)
    await upstreams.aclose()


@pytest.mark.parametrize("asking", ["compatible", "anthropic"], indirect=True)
@pytest.mark.parametrize("key", ["k\nx: y", "schlüssel", " padded"])
async def test_a_key_that_no_header_takes_is_refused_here(asking: Asking, key: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await asking.upstream.chat(asked(), asking.target("ok", key=key))
    assert caught.value.outcome == "auth"
    assert key not in str(caught.value)
    assert not asking.app.asked


@three_wires
async def test_no_key_of_the_environment_is_used(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "sk-of-the-environment")
    if asking.kind == "bedrock":  # no key means AWS's own chain there
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHECHAINOFAWSX")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    await asking.answer("ok", stream=False, key="")
    sent = str(asking.app.asked[-1].headers)
    assert "sk-of-the-environment" not in sent
    assert ("AKIAOFTHECHAINOFAWSX" in sent) is (asking.kind == "bedrock")
