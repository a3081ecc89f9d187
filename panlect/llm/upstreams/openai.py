"""The OpenAI wire: OpenAI itself, Azure, Gemini's compatible endpoint, and whoever serves /v1/chat/completions.

Most of a request passes through as it came; nothing of an answer is believed before its shape was checked.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import quote, urlsplit, urlunsplit

import httpx2

from panlect.egress import spelt
from panlect.errors import ProviderError
from panlect.llm.chat import (
    Answer,
    ChatRequest,
    Delta,
    Embeddings,
    FinishReason,
    Message,
    Schema,
    ToolCall,
    Usage,
)
from panlect.llm.tokens import estimate_tokens
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.failures import connecting, failed, refused, reported
from panlect.llm.upstreams.sse import Events, TooMuchError
from panlect.llm.upstreams.text import Pieces, whole, whole_json

OWN_URLS = {
    "openai": "https://api.openai.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
}
AZURE_VERSION = "2024-10-21"
_MOST_ANSWER = 16 * 1024 * 1024
_MOST_VECTORS = 64 * 1024 * 1024
_MOST_ERROR = 64 * 1024
_LONGEST_LINE = 2 * 1024 * 1024
_MOST_CALLS = 128
_MOST_TOKENS = 1_000_000_000
_CONNECT_S = 10.0
# Reasoning models refuse a temperature; the family's chat models do not reason.
_NO_SAMPLING = re.compile(r"(o[1-9]|gpt-5)(?!.*-chat)")
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class OpenAIUpstream:
    """One client, many providers. Each call asks once."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def chat(self, request: ChatRequest, target: Target) -> Answer:
        """The whole answer. Raises ProviderError."""
        plan = _plan(request, target)
        body = await self._whole("chat/completions", plan.body, target, _MOST_ANSWER)
        return _answer(_object(body, target), plan, request, target)

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        """Pieces, then the whole answer. Raises ProviderError, also in the middle."""
        plan = _plan(request, target)
        asked = {**plan.body, "stream": True, "stream_options": {"include_usage": True}}
        story = _Story(plan, target)
        async with (
            self._sent("chat/completions", asked, target) as answer,
            aclosing(_events(answer, story, target)) as events,
        ):
            async for event in events:
                for text in story.add(event):
                    yield Delta(text)
        whole = story.whole(request)
        if story.held_back:
            yield Delta(story.held_back)
        yield whole

    async def embed(self, texts: Sequence[str], target: Target) -> Embeddings:
        """Vectors in order. Raises ProviderError when the provider gives others than were asked for."""
        asked = {"model": target.choice.model, "input": list(texts), "encoding_format": "float"}
        found = _object(await self._whole("embeddings", asked, target, _MOST_VECTORS), target)
        vectors = _vectors(found, len(texts), target)
        usage = _usage(found, lambda: Usage(sum(map(estimate_tokens, texts)), 0, estimated=True))
        return Embeddings(vectors, usage, target.choice.provider.name, target.choice.model)

    async def aclose(self) -> None:
        """Give connections back."""
        await self._client.aclose()

    async def _whole(self, path: str, asked: Mapping[str, Any], target: Target, most: int) -> bytes:
        async with self._sent(path, asked, target) as answer:
            return await _bounded(answer, target, most)

    @asynccontextmanager
    async def _sent(
        self, path: str, asked: Mapping[str, Any], target: Target
    ) -> AsyncGenerator[httpx2.Response, None]:
        """The answer to one request, when it is 200; everything else is raised as ProviderError."""
        with connecting(target):
            url, headers = _addressed(path, target)
            patience = httpx2.Timeout(target.timeout_s, connect=min(_CONNECT_S, target.timeout_s))
            content = json.dumps(asked, separators=(",", ":")).encode()
            async with self._client.stream(
                "POST", url, content=content, headers=headers, timeout=patience
            ) as answer:
                if answer.status_code != 200:
                    body = await _bounded(answer, target, _MOST_ERROR, cut=True)
                    raise refused(target, answer.status_code, answer.headers, body)
                yield answer


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is sent, and the tool whose arguments stand for the answer's text ("" for none)."""

    body: Mapping[str, Any]
    schema_tool: str


def _plan(request: ChatRequest, target: Target) -> _Plan:
    provider, facts = target.choice.provider, target.choice.facts
    if request.tools and request.tool_choice != "none" and not facts.tools:
        raise failed(target, "knows no tools", "rejected")
    body: dict[str, Any] = dict(request.extra)
    tools = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools if facts.tools]
    messages, choice, schema_tool = request.messages, request.tool_choice, ""
    if request.schema is not None and facts.json_schema:
        body["response_format"] = _response_format(request.schema)
    elif request.schema is not None and facts.tools and fits_a_tool(request.schema):
        schema_tool = request.schema.name
        tools.append(_tool(schema_tool, "Give the answer.", request.schema.schema))
        choice = "required" if request.tools and choice in ("auto", "required") else schema_tool
    elif request.schema is not None:
        messages = asking_for_json(messages, request.schema)
    if tools:
        body["tools"] = tools
        plain = choice in ("auto", "none", "required")
        body["tool_choice"] = choice if plain else {"type": "function", "function": {"name": choice}}
    else:
        body.pop("parallel_tool_calls", None)
    body["messages"] = [_message(message) for message in messages]
    own = provider.kind in ("openai", "azure")
    settings = {
        "model": target.choice.model,
        "temperature": request.temperature,
        "seed": request.seed,
        "max_completion_tokens" if own else "max_tokens": request.max_tokens,
    }
    body.update({name: value for name, value in settings.items() if value is not None})
    if own and _NO_SAMPLING.match(target.choice.model):
        for name in _SAMPLING:
            body.pop(name, None)
    return _Plan(body, schema_tool)


def asking_for_json(messages: Sequence[Message], schema: Schema) -> tuple[Message, ...]:
    """The messages with a system line that asks for JSON of this shape, in the first system message if there is one."""
    line = f"Answer with one JSON value alone, no other text, that fits this JSON schema: {json.dumps(schema.schema)}"
    if messages and messages[0].role == "system":
        return (Message("system", f"{messages[0].content}\n\n{line}"), *messages[1:])
    return (Message("system", line), *messages)


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": dict(parameters)},
    }


def _response_format(schema: Schema) -> dict[str, Any]:
    shape = {
        "name": schema.name,
        "schema": dict(schema.schema),
        "strict": fits_a_tool(schema) and strict(schema.schema),
    }
    return {"type": "json_schema", "json_schema": shape}


def fits_a_tool(schema: Schema) -> bool:
    """Whether the shape is an object on its face, as a tool's arguments (and strict answers) must be."""
    return schema.schema.get("type") == "object"


def strict(schema: object, depth: int = 0) -> bool:
    """Whether a schema is one that strict mode takes: every object closed, and all of its properties required."""
    if depth > 100:
        return False
    if isinstance(schema, list):
        return all(strict(inner, depth + 1) for inner in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping) or schema.get("type") == "object":
        known = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or set(required or ()) != known:
            return False
    return all(strict(inner, depth + 1) for inner in schema.values())


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        said["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        said["content"] = message.content or None
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return said


def _addressed(path: str, target: Target) -> tuple[str, dict[str, str]]:
    """Where a request goes, and with which headers. Raises EgressRefusedError for an address that is not plain."""
    provider, key = target.choice.provider, target.key
    root = provider.url or OWN_URLS.get(provider.kind, "")
    spelt(root)
    if not (key.isascii() and (key.isprintable() or not key)) or key != key.strip():
        raise failed(target, "has a key with characters that no header takes", "auth")
    headers = {"content-type": "application/json"}
    parts = urlsplit(root)
    base, query = parts.path.rstrip("/"), parts.query
    if provider.kind == "azure":
        headers["api-key"] = key
        if not base.endswith("/openai/v1"):
            query = query or f"api-version={quote(provider.api_version or AZURE_VERSION, safe='')}"
            if "/deployments/" not in base:
                base = (
                    f"{base.removesuffix('/openai')}/openai/deployments/{quote(target.choice.model, safe='')}"
                )
    elif key:
        headers["authorization"] = f"Bearer {key}"
    return urlunsplit((parts.scheme, parts.netloc, f"{base}/{path}", query, "")), headers


async def _bounded(answer: httpx2.Response, target: Target, most: int, *, cut: bool = False) -> bytes:
    body = bytearray()
    try:
        async for block in answer.aiter_raw():
            body += block
            if len(body) > most:
                break
    except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise failed(target, "broke off its answer", "unavailable", why=str(error), billed=not cut) from error
    if len(body) > most and not cut:
        raise failed(target, f"answered with more than {most} bytes", "garbage", billed=True)
    return bytes(body[:most])


async def _events(answer: httpx2.Response, story: _Story, target: Target) -> AsyncGenerator[bytes, None]:
    """The data of each event; ends at [DONE], or when the answer is whole and the connection breaks."""
    events = Events(longest_line=_LONGEST_LINE, most_bytes=_MOST_ANSWER)
    blocks = answer.aiter_raw()
    while True:
        try:
            async with asyncio.timeout(target.timeout_s):
                block = await anext(blocks, None)
            if block is None:
                return
            for data in events.feed(block):
                if data == b"[DONE]":
                    return
                yield data
        except TooMuchError as error:
            raise failed(target, "streams without end", "garbage", why=str(error), billed=True) from error
        except TimeoutError as error:
            if story.ended:
                return
            raise failed(target, "fell silent in mid-stream", "timeout", billed=True) from error
        except httpx2.TransportError as error:
            if story.ended:
                return
            if isinstance(error, httpx2.TimeoutException) or not story.began:
                raise
            raise failed(
                target, "broke off in mid-stream", "cut", why=type(error).__name__, billed=True
            ) from error


@dataclass(slots=True)
class _Story:
    """What a stream has told so far."""

    plan: _Plan
    target: Target
    began: bool = False
    reason: FinishReason | None = None
    usage: Mapping[str, Any] | None = None
    refusal: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    calls: dict[int, list[str]] = field(default_factory=dict)  # id, name, pieces of arguments
    texts: dict[object, Pieces] = field(default_factory=dict)
    held_back: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has said why it ended."""
        return self.reason is not None

    def add(self, event: bytes) -> list[str]:
        """The text that may be shown now. Raises ProviderError for an event that is none."""
        chunk = _object(event, self.target)
        if chunk.get("error") is not None:
            raise reported(self.target, chunk["error"])
        self.began = True
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk
        choices = chunk.get("choices")
        if not choices:
            return []
        choice = _first(choices, self.target)
        shown = self._pieces(choice.get("delta"))
        if choice.get("finish_reason") is not None:
            self.reason = _reason(choice["finish_reason"], self.target)
        return shown

    def _pieces(self, delta: object) -> list[str]:
        if delta is None:
            return []
        if not isinstance(delta, dict):
            raise _garbage(self.target, "a delta is no object")
        shown = []
        if text := self._joined("content", delta.get("content")):
            self.text.append(text)
            # Beside a tool that stands for the answer, prose is the answer only when the tool is not called.
            shown += [] if self.plan.schema_tool else [text]
        if refusal := self._joined("refusal", delta.get("refusal")):
            self.refusal.append(refusal)
        for call in _list(delta.get("tool_calls"), self.target):
            shown += self._call(call)
        return shown

    def _call(self, call: object) -> list[str]:
        if not isinstance(call, dict) or not isinstance(call.get("function") or {}, dict):
            raise _garbage(self.target, "a tool call is no object")
        at = call.get("index", len(self.calls) if call.get("id") else max(self.calls, default=0))
        if not isinstance(at, int) or not 0 <= at < _MOST_CALLS:
            raise _garbage(self.target, "a tool call has no index")
        known = self.calls.setdefault(at, ["", ""])
        function = call.get("function") or {}
        known[0] = known[0] or _text(call.get("id"), self.target)
        known[1] = known[1] or _text(function.get("name"), self.target)
        piece = self._joined(at, function.get("arguments"))
        known.append(piece)
        return [piece] if piece and known[1] == self.plan.schema_tool else []

    def _joined(self, part: object, piece: object) -> str:
        """What a piece of one of the texts adds to it, as far as its last character is whole."""
        return self.texts.setdefault(part, Pieces()).add(_raw(piece, self.target))

    def _rest(self, part: object) -> str:
        return self.texts[part].rest() if part in self.texts else ""

    def whole(self, request: ChatRequest) -> Answer:
        """The answer. Raises ProviderError(cut) when the stream never said why it ended."""
        if not self.began:
            raise _garbage(self.target, "it is no stream of events")
        if self.reason is None:
            raise failed(self.target, "broke off: the stream has no end", "cut", billed=True)
        rests = {part: self._rest(part) for part in self.texts}
        calls = tuple(
            ToolCall(known[0] or f"call_{at}", known[1], "".join(known[2:]) + rests.get(at, ""))
            for at, known in sorted(self.calls.items())
        )
        content, refusal = ("".join(pieces) for pieces in (self.text, self.refusal))
        said = _Said(
            content + rests.get("content", ""), calls, refusal + rests.get("refusal", ""), self.reason
        )
        answer = _made(said, self.usage or {}, self.plan, request, self.target)
        if not self.plan.schema_tool:
            self.held_back = rests.get("content", "")
        elif at_tool := [at for at, known in self.calls.items() if known[1] == self.plan.schema_tool]:
            self.held_back = rests.get(min(at_tool), "")
        else:
            self.held_back = answer.content
        return answer


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer as it came, before a schema's tool is taken for text."""

    content: str
    calls: tuple[ToolCall, ...]
    refusal: str
    reason: FinishReason


def _answer(found: Mapping[str, Any], plan: _Plan, request: ChatRequest, target: Target) -> Answer:
    if found.get("error"):
        raise reported(target, found["error"])  # some proxies answer 200 and an error
    choice = _first(found.get("choices"), target)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _garbage(target, "it has no message")
    calls = []
    for at, call in enumerate(_list(message.get("tool_calls"), target)):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or at >= _MOST_CALLS:
            raise _garbage(target, "a tool call has no name")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # Ollama's own shape
            arguments = json.dumps(arguments)
        calls.append(
            ToolCall(
                _text(call.get("id"), target) or f"call_{at}",
                whole(function["name"]),
                _text(arguments, target),
            )
        )
    reason = _reason(choice.get("finish_reason"), target)
    said = _Said(
        _text(message.get("content"), target), tuple(calls), _text(message.get("refusal"), target), reason
    )
    return _made(said, found, plan, request, target)


def _made(said: _Said, found: Mapping[str, Any], plan: _Plan, request: ChatRequest, target: Target) -> Answer:
    content, calls, reason = said.content, said.calls, said.reason
    shaped = [call for call in calls if plan.schema_tool and call.name == plan.schema_tool]
    if shaped:
        content, calls = shaped[0].arguments, tuple(call for call in calls if call not in shaped)
        reason = "stop" if reason == "tool_calls" and not calls else reason
    if calls and reason == "stop":  # as servers say when the choice was forced
        reason = "tool_calls"
    if reason == "tool_calls" and not calls:
        reason = "stop"
    calls = tuple(replace(call, arguments=whole_json(call.arguments)) for call in calls)
    usage = _usage(found, lambda: estimated(request, said.content, said.calls))
    return Answer(
        content, reason, calls, said.refusal, usage, target.choice.provider.name, target.choice.model
    )


def estimated(request: ChatRequest, content: str, calls: Sequence[ToolCall]) -> Usage:
    """Usage as counted here, where a provider does not say."""
    asked = sum(estimate_tokens(message.content) for message in request.messages)
    asked += sum(
        estimate_tokens(call.arguments) for message in request.messages for call in message.tool_calls
    )
    asked += sum(estimate_tokens(json.dumps(dict(tool.parameters))) for tool in request.tools)
    made = estimate_tokens(content) + sum(estimate_tokens(call.arguments) for call in calls)
    return Usage(asked, made, estimated=True)


def _usage(found: Mapping[str, Any], otherwise: Callable[[], Usage]) -> Usage:
    usage = found.get("usage")
    if not isinstance(usage, dict):
        return otherwise()
    asked, made = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens", 0))
    if not asked or made is None:
        return otherwise()
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(asked, made, min(asked, cached or 0))


def _count(value: object) -> int | None:
    fine = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return cast("int", value) if fine else None


def _garbage(target: Target, why: str) -> ProviderError:
    return failed(target, "answered what cannot be read", "garbage", why=why, billed=True)


def _object(body: bytes, target: Target) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _garbage(target, "it is not JSON") from error
    if not isinstance(found, dict):
        raise _garbage(target, "it is no JSON object")
    return found


def _first(choices: object, target: Target) -> Mapping[str, Any]:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _garbage(target, "it has no choices")
    return choices[0]


def _list(value: object, target: Target) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise _garbage(target, "its tool calls are no list")
    return value or []


def _text(value: object, target: Target) -> str:
    """A text, none, or a list of parts whose texts count; it can be kept and sent on."""
    return whole(_raw(value, target))


def _raw(value: object, target: Target) -> str:
    """The same as it came."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return "".join(part["text"] for part in value if isinstance(part.get("text"), str))
    raise _garbage(target, "a text is none")


def _reason(value: object, target: Target) -> FinishReason:
    reason = _REASONS.get(value.lower()) if isinstance(value, str) else None
    if reason is None:
        raise _garbage(target, "it does not say why it ended")
    return reason


def _vectors(found: Mapping[str, Any], count: int, target: Target) -> tuple[tuple[float, ...], ...]:
    rows = found.get("data")
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
        raise _garbage(target, "it left texts out")
    vectors: list[tuple[float, ...]] = [()] * count
    for at, row in enumerate(rows):
        index, numbers = row.get("index", at), row.get("embedding")
        if not isinstance(index, int) or not 0 <= index < count or vectors[index]:
            raise _garbage(target, "its vectors have no order")
        if not isinstance(numbers, list) or not numbers or not all(_finite(number) for number in numbers):
            raise _garbage(target, "it holds something that is no vector")
        vectors[index] = tuple(float(number) for number in numbers)
    if len({len(vector) for vector in vectors}) > 1:
        raise _garbage(target, "its vectors differ in length")
    return tuple(vectors)


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
