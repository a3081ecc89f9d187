"""The OpenAI wire: what is sent to which kind of provider, and what is made of answers that no honest one gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from typing import Any

import httpx2
import pytest

from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Message, Schema, Tool
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.openai import OpenAIUpstream, strict

pytestmark = pytest.mark.anyio
Handler = Callable[[httpx2.Request], httpx2.Response]
KEY = "sk-proj-d7Fh2kQ9sLw0pZx5vB8n"
ASKED = ChatRequest("review", (Message("user", "Is it fixed?"),), temperature=0.0, max_tokens=9, seed=7)
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


class Pieces(httpx2.AsyncByteStream):
    """A body that comes as a script says: bytes, pauses, errors."""

    def __init__(self, *pieces: bytes | BaseException | float) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                yield piece

    async def aclose(self) -> None:
        self.closed = True


def target(
    kind: str = "compatible", url: str = "https://models.example/v1", model: str = "m", **more: Any
) -> Target:
    facts = Model(**{name: more.pop(name) for name in ("json_schema", "tools") if name in more})
    return Target(Choice(Provider("p", kind, url, **more), model, facts), KEY, 5.0)  # type: ignore[arg-type]


def upstream(handler: Handler) -> OpenAIUpstream:
    def unread(request: httpx2.Request) -> httpx2.Response:
        answer = handler(request)
        if isinstance(answer.stream, Pieces):
            return answer
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=Pieces(answer.content))

    return OpenAIUpstream(httpx2.AsyncClient(transport=httpx2.MockTransport(unread)))


def whole(**changes: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}, **changes}


async def sent_to(to: Target, request: ChatRequest = ASKED) -> httpx2.Request:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=whole())

    await upstream(handler).chat(request, to)
    return seen[0]


async def body_to(to: Target, request: ChatRequest = ASKED) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await sent_to(to, request)).content)
    return found


@pytest.mark.parametrize(
    ("to", "url"),
    [
        (target("openai", ""), "https://api.openai.com/v1/chat/completions"),
        (target("openai", "https://eu.api.openai.com/v1/"), "https://eu.api.openai.com/v1/chat/completions"),
        (target("gemini", ""), "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"),
        (target("compatible", "http://vllm:8000/v1"), "http://vllm:8000/v1/chat/completions"),
        (
            target("compatible", "https://x.example/v1?tenant=7"),
            "https://x.example/v1/chat/completions?tenant=7",
        ),
        (
            target("azure", "https://a.openai.azure.com", "gpt 5"),
            "https://a.openai.azure.com/openai/deployments/gpt%205/chat/completions?api-version=2024-10-21",
        ),
        (
            target("azure", "https://a.openai.azure.com/openai", "d", api_version="2025-04-01-preview"),
            "https://a.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-04-01-preview",
        ),
        (
            target("azure", "https://a.example/openai/deployments/d?api-version=2025-01-01", api_version="x"),
            "https://a.example/openai/deployments/d/chat/completions?api-version=2025-01-01",
        ),
        (target("azure", "https://a.example/openai/v1"), "https://a.example/openai/v1/chat/completions"),
    ],
)
async def test_each_kind_is_asked_at_its_address_with_its_key(to: Target, url: str) -> None:
    request = await sent_to(to)
    assert str(request.url) == url
    azure = to.choice.provider.kind == "azure"
    assert request.headers.get("api-key") == (KEY if azure else None)
    assert request.headers.get("authorization") == (None if azure else f"Bearer {KEY}")


async def test_a_provider_that_wants_no_key_gets_none() -> None:
    assert "authorization" not in (await sent_to(replace(target(), key=""))).headers


async def test_the_limit_has_the_name_that_the_kind_knows() -> None:
    for kind in ("openai", "azure"):
        body = await body_to(target(kind, "https://x.example"))
        assert (body["max_completion_tokens"], "max_tokens" in body) == (9, False)
    for kind in ("gemini", "compatible"):
        body = await body_to(target(kind))
        assert (body["max_tokens"], "max_completion_tokens" in body) == (9, False)
    assert body["model"] == "m"
    assert (body["temperature"], body["seed"]) == (0.0, 7)


async def test_what_is_not_said_is_not_sent() -> None:
    assert await body_to(target(), ChatRequest("review", (Message("user", "x"),))) == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
    }


@pytest.mark.parametrize(
    ("model", "sampled"),
    [
        ("gpt-5", False),
        ("gpt-5-mini", False),
        ("o3", False),
        ("o4-mini", False),
        ("gpt-5-chat-latest", True),
        ("gpt-4.1", True),
    ],
)
async def test_a_temperature_is_not_sent_where_it_is_refused(model: str, sampled: bool) -> None:
    request = replace(ASKED, extra={"top_p": 0.5, "stop": ["x"]})
    body = await body_to(target("openai", "", model), request)
    assert ("temperature" in body, "top_p" in body, body["stop"]) == (sampled, sampled, ["x"])
    assert "temperature" in await body_to(
        target("compatible", model=model)
    )  # a server of one's own knows better


async def test_what_a_caller_adds_never_takes_the_place_of_what_is_decided() -> None:
    request = replace(ASKED, extra={"model": "other", "messages": [], "stream": True, "top_p": 0.5})
    body = await body_to(target(), request)
    assert (body["model"], body["messages"][0]["content"], body["top_p"]) == ("m", "Is it fixed?", 0.5)


async def test_a_schema_is_strict_only_when_it_can_be() -> None:
    shape = (await body_to(target(), replace(ASKED, schema=Schema("s", CLOSED))))["response_format"]
    assert shape == {"type": "json_schema", "json_schema": {"name": "s", "schema": CLOSED, "strict": True}}
    loose = (await body_to(target(), replace(ASKED, schema=Schema("s", {"type": "object"}))))[
        "response_format"
    ]
    assert loose["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (CLOSED, True),
        ({"type": "string"}, True),
        ({**CLOSED, "required": []}, False),
        ({"type": "object", "properties": {}}, False),
        ({"anyOf": [CLOSED, {"type": "null"}]}, True),
        ({"$defs": {"x": {"type": "object"}}, **CLOSED}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
    ],
)
def test_what_strict_mode_takes_is_known(schema: dict[str, Any], expected: bool) -> None:
    assert strict(schema) is expected


async def test_a_shape_beside_tools_may_be_reached_by_any_of_them() -> None:
    tool = Tool("read", "", {"type": "object"})
    request = replace(ASKED, schema=Schema("s", CLOSED), tools=(tool,))
    body = await body_to(target(json_schema=False), request)
    assert [one["function"]["name"] for one in body["tools"]] == ["read", "s"]
    assert body["tool_choice"] == "required"
    alone = await body_to(target(json_schema=False), replace(request, tools=()))
    assert alone["tool_choice"] == {"type": "function", "function": {"name": "s"}}


async def test_a_shape_that_is_no_object_is_neither_strict_nor_a_tool() -> None:
    request = replace(ASKED, schema=Schema("s", {"type": "array", "items": {"type": "string"}}))
    assert (await body_to(target(), request))["response_format"]["json_schema"]["strict"] is False
    body = await body_to(target(json_schema=False), request)
    assert "tools" not in body
    assert "fits this JSON schema" in body["messages"][0]["content"]


async def test_tools_are_not_sent_to_a_model_that_knows_none() -> None:
    request = replace(ASKED, tools=(Tool("read", "", {}),))
    with pytest.raises(ProviderError) as caught:
        await sent_to(target(tools=False), request)
    assert caught.value.outcome == "rejected"
    body = await body_to(target(tools=False), replace(request, tool_choice="none"))
    assert "tools" not in body


def message(**fields: Any) -> dict[str, Any]:
    return whole(choices=[{"message": fields, "finish_reason": fields.pop("reason", "stop")}])


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "ok",
        None,
        {},
        {"choices": None},
        {"choices": {}},
        {"choices": ["x"]},
        {"choices": [{}]},
        {"choices": [{"message": "x", "finish_reason": "stop"}]},
        message(content=7),
        message(content={"text": "x"}),
        message(content=["x"]),
        message(content="x", reason=None),
        message(content="x", reason=7),
        message(content="x", reason="gave_up"),
        message(tool_calls="x"),
        message(tool_calls=["x"]),
        message(tool_calls=[{"id": "1", "function": {"name": None}}]),
        message(tool_calls=[{"id": "1", "function": {"name": "a", "arguments": 7}}]),
        message(tool_calls=[{"id": str(at), "function": {"name": "a"}} for at in range(129)]),
        message(refusal=["x"]),
    ],
)
async def test_an_answer_of_another_shape_is_garbage(answer: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        await upstream(lambda _: httpx2.Response(200, json=answer)).chat(ASKED, target())
    assert (caught.value.outcome, caught.value.billed) == ("garbage", True)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b"1" * 10_000, b"<html>"])
async def test_an_answer_that_is_no_json_is_garbage(body: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        await upstream(lambda _: httpx2.Response(200, content=body)).chat(ASKED, target())
    assert caught.value.outcome == "garbage"


async def test_dialects_of_compatible_servers_are_understood() -> None:
    async def said(answer: dict[str, Any], request: ChatRequest = ASKED) -> Answer:
        return await upstream(lambda _: httpx2.Response(200, json=answer)).chat(request, target())

    parts = await said(message(content=[{"type": "text", "text": "a"}, {"type": "thinking"}, {"text": "b"}]))
    assert parts.content == "ab"
    called = await said(
        message(content=None, tool_calls=[{"function": {"name": "a", "arguments": {"x": 1}}}])
    )
    assert (called.finish_reason, called.tool_calls[0].id) == ("tool_calls", "call_0")
    assert json.loads(called.tool_calls[0].arguments) == {"x": 1}
    assert (await said(message(content="x", reason="tool_calls"))).finish_reason == "stop"
    assert (await said(message(content="x", reason="MAX_TOKENS"))).finish_reason == "length"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "x",
        {},
        {"prompt_tokens": "5"},
        {"prompt_tokens": True},
        {"prompt_tokens": -5},
        {"prompt_tokens": 10**12},
        {"prompt_tokens": 0},
        {"prompt_tokens": 5, "completion_tokens": 1.5},
    ],
)
async def test_a_count_that_is_none_is_estimated(usage: Any) -> None:
    answer = await upstream(lambda _: httpx2.Response(200, json=whole(usage=usage))).chat(ASKED, target())
    assert answer.usage.estimated
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (4, 2)


async def test_more_cached_than_sent_is_not_believed() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 50}}
    answer = await upstream(lambda _: httpx2.Response(200, json=whole(usage=usage))).chat(ASKED, target())
    assert answer.usage.cached_tokens == 5


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(reason: str | None = None, **fields: Any) -> bytes:
    return event(choices=[{"delta": fields, "finish_reason": reason}])


async def streamed(
    *pieces: bytes | BaseException | float, request: ChatRequest = ASKED, **facts: Any
) -> list[Any]:
    body = Pieces(*pieces)
    to = replace(target(**facts), timeout_s=0.2)
    try:
        return [
            one async for one in upstream(lambda _: httpx2.Response(200, stream=body)).stream(request, to)
        ]
    finally:
        assert body.closed


async def test_a_stream_may_come_in_any_pieces() -> None:
    text = (
        b": a comment\r\n\r\nevent: x\r\n" + delta(content="Ye").replace(b"\n", b"\r\n")
        + b'data: {"choices": [{"delta": {"content": "s."},\ndata: "finish_reason": "stop"}]}\n\n'
        + event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 2})
        + b"data: [DONE]\n\ndata: never read\n\n"
    )  # fmt: skip
    for size in (1, 3, 7, len(text)):
        *deltas, answer = await streamed(*(text[at : at + size] for at in range(0, len(text), size)))
        assert deltas == [Delta("Ye"), Delta("s.")]
        assert (answer.content, answer.finish_reason, answer.usage.input_tokens) == ("Yes.", "stop", 5)


async def test_tool_calls_are_put_together_by_their_index() -> None:
    def part(index: int, **function: Any) -> bytes:
        return delta(tool_calls=[{"index": index, "function": function}])

    *_, answer = await streamed(
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "two", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "one"}}]),
        part(0, arguments='{"x"'),
        part(1, arguments="{}"),
        part(0, arguments=":1}"),
        delta("tool_calls"),
    )
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("a", "one", '{"x":1}'),
        ("b", "two", "{}"),
    ]


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        ((delta(content="x"),), "cut"),
        ((delta(content="x"), b"data: [DONE]\n\n"), "cut"),
        ((delta(content="x"), b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'), "cut"),
        ((delta(content="x"), httpx2.ReadError("reset")), "cut"),
        ((delta(content="x"), httpx2.RemoteProtocolError("peer closed")), "cut"),
        ((httpx2.ReadError("reset"),), "unavailable"),
        ((delta(content="x"), 1.0), "timeout"),
        ((delta(content="x"), httpx2.ReadTimeout("slow")), "timeout"),
        ((b"<html>",), "garbage"),
        ((b"data: {\n\n",), "garbage"),
        ((b"data: []\n\n",), "garbage"),
        ((b"data: " + b"x" * (3 * 1024 * 1024),), "garbage"),
        ((event(choices="x"),), "garbage"),
        ((event(choices=[{"delta": "x"}]),), "garbage"),
        ((delta(content=7),), "garbage"),
        ((delta(tool_calls=[{"index": -1, "function": {}}]),), "garbage"),
        ((delta(tool_calls=[{"index": 5000, "function": {}}]),), "garbage"),
        ((delta(tool_calls=["x"]),), "garbage"),
        ((delta("gave_up"),), "garbage"),
        ((event(error={"message": "Rate limit", "code": "rate_limit_exceeded"}),), "rate_limited"),
        ((event(error={"message": "maximum context length is 10"}),), "too_long"),
        ((delta(content="x"), event(error="it burns")), "unavailable"),
    ],
)
async def test_a_stream_that_is_no_answer_has_a_name(pieces: Any, outcome: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await streamed(*pieces)
    assert caught.value.outcome == outcome


@pytest.mark.parametrize("end", [httpx2.ReadError("reset"), httpx2.ReadTimeout("slow"), 1.0])
async def test_what_breaks_after_the_end_was_told_does_no_harm(end: Any) -> None:
    *_, answer = await streamed(delta(content="Yes."), delta("stop"), end)
    assert (answer.content, answer.usage.estimated) == ("Yes.", True)


def sendable(answer: Answer) -> None:
    """Whether an answer can be stored and sent on: raises UnicodeEncodeError, or fails."""
    text = json.dumps(asdict(answer), ensure_ascii=False, default=str)
    text.encode()
    assert "\\u0000" not in text


async def test_halves_of_characters_do_not_come_through() -> None:
    function = {"name": "re\ud800ad\0", "arguments": '{"a": "\ud800"}'}
    call = {"id": "c\ud800\0", "type": "function", "function": function}
    choice = {
        "message": {"content": "a\ud83d\udc4d\ud800\0b", "refusal": "no\udfff", "tool_calls": [call]},
        "finish_reason": "stop",
    }
    made = await upstream(lambda _: httpx2.Response(200, content=json.dumps(whole(choices=[choice])))).chat(
        ASKED, target()
    )
    sendable(made)
    assert (made.content, made.refusal) == ("a👍\ufffdb", "no\ufffd")
    assert (made.tool_calls[0].id, made.tool_calls[0].name) == ("c\ufffd", "re\ufffdad")


async def test_halves_of_characters_do_not_come_through_a_stream() -> None:
    function = {"name": "re\ud800ad", "arguments": '{"a": "\ud83d'}
    call = {"index": 0, "id": "c\ud800\0", "function": function}
    rest = {"index": 0, "function": {"arguments": '\udc4d\udc4d"}'}}
    pieces = await streamed(
        delta(content="a\ud83d", refusal="no\ud800"),
        delta(content="\udc4d\0b", tool_calls=[call]),
        delta(content="c\ud83d", tool_calls=[rest]),
        delta("stop"),
        b"data: [DONE]\n\n",
    )
    *shown, made = pieces
    sendable(made)
    assert (made.content, made.refusal) == ("a👍bc\ufffd", "no\ufffd")
    assert "".join(piece.text for piece in shown) == made.content
    assert made.tool_calls[0].arguments == '{"a": "👍\ufffd"}'
    assert (made.tool_calls[0].id, made.tool_calls[0].name) == ("c\ufffd", "re\ufffdad")


async def test_a_shape_is_streamed_as_it_is_answered_when_it_ends_in_half_a_character() -> None:
    function = {"name": "s", "arguments": '{"a": "x\ud83d'}
    request = replace(ASKED, schema=Schema("s", CLOSED))
    *shown, made = await streamed(
        delta(tool_calls=[{"index": 0, "id": "c", "function": function}]),
        delta("length"),
        request=request,
        json_schema=False,
    )
    assert "".join(piece.text for piece in shown) == made.content == '{"a": "x\ufffd'


async def test_prose_beside_a_forced_tool_is_shown_only_when_it_is_the_answer() -> None:
    request = replace(ASKED, schema=Schema("s", CLOSED))
    call = delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "s", "arguments": '{"a": "x"}'}}])
    *shown, answer = await streamed(
        delta(content="Well: "), call, delta("stop"), request=request, json_schema=False
    )
    assert (shown, answer.content) == ([Delta('{"a": "x"}')], '{"a": "x"}')
    *shown, answer = await streamed(delta(content="No."), delta("stop"), request=request, json_schema=False)
    assert (shown, answer.content) == ([Delta("No.")], "No.")


async def test_vectors_come_in_the_order_of_the_texts() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        asked = json.loads(request.content)
        assert asked == {"model": "m", "input": ["a", "b"], "encoding_format": "float"}
        rows = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1.5, 2]}]
        return httpx2.Response(200, json={"data": rows, "usage": {"prompt_tokens": 7}})

    made = await upstream(handler).embed(["a", "b"], target())
    assert made.vectors == ((1.5, 2.0), (0.0, 1.0))
    assert (made.usage.input_tokens, made.usage.estimated, made.model) == (7, False, "m")


ROW = {"index": 0, "embedding": [1.0, 2.0]}


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        [ROW],
        [ROW, ROW],
        [ROW, "x"],
        [ROW, {"index": 7, "embedding": [1.0, 2.0]}],
        [ROW, {"index": "1", "embedding": [1.0, 2.0]}],
        [ROW, {"index": 1, "embedding": [1.0]}],
        [ROW, {"index": 1, "embedding": []}],
        [ROW, {"index": 1, "embedding": "AAAA"}],
        [ROW, {"index": 1, "embedding": [1.0, "x"]}],
        [ROW, {"index": 1, "embedding": [1.0, True]}],
        [ROW, {"index": 1, "embedding": [1.0, 10**400]}],
    ],
)
async def test_vectors_that_were_not_asked_for_are_garbage(rows: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        await upstream(lambda _: httpx2.Response(200, json={"data": rows})).embed(["a", "b"], target())
    assert (caught.value.outcome, caught.value.billed) == ("garbage", True)


async def test_numbers_that_are_none_are_garbage() -> None:
    for number in (b"NaN", b"1e999", b"-Infinity"):
        body = b'{"data": [{"index": 0, "embedding": [1.0, ' + number + b"]}]}"
        with pytest.raises(ProviderError):
            await upstream(lambda _, body=body: httpx2.Response(200, content=body)).embed(["a"], target())  # type: ignore[misc]


async def test_an_address_is_read_as_it_was_written() -> None:
    for url in (
        "https://models.example\\@10.0.0.1/v1",
        "https://user@models.example/v1",
        "https://b\u00fccher.example",
    ):
        with pytest.raises(ProviderError) as caught:
            await sent_to(target(url=url))
        assert caught.value.outcome == "rejected"
