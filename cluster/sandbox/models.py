"""Scripted providers of models: OpenAI, Anthropic and Bedrock on one port, each as good or bad as the model's name says.

`python -m cluster.sandbox.models --port 8500`, then ask for a model by one of the names of BEHAVIOURS, alone or after
the name of a real one (`claude-sonnet-4-5--429`). Plain ASGI without a framework: it is also the stub that a
benchmark of the gateway asks, and must cost less than what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import hashlib
import json
import struct
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import unquote

import uvicorn

BEHAVIOURS: Mapping[str, str] = {
    "ok": "answers `ok`",
    "echo": "answers with the last thing that was said",
    "json": "answers with JSON of the shape that was asked for, as text or by the forced tool",
    "tool": "calls the first tool, or the forced one",
    "prose": "answers with prose whatever tool was forced",
    "length": "stops at the limit of tokens",
    "refusal": "refuses",
    "no-usage": "answers, and does not say what it cost",
    "cached": "answers, half of the prompt from a cache",
    "429": "is at its limit for 2 seconds",
    "500": "fails",
    "auth": "refuses the key",
    "too-long": "finds the prompt too long",
    "rejected": "finds the request wrong",
    "garbage": "answers 200 with a page",
    "empty": "answers 200 with JSON that holds no answer",
    "huge": "answers with more bytes than anybody reads",
    "cut": "ends a stream without saying why; whole answers break off",
    "drop": "breaks the connection in mid-answer",
    "error-in-stream": "reports an error after the first pieces",
    "stall": "says nothing after its headers",
    "slow-first": "answers after 0.3 seconds",
    "endless": "streams for as long as somebody listens",
}
Wire = Literal["openai", "anthropic", "bedrock"]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_MOST_BODY = 64 * 1024 * 1024
_SLOW_S = 0.3
_FOREVER_S = 3600.0
_PIECE = 8
_DIMENSION = 8
_FINISH = {
    "openai": {"stop": "stop", "length": "length", "tool": "tool_calls", "refusal": "content_filter"},
    "anthropic": {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "refusal": "refusal"},
    "bedrock": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool": "tool_use",
        "refusal": "content_filtered",
    },
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as an answer depends on it."""

    wire: Wire
    path: str
    model: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    stream: bool = False
    last: str = ""  # what was said last
    tools: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    forced: str = ""  # the tool that must be called; "*": any
    schema: Mapping[str, Any] | None = None

    @property
    def behaviour(self) -> str:
        """How to answer, from the model's name."""
        return self.model.rpartition("--")[2].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, whatever wire it goes out on."""

    text: str = ""
    tool: str = ""
    arguments: str = ""
    finish: Literal["stop", "length", "tool", "refusal"] = "stop"
    tokens: tuple[int, int, int] | None = (0, 0, 0)  # input, output, of the input from a cache


Script = Callable[[Asked], "Said | str"]


class Providers:
    """The application. `asked` keeps the last requests; `script` answers in place of the names, where it is given.

    `tap` is told what is sent: the request it answers, and each message of the answer.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.asked: deque[Asked] = deque(maxlen=256)
        self.tap: Callable[[Asked, Mapping[str, Any]], None] | None = None
        self._script = script
        self._instant = _json_answer(
            _openai_whole(Asked("openai", "", "ok", {}), Said("ok", tokens=(10, 1, 0)))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        body = await _read(receive)
        if path.endswith("/models"):
            rows = [{"id": name, "object": "model", "owned_by": "sandbox"} for name in BEHAVIOURS]
            await _answer(send, _json_answer({"object": "list", "data": rows}))
            return
        try:
            asked = _asked(scope, body)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            problem = {"error": {"message": "The request cannot be read.", "type": "invalid_request_error"}}
            await _answer(send, _json_answer(problem), 400)
            return
        self.asked.append(asked)
        if self.tap is not None:
            send = _tapped(send, asked, self.tap)
        if (
            asked.model == "ok"
            and self._script is None
            and path.endswith("/chat/completions")
            and not asked.stream
        ):
            await _answer(send, self._instant)
            return
        await self._answered(asked, receive, send)

    async def _answered(self, asked: Asked, receive: Receive, send: Send) -> None:
        how = asked.behaviour
        if how in _REFUSALS:
            status, headers = _REFUSALS[how]
            await _answer(
                send, _json_answer(_refusal(asked, how)), status, {**headers, **_error_type(asked, how)}
            )
        elif how == "garbage":
            await _answer(
                send, (b"text/html", b"<html><body>Welcome to the Wi-Fi of this hotel</body></html>")
            )
        elif how == "empty":
            await _answer(send, _json_answer({"choices": [], "data": [], "content": [], "usage": {}}))
        elif asked.path.endswith("/embeddings"):
            await _answer(send, _json_answer(_embeddings(asked)))
        else:
            if how == "slow-first":
                await asyncio.sleep(_SLOW_S)
            said = self._says(asked)
            writer = _streamed(asked, said) if asked.stream else _whole(asked, said)
            await _send_all(asked, writer, receive, send)

    def _says(self, asked: Asked) -> Said:
        said = self._script(asked) if self._script is not None else _by_name(asked)
        if isinstance(said, str):
            said = Said(said)
        if said.tokens == (0, 0, 0):
            size = len(json.dumps(asked.body)) // 4
            cached = size // 2 if asked.behaviour == "cached" else 0
            said = replace(said, tokens=(size, len(said.text + said.arguments) // 4 + 1, cached))
        return said


def _by_name(asked: Asked) -> Said:
    how = asked.behaviour
    tools = dict(asked.tools)
    if how == "echo":
        return Said(asked.last)
    if how == "length":
        return Said("This was going to be a much longer ans", finish="length")
    if how == "refusal":
        return Said("I cannot help with that.", finish="refusal")
    if how == "no-usage":
        return Said("ok", tokens=None)
    if how == "endless":
        return Said("and so on ")
    if tools and (how == "tool" or (how == "json" and asked.forced)):
        name = asked.forced if asked.forced in tools else next(iter(tools))
        return Said(tool=name, arguments=json.dumps(example(tools[name])), finish="tool")
    if how == "json":
        return Said(json.dumps(example(asked.schema or {})))
    if how in ("prose", "cut", "drop", "error-in-stream"):
        return Said("Once upon a time there was a pull request that nobody had read to its end.")
    return Said("ok")


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A value that fits a JSON schema of the usual kind."""
    root = schema if root is None else root
    if depth > 20:
        return None
    if isinstance(ref := schema.get("$ref"), str):
        found: Any = root
        for step in filter(None, ref.removeprefix("#").split("/")):
            found = found[step]
        return example(found, root, depth + 1)
    for choice in ("const", "default"):
        if choice in schema:
            return schema[choice]
    if schema.get("enum"):
        return schema["enum"][0]
    for choices in ("anyOf", "oneOf", "allOf"):
        if schema.get(choices):
            return example(schema[choices][0], root, depth + 1)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example(inner, root, depth + 1) for name, inner in properties.items()}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}), root, depth + 1)]
    return {"string": "text", "integer": schema.get("minimum", 1), "number": 0.5, "boolean": True}.get(kind)


# Requests


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > _MOST_BODY:
            return bytes(body)


def _asked(scope: Scope, body: bytes) -> Asked:
    path: str = scope["path"]
    found = json.loads(body)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if path.endswith("/messages"):
        return _asked_of_anthropic(path, headers, found)
    if "/model/" in path:
        return _asked_of_bedrock(path, headers, found)
    model = found.get("model", "")
    if "/deployments/" in path:  # Azure's
        model = unquote(path.split("/deployments/")[1].split("/", maxsplit=1)[0])
    messages = found.get("messages") or [{}]
    tools = [(t["function"]["name"], t["function"].get("parameters") or {}) for t in found.get("tools", [])]
    choice = found.get("tool_choice")
    forced = choice["function"]["name"] if isinstance(choice, dict) else "*" if choice == "required" else ""
    shape = (found.get("response_format") or {}).get("json_schema", {}).get("schema")
    return Asked(
        "openai",
        path,
        str(model),
        found,
        headers,
        stream=found.get("stream") is True,
        last=_plain(messages[-1].get("content")),
        tools=tuple(tools),
        forced=forced,
        schema=shape,
    )


def _asked_of_anthropic(path: str, headers: Mapping[str, str], found: Mapping[str, Any]) -> Asked:
    choice = found.get("tool_choice") or {}
    forced = choice.get("name", "*") if choice.get("type") in ("tool", "any") else ""
    shape = ((found.get("output_config") or {}).get("format") or found.get("output_format") or {}).get(
        "schema"
    )
    return Asked(
        "anthropic",
        path,
        str(found["model"]),
        found,
        headers,
        stream=found.get("stream") is True,
        last=_plain(found["messages"][-1]["content"]),
        tools=tuple((tool["name"], tool.get("input_schema", {})) for tool in found.get("tools", [])),
        forced=forced,
        schema=shape,
    )


def _asked_of_bedrock(path: str, headers: Mapping[str, str], found: Mapping[str, Any]) -> Asked:
    model = unquote(path.split("/model/")[1].rpartition("/")[0])
    tools = found.get("toolConfig") or {}
    choice = tools.get("toolChoice") or {}
    forced = choice["tool"]["name"] if "tool" in choice else "*" if "any" in choice else ""
    structure = ((found.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
    shape = structure.get("jsonSchema", {}).get("schema")
    specs = [tool["toolSpec"] for tool in tools.get("tools", []) if "toolSpec" in tool]
    return Asked(
        "bedrock",
        path,
        model,
        found,
        headers,
        stream=path.endswith("/converse-stream"),
        last=_plain(found["messages"][-1]["content"]),
        tools=tuple((spec["name"], spec["inputSchema"]["json"]) for spec in specs),
        forced=forced,
        schema=json.loads(shape) if isinstance(shape, str) else shape,
    )


def _plain(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


# Refusals

_REFUSALS: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "429": (429, {"retry-after": "2"}),
    "500": (500, {}),
    "auth": (401, {}),
    "too-long": (400, {}),
    "rejected": (400, {}),
}
_WORDS = {
    "429": ("rate_limit_error", "ThrottlingException", "Too many requests: wait 2 s."),
    "500": ("api_error", "InternalServerException", "The model is on fire."),
    "auth": ("authentication_error", "UnrecognizedClientException", "Incorrect API key: {key}."),
    "rejected": ("invalid_request_error", "ValidationException", "Unknown parameter: 'colour'."),
}
_TOO_LONG = {
    "openai": "This model's maximum context length is 8192 tokens, but 9000 were sent.",
    "anthropic": "prompt is too long: 9000 tokens > 8192 maximum",
    "bedrock": "Input is too long for requested model.",
}


def _refusal(asked: Asked, how: str) -> dict[str, Any]:
    kind, _, words = _WORDS.get(how, ("invalid_request_error", "ValidationException", ""))
    if how == "too-long":
        words = _TOO_LONG[asked.wire]
    sent = (
        asked.headers.get("x-api-key")
        or asked.headers.get("api-key")
        or asked.headers.get("authorization", "")
    )
    words = words.replace("{key}", sent.removeprefix("Bearer "))
    if asked.wire == "bedrock":
        return {"message": words}
    if asked.wire == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": words}}
    code = "context_length_exceeded" if how == "too-long" else None
    return {"error": {"message": words, "type": kind, "param": None, "code": code}}


def _error_type(asked: Asked, how: str) -> dict[str, str]:
    kind = _WORDS.get(how, _WORDS["rejected"])[1]
    return {"x-amzn-errortype": kind} if asked.wire == "bedrock" else {}


# Whole answers


async def _whole(asked: Asked, said: Said) -> AsyncIterator[bytes]:
    write = {"openai": _openai_whole, "anthropic": _anthropic_whole, "bedrock": _bedrock_whole}[asked.wire]
    body = json.dumps(write(asked, said)).encode()
    if asked.behaviour in ("cut", "drop"):
        yield body[: len(body) // 2]
        return
    yield body
    if asked.behaviour == "huge":
        for _ in range(96):
            yield b" " * (1024 * 1024)


def _openai_whole(asked: Asked, said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
    if said.finish == "refusal":
        message = {"role": "assistant", "content": None, "refusal": said.text}
    if said.tool:
        message["tool_calls"] = [_openai_call(said)]
    choice = {"index": 0, "message": message, "finish_reason": _FINISH["openai"][said.finish]}
    return {
        "id": "chatcmpl-sandbox",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": asked.model,
        "choices": [choice],
        **({"usage": _openai_usage(said)} if said.tokens else {}),
    }


def _openai_call(said: Said) -> dict[str, Any]:
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": said.tool, "arguments": said.arguments},
    }


def _openai_usage(said: Said) -> dict[str, Any]:
    asked, made, cached = said.tokens or (0, 0, 0)
    return {
        "prompt_tokens": asked,
        "completion_tokens": made,
        "total_tokens": asked + made,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _anthropic_usage(said: Said) -> dict[str, int]:
    asked, made, cached = said.tokens or (0, 0, 0)
    return {"input_tokens": asked - cached, "output_tokens": made, "cache_read_input_tokens": cached}


def _anthropic_whole(asked: Asked, said: Said) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": said.text}] if said.text else []
    if said.tool:
        content.append(
            {"type": "tool_use", "id": "toolu_1", "name": said.tool, "input": json.loads(said.arguments)}
        )
    return {
        "id": "msg_sandbox",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": _FINISH["anthropic"][said.finish],
        "stop_sequence": None,
        "usage": _anthropic_usage(said),
    }


def _bedrock_usage(said: Said) -> dict[str, int]:
    asked, made, cached = said.tokens or (0, 0, 0)
    return {
        "inputTokens": asked - cached,
        "outputTokens": made,
        "totalTokens": asked + made,
        "cacheReadInputTokens": cached,
    }


def _bedrock_whole(asked: Asked, said: Said) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"text": said.text}] if said.text else []
    if said.tool:
        use = {"toolUseId": "tooluse_1", "name": said.tool, "input": json.loads(said.arguments)}
        content.append({"toolUse": use})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _FINISH["bedrock"][said.finish],
        "usage": _bedrock_usage(said),
        "metrics": {"latencyMs": 1},
    }


# Streams


async def _streamed(asked: Asked, said: Said) -> AsyncIterator[bytes]:
    write = {"openai": _openai_stream, "anthropic": _anthropic_stream, "bedrock": _bedrock_stream}[asked.wire]
    for at, block in enumerate(write(asked, said)):
        yield block
        if at == 3 and asked.behaviour in ("cut", "drop"):
            return
        if at == 3 and asked.behaviour == "error-in-stream":
            yield _error_in_stream(asked)
            return


def _pieces(asked: Asked, text: str) -> Iterator[str]:
    while asked.behaviour == "endless":
        yield text
    for at in range(0, len(text), _PIECE):
        yield text[at : at + _PIECE]


def _event(found: Mapping[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(found)}\n\n".encode()


def _openai_stream(asked: Asked, said: Said) -> Iterator[bytes]:
    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(
            {
                "id": "chatcmpl-sandbox",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": asked.model,
                "choices": [choice],
            }
        )

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(asked, said.text):
        yield chunk({"refusal" if said.finish == "refusal" else "content": piece})
    if said.tool:
        call = _openai_call(said)
        yield chunk({"tool_calls": [{**call, "index": 0, "function": {"name": said.tool, "arguments": ""}}]})
        for piece in _pieces(asked, said.arguments):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, _FINISH["openai"][said.finish])
    if said.tokens and (asked.body.get("stream_options") or {}).get("include_usage"):
        yield _event(
            {
                "object": "chat.completion.chunk",
                "model": asked.model,
                "choices": [],
                "usage": _openai_usage(said),
            }
        )
    yield b"data: [DONE]\n\n"


def _anthropic_stream(asked: Asked, said: Said) -> Iterator[bytes]:
    def event(name: str, **rest: Any) -> bytes:
        return _event({"type": name, **rest}, name)

    start = {**_anthropic_whole(asked, replace(said, text="", tool="")), "stop_reason": None}
    yield event("message_start", message=start)
    if said.text:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in _pieces(asked, said.text):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", index=0)
    if said.tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": said.tool, "input": {}}
        yield event("content_block_start", index=1, content_block=block)
        for piece in _pieces(asked, said.arguments):
            yield event(
                "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece}
            )
        yield event("content_block_stop", index=1)
    reason = {"stop_reason": _FINISH["anthropic"][said.finish], "stop_sequence": None}
    yield event("message_delta", delta=reason, usage={"output_tokens": (said.tokens or (0, 1, 0))[1]})
    yield event("message_stop")


def _bedrock_stream(asked: Asked, said: Said) -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for piece in _pieces(asked, said.text):
        yield frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
    if said.text:
        yield frame("contentBlockStop", {"contentBlockIndex": 0})
    if said.tool:
        use = {"toolUse": {"toolUseId": "tooluse_1", "name": said.tool}}
        yield frame("contentBlockStart", {"contentBlockIndex": 1, "start": use})
        for piece in _pieces(asked, said.arguments):
            yield frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}})
        yield frame("contentBlockStop", {"contentBlockIndex": 1})
    yield frame("messageStop", {"stopReason": _FINISH["bedrock"][said.finish]})
    yield frame("metadata", {"usage": _bedrock_usage(said), "metrics": {"latencyMs": 1}})


def frame(event: str, payload: Mapping[str, Any], kind: str = "event") -> bytes:
    """One message of the AWS event stream: lengths, headers, payload, and two checksums."""
    named = ":event-type" if kind == "event" else ":exception-type"
    headers = b""
    for name, value in ((":message-type", kind), (named, event), (":content-type", "application/json")):
        headers += (
            struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack("!I", binascii.crc32(message))


def _error_in_stream(asked: Asked) -> bytes:
    if asked.wire == "bedrock":
        return frame("modelStreamErrorException", {"message": "The model broke off."}, "exception")
    if asked.wire == "anthropic":
        error = {"type": "overloaded_error", "message": "The model broke off."}
        return _event({"type": "error", "error": error}, "error")
    return _event({"error": {"message": "The model broke off.", "type": "server_error", "code": None}})


def _embeddings(asked: Asked) -> dict[str, Any]:
    texts = asked.body.get("input")
    texts = [texts] if isinstance(texts, str) else texts or []
    dimension = asked.body.get("dimensions") or _DIMENSION
    rows = []
    for at, text in enumerate(texts):
        vector = _vector(str(text), dimension)
        packed: Any = vector
        if asked.body.get("encoding_format") == "base64":
            packed = base64.b64encode(struct.pack(f"<{dimension}f", *vector)).decode()
        rows.append({"object": "embedding", "index": at, "embedding": packed})
    tokens = sum(len(str(text)) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": asked.model, "usage": usage}


def _vector(text: str, dimension: int) -> list[float]:
    """Numbers that the text decides, of length one."""
    made = hashlib.shake_128(text.encode(errors="replace")).digest(dimension)
    numbers = [byte - 127.5 for byte in made]
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]


# ASGI


def _json_answer(found: Mapping[str, Any]) -> tuple[bytes, bytes]:
    return b"application/json", json.dumps(found).encode()


async def _answer(
    send: Send, answer: tuple[bytes, bytes], status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    kind, body = answer
    said = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    said += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": body})


async def _send_all(asked: Asked, blocks: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    kind = "application/json"
    if asked.stream:
        kind = "application/vnd.amazon.eventstream" if asked.wire == "bedrock" else "text/event-stream"
    headers = [(b"content-type", kind.encode())]
    if asked.behaviour == "stall" and not asked.stream:
        await _until_gone(receive)
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if asked.behaviour == "stall":
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await _until_gone(receive)
        return
    gone = asyncio.ensure_future(_until_gone(receive)) if asked.behaviour in ("endless", "huge") else None
    try:
        async for block in blocks:
            await send({"type": "http.response.body", "body": block, "more_body": True})
            if gone is not None:
                await asyncio.sleep(0.001)
                if gone.done():
                    return
    finally:
        if gone is not None:
            gone.cancel()
    if asked.behaviour != "drop":
        await send({"type": "http.response.body", "body": b""})


def _tapped(send: Send, asked: Asked, tap: Callable[[Asked, Mapping[str, Any]], None]) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        tap(asked, message)
        await send(message)

    return sending


async def _until_gone(receive: Receive) -> None:
    """Until the client has gone, or an hour has passed."""
    try:
        async with asyncio.timeout(_FOREVER_S):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@dataclass(frozen=True, slots=True)
class Running:
    """Providers that listen. OpenAI's address ends in /v1; the others' has no path."""

    app: Providers
    port: int

    @property
    def root(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def allow(self) -> str:
        """What the egress guard must let through."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def running(script: Script | None = None, port: int = 0) -> Iterator[Running]:
    """Scripted providers on loopback, in a thread, until the block ends."""
    app = Providers(script)
    server = uvicorn.Server(_config(app, port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError(f"Port {port} cannot be listened to.")
        time.sleep(0.005)
    try:
        yield Running(app, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _config(app: Providers, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )


def main() -> None:
    """Serve until stopped, on loopback only."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.sandbox.models",
        description="OpenAI, Anthropic and Bedrock as scripts: the model's name says how they answer.",
        epilog="; ".join(f"{name}: {what}" for name, what in BEHAVIOURS.items()),
    )
    parser.add_argument("--port", type=int, default=8500)
    uvicorn.Server(_config(Providers(), parser.parse_args().port)).run()


if __name__ == "__main__":
    main()
