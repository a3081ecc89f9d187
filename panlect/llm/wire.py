"""The OpenAI wire as others speak it to us: bytes to a ChatRequest, an Answer to JSON, pieces to events. No I/O.

Nothing that comes in is believed: sizes, counts and depths are bounded, and what is wrong is named with its field.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from panlect.errors import (
    BadInputError,
    BudgetExhaustedError,
    ConfigurationError,
    DatabaseError,
    ModelUnavailableError,
    NoModelError,
    NotAuthorisedError,
    PanlectError,
    ProviderError,
)
from panlect.llm.chat import Answer, ChatRequest, Embeddings, Message, Schema, Tool, ToolCall

MOST_MESSAGES = 4096
MOST_TOOLS = 128
MOST_CALLS = 128
MOST_PARTS = 1024
MOST_TEXTS = 2048
DEEPEST_SCHEMA = 64
_MOST_NODES = 20_000
_MOST_STOPS = 16
_MOST_TOKENS = 1_000_000
_MOST_DIMENSIONS = 8192
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,299}")
_CHOICES = ("auto", "none", "required")
_ROLES: Mapping[str, Literal["system", "user", "assistant", "tool"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
# What does not change an answer here, or says what holds anyway.
_IGNORED = frozenset(
    ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
     "top_logprobs", "verbosity")
)  # fmt: skip
_NOT_HERE: Mapping[str, str] = {
    "functions": "Use tools.",
    "function_call": "Use tool_choice.",
    "audio": "Only text is asked for here.",
    "modalities": "Only text is asked for here.",
    "logit_bias": "Leave it out.",
    "prediction": "Leave it out.",
    "web_search_options": "Leave it out.",
    "logprobs": "Leave it out.",
}


class BadFieldError(BadInputError):
    """One field of a request is wrong: `field` says which, as in `messages[2].content`."""

    def __init__(self, name: str, what: str, *, fix: str = "") -> None:
        super().__init__(f"`{name}` {what}.", fix=fix)
        self.field = name


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chat request, and how its answer is to be sent."""

    request: ChatRequest
    stream: bool = False
    include_usage: bool = False


@dataclass(frozen=True, slots=True)
class WantedVectors:
    """Texts to embed, how their vectors are to be sent, and how long they must be (None: as the model makes them)."""

    model: str
    texts: tuple[str, ...]
    packed: bool = False
    dimensions: int | None = None


def parse_chat(body: bytes) -> Wanted:
    """The request in a body of /v1/chat/completions. Raises BadFieldError for the first thing that is wrong."""
    found = _body(body)
    for name, fix in _NOT_HERE.items():
        if found.get(name) not in (None, False, [], {}) and found.get(name) != ["text"]:
            raise BadFieldError(name, "is not understood here", fix=fix)
    if _integer(found, "n", 1, 128) not in (None, 1):
        raise BadFieldError("n", "is more than 1", fix="Ask once for each answer.")
    extra = _extra(found)
    tools = _tools(found)
    schema = _schema(found, extra)
    options = _mapping(found, "stream_options")
    request = ChatRequest(
        model=_model(found),
        messages=_messages(found),
        tools=tools,
        tool_choice=_tool_choice(found, tools),
        schema=schema,
        temperature=_number(found, "temperature", 0, 2),
        max_tokens=_max_tokens(found),
        seed=_integer(found, "seed", -(2**63), 2**63 - 1),
        extra=extra,
    )
    known = _KNOWN | _IGNORED | set(_NOT_HERE)
    if unknown := sorted(name for name in found if name not in known):
        raise BadFieldError(unknown[0][:80], "is not a known parameter", fix="Leave it out.")
    stream = _flag(found, "stream") or False
    return Wanted(request, stream, stream and options.get("include_usage") is True)


def parse_embeddings(body: bytes) -> WantedVectors:
    """The request in a body of /v1/embeddings. Raises BadFieldError for the first thing that is wrong."""
    found = _body(body)
    sent = found.get("input")
    texts = [sent] if isinstance(sent, str) else sent
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadFieldError(
            "input", "is no text and no list of texts", fix="Send texts; tokens are not understood."
        )
    if len(texts) > MOST_TEXTS:
        raise BadFieldError("input", f"has more than {MOST_TEXTS} texts", fix="Send several requests.")
    if not all(texts):
        raise BadFieldError("input", "has an empty text", fix="Leave it out.")
    form = found.get("encoding_format")
    if form not in (None, "float", "base64"):
        raise BadFieldError("encoding_format", "is not known", fix="Use float or base64.")
    dimensions = _integer(found, "dimensions", 1, _MOST_DIMENSIONS)
    for at, text in enumerate(texts):
        _clean(text, f"input[{at}]")
    return WantedVectors(_model(found), tuple(texts), form == "base64", dimensions)


def checked_dimensions(made: Embeddings, wanted: WantedVectors) -> None:
    """Refuse vectors of another length than was asked for, since the role's model decides it. Raises BadFieldError."""
    length = len(made.vectors[0]) if made.vectors else 0
    if wanted.dimensions is not None and made.vectors and length != wanted.dimensions:
        what = f"is {wanted.dimensions}, but {_named(made.provider, made.model)} makes vectors of {length}"
        raise BadFieldError("dimensions", what, fix=f"Leave it out, or ask for {length}.")


def _body(body: bytes) -> dict[str, Any]:
    def constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        found = json.loads(body, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise BadFieldError("body", "is not JSON", fix="Send one JSON object.") from error
    if not isinstance(found, dict):
        raise BadFieldError("body", "is no JSON object", fix="Send one JSON object.")
    return found


def _model(found: Mapping[str, Any]) -> str:
    model = found.get("model")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        fix = "Name a role (review, ask, embed, ...) or provider/model; GET /v1/models lists them."
        raise BadFieldError("model", "is no model's name", fix=fix)
    return model


def _messages(found: Mapping[str, Any]) -> tuple[Message, ...]:
    sent = found.get("messages")
    if not isinstance(sent, list) or not sent:
        raise BadFieldError("messages", "is no list of messages", fix="Send at least one.")
    if len(sent) > MOST_MESSAGES:
        raise BadFieldError("messages", f"has more than {MOST_MESSAGES} messages", fix="Send fewer.")
    open_calls: set[str] = set()
    messages = []
    for at, message in enumerate(sent):
        name = f"messages[{at}]"
        made = _message(message, name)
        open_calls |= {call.id for call in made.tool_calls}
        if made.role == "tool" and made.tool_call_id not in open_calls:
            raise BadFieldError(
                f"{name}.tool_call_id", "answers no call", fix="Send the assistant's call before it."
            )
        messages.append(made)
    return tuple(messages)


def _message(message: object, name: str) -> Message:
    if not isinstance(message, dict):
        raise BadFieldError(name, "is no object", fix='Send {"role": ..., "content": ...}.')
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise BadFieldError(
            f"{name}.role", "is not known", fix="Use system, developer, user, assistant or tool."
        )
    if message.get("audio") is not None or message.get("function_call") is not None:
        raise BadFieldError(name, "holds audio or a function call", fix="Send text, and tool_calls.")
    calls = _calls(message, name) if role == "assistant" else ()
    content = message.get("content")
    if content is None and role == "assistant" and (calls or isinstance(message.get("refusal"), str)):
        content = message.get("refusal") or ""
    answers = message.get("tool_call_id")
    if role == "tool" and not (isinstance(answers, str) and 0 < len(answers) <= 200):
        raise BadFieldError(f"{name}.tool_call_id", "is missing", fix="Say which call this answers.")
    return Message(
        role=role,
        content=_content(content, f"{name}.content"),
        tool_calls=calls,
        tool_call_id=_clean(str(answers), f"{name}.tool_call_id") if role == "tool" else "",
    )


def _content(content: object, name: str) -> str:
    if isinstance(content, str):
        return _clean(content, name)
    if not isinstance(content, list) or not content:
        raise BadFieldError(name, "is no text", fix="Send a text, or a list of text parts.")
    if len(content) > MOST_PARTS:
        raise BadFieldError(name, f"has more than {MOST_PARTS} parts", fix="Send fewer.")
    texts = []
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind in ("image_url", "input_audio", "file", "image", "video_url"):
            raise BadFieldError(
                f"{name}[{at}]", f"is a part of the type {kind}", fix="Only text is understood here."
            )
        text = part.get("text") if isinstance(part, dict) and kind in ("text", "refusal") else None
        text = part.get("refusal") if isinstance(part, dict) and kind == "refusal" else text
        if not isinstance(text, str):
            raise BadFieldError(f"{name}[{at}]", "is no text part", fix='Send {"type": "text", "text": ...}.')
        texts.append(_clean(text, f"{name}[{at}].text"))
    return "\n".join(texts)


def _calls(message: Mapping[str, Any], name: str) -> tuple[ToolCall, ...]:
    sent = message.get("tool_calls")
    if sent is None:
        return ()
    if not isinstance(sent, list) or len(sent) > MOST_CALLS:
        raise BadFieldError(f"{name}.tool_calls", f"is no list of at most {MOST_CALLS} calls")
    calls = []
    for at, call in enumerate(sent):
        where = f"{name}.tool_calls[{at}]"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type", "function") != "function":
            raise BadFieldError(
                where, "is no call of a function", fix='Send {"id", "type": "function", "function"}.'
            )
        call_id, tool, arguments = call.get("id"), function.get("name"), function.get("arguments", "")
        if not isinstance(call_id, str) or not 0 < len(call_id) <= 200:
            raise BadFieldError(f"{where}.id", "is missing", fix="Send the id that the answer had.")
        if not isinstance(tool, str) or not _NAME.fullmatch(tool):
            raise BadFieldError(
                f"{where}.function.name", "is no tool's name", fix="Use letters, digits, _ and -."
            )
        if not isinstance(arguments, str):
            raise BadFieldError(f"{where}.function.arguments", "is no text", fix="Send JSON as a text.")
        calls.append(
            ToolCall(_clean(call_id, f"{where}.id"), tool, _clean(arguments, f"{where}.function.arguments"))
        )
    return tuple(calls)


def _tools(found: Mapping[str, Any]) -> tuple[Tool, ...]:
    sent = found.get("tools")
    if sent is None:
        return ()
    if not isinstance(sent, list) or len(sent) > MOST_TOOLS:
        raise BadFieldError("tools", f"is no list of at most {MOST_TOOLS} tools")
    tools: list[Tool] = []
    for at, tool in enumerate(sent):
        where = f"tools[{at}]"
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            raise BadFieldError(where, "is no function", fix='Send {"type": "function", "function": {...}}.')
        name, description = function.get("name"), function.get("description") or ""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _CHOICES:
            fix = "Use letters, digits, _ and -; not auto, none or required."
            raise BadFieldError(f"{where}.function.name", "is no tool's name", fix=fix)
        if name in {known.name for known in tools}:
            raise BadFieldError(f"{where}.function.name", "is there twice", fix="Name each tool once.")
        if not isinstance(description, str):
            raise BadFieldError(f"{where}.function.description", "is no text")
        shape = function.get("parameters")
        parameters = {"type": "object", "properties": {}} if shape is None else shape
        tools.append(
            Tool(
                name,
                _clean(description, f"{where}.function.description"),
                _shape(parameters, f"{where}.function.parameters"),
            )
        )
    return tuple(tools)


def _tool_choice(found: Mapping[str, Any], tools: Sequence[Tool]) -> str:
    choice = found.get("tool_choice")
    if choice is None:
        return "auto"
    if isinstance(choice, str) and choice in _CHOICES:
        if choice == "required" and not tools:
            raise BadFieldError("tool_choice", "requires a tool and there is none", fix="Send tools.")
        return choice
    function = (
        choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    )
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or name not in {tool.name for tool in tools}:
        raise BadFieldError(
            "tool_choice", "names no tool of this request", fix="Use auto, none, required or a tool."
        )
    return name


def _schema(found: Mapping[str, Any], extra: dict[str, Any]) -> Schema | None:
    form = _mapping(found, "response_format")
    if not form or form.get("type") == "text":
        return None
    if form.get("type") == "json_object":
        extra["response_format"] = {"type": "json_object"}
        return None
    shape = form.get("json_schema")
    if form.get("type") != "json_schema" or not isinstance(shape, dict):
        raise BadFieldError("response_format", "is not known", fix="Use text, json_object or json_schema.")
    name = shape.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _CHOICES:
        raise BadFieldError(
            "response_format.json_schema.name", "is no name", fix="Use letters, digits, _ and -."
        )
    return Schema(name, _shape(shape.get("schema"), "response_format.json_schema.schema"))


def _shape(schema: object, name: str) -> dict[str, Any]:
    """A JSON schema of bounded size. What it means is the provider's business."""
    if not isinstance(schema, dict):
        raise BadFieldError(name, "is no JSON schema", fix='Send {"type": "object", ...}.')
    left = _MOST_NODES
    level: list[object] = [schema]
    for _ in range(DEEPEST_SCHEMA):
        below: list[object] = []
        for node in level:
            if isinstance(node, dict):
                below += node.values()
                for key in node:
                    _clean(key, name)
            elif isinstance(node, list):
                below += node
            elif isinstance(node, str):
                _clean(node, name)
            elif isinstance(node, float) and not math.isfinite(node):
                raise BadFieldError(name, "holds a number that is none")
        left -= len(below)
        if left < 0:
            raise BadFieldError(name, f"has more than {_MOST_NODES} parts", fix="Send a smaller schema.")
        if not below:
            return schema
        level = below
    raise BadFieldError(name, f"is deeper than {DEEPEST_SCHEMA} levels", fix="Send a flatter schema.")


def _extra(found: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
    extra: dict[str, Any] = {name: _number(found, name, low, high) for name, (low, high) in numbers.items()}
    extra["parallel_tool_calls"] = _flag(found, "parallel_tool_calls")
    effort = found.get("reasoning_effort")
    if effort is not None and (not isinstance(effort, str) or effort not in _EFFORTS):
        raise BadFieldError("reasoning_effort", "is not known", fix=f"Use one of {', '.join(_EFFORTS)}.")
    extra["reasoning_effort"] = effort
    stop = found.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None:
        fine = isinstance(stops, list) and len(stops) <= _MOST_STOPS
        if not fine or not all(isinstance(one, str) and 0 < len(one) <= 500 for one in stops):
            raise BadFieldError(
                "stop", "is no text and no short list of texts", fix=f"Send at most {_MOST_STOPS}."
            )
        extra["stop"] = [_clean(one, "stop") for one in stops] or None
    return {name: value for name, value in extra.items() if value is not None}


_KNOWN = frozenset(
    ("model", "messages", "tools", "tool_choice", "response_format", "temperature", "max_tokens",
     "max_completion_tokens", "seed", "n", "stream", "stream_options", "top_p", "presence_penalty",
     "frequency_penalty", "parallel_tool_calls", "reasoning_effort", "stop")
)  # fmt: skip


def _max_tokens(found: Mapping[str, Any]) -> int | None:
    one = _integer(found, "max_completion_tokens", 1, _MOST_TOKENS)
    other = _integer(found, "max_tokens", 1, _MOST_TOKENS)
    if one is not None and other is not None and one != other:
        raise BadFieldError("max_tokens", "differs from max_completion_tokens", fix="Send one of them.")
    return one if one is not None else other


def _integer(found: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = found.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadFieldError(name, f"is no whole number from {low} to {high}")
    return value


def _number(found: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = found.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadFieldError(name, f"is no number from {low} to {high}")
    return float(value)


def _flag(found: Mapping[str, Any], name: str) -> bool | None:
    value = found.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadFieldError(name, "is neither true nor false")
    return value


def _mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadFieldError(name, "is no object")
    return value or {}


def _clean(text: str, name: str) -> str:
    """The text, when it is one that can be stored and sent: no halves of characters, no NUL."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadFieldError(name, "holds half a character", fix="Send valid Unicode.") from error
    if "\x00" in text:
        raise BadFieldError(name, "holds a NUL character", fix="Leave it out.")
    return text


# Answers


def answer_json(answer: Answer, created: int) -> dict[str, Any]:
    """An answer as /v1/chat/completions gives it; what OpenAI has no field for stands under `panlect`."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.content or None, "refusal": None}
    if answer.refusal:
        message["refusal"] = answer.refusal
    elif not answer.tool_calls:
        message["content"] = answer.content
    if answer.tool_calls:
        message["tool_calls"] = [_call_json(call) for call in answer.tool_calls]
    return {
        "id": _id(answer.call_id),
        "object": "chat.completion",
        "created": created,
        "model": _named(answer.provider, answer.model),
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        ],
        "usage": _usage_json(answer),
        "panlect": _ours(answer),
    }


def answer_headers(answer: Answer | Embeddings) -> dict[str, str]:
    """Who answered, at what cost, and instead of whom."""
    said = {
        "x-panlect-call-id": str(answer.call_id or ""),
        "x-panlect-cost-microusd": "" if answer.cost_microusd is None else str(answer.cost_microusd),
        "x-panlect-provider": answer.provider,
        "x-panlect-model": answer.model,
        "x-panlect-degraded": answer.degraded if isinstance(answer, Answer) else "",
    }
    return {name: _for_header(value) for name, value in said.items() if value}


def _for_header(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]+", " ", text).strip()[:500]


def _call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage_json(answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _ours(answer: Answer) -> dict[str, Any]:
    return {
        "call_id": str(answer.call_id) if answer.call_id else None,
        "cost_microusd": answer.cost_microusd,
        "provider": answer.provider,
        "model": answer.model,
        "cached": answer.cached,
        "degraded": answer.degraded,
        "withheld": dict(answer.withheld),
        "usage_estimated": answer.usage.estimated,
    }


def _id(call_id: UUID | None) -> str:
    return f"chatcmpl-{call_id.hex if call_id else 'panlect'}"


def _named(provider: str, model: str) -> str:
    return f"{provider}/{model}" if provider else model


@dataclass(slots=True)
class Chunks:
    """Writes one streamed answer. A stream that broke ends with `broken`, and never with [DONE]."""

    id: str
    model: str
    created: int
    include_usage: bool = False
    _told: int = field(default=0, init=False)

    def opening(self) -> bytes:
        """The first event: who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        """One piece of the text."""
        self._told += len(text)
        return self._chunk({"content": text})

    def ending(self, answer: Answer) -> Iterator[bytes]:
        """Tool calls or a refusal, why it ended, what it cost, and [DONE]."""
        if answer.refusal and not self._told:
            yield self._chunk({"refusal": answer.refusal})
        for at, call in enumerate(answer.tool_calls):
            yield self._chunk({"tool_calls": [{"index": at, **_call_json(call)}]})
        yield self._chunk({}, answer.finish_reason, panlect=_ours(answer))
        if self.include_usage:
            yield _event({**self._head(), "choices": [], "usage": _usage_json(answer)})
        yield b"data: [DONE]\n\n"

    def broken(self, error: PanlectError) -> bytes:
        """The event that says that, and why, there is no whole answer."""
        return _event(error_json(error).body)

    def _head(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
        }

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self.include_usage else {}
        return _event({**self._head(), "choices": [choice], **usage, **more})


def _event(found: Mapping[str, Any]) -> bytes:
    # ensure_ascii: no character of an answer is a line's end to a reader of events.
    return f"data: {json.dumps(found, separators=(',', ':'))}\n\n".encode()


def embeddings_json(made: Embeddings, *, packed: bool) -> dict[str, Any]:
    """Vectors as /v1/embeddings gives them: numbers, or 32-bit floats in base64."""

    def shown(vector: tuple[float, ...]) -> list[float] | str:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if packed else list(vector)

    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": shown(vector)}
            for at, vector in enumerate(made.vectors)
        ],
        "model": _named(made.provider, made.model),
        "usage": {"prompt_tokens": made.usage.input_tokens, "total_tokens": made.usage.input_tokens},
    }


def models_json(names: Sequence[str]) -> dict[str, Any]:
    """The roles and models that can be asked."""
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": _owner(name)} for name in names]
    return {"object": "list", "data": rows}


def _owner(name: str) -> str:
    return name.partition("/")[0] if "/" in name else "panlect"


# Errors


@dataclass(frozen=True, slots=True)
class WireError:
    """An error as this wire has it."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def error_json(error: PanlectError) -> WireError:
    """Status, body and headers of an error; clients of OpenAI read type and code, people the message."""
    if isinstance(error, BadFieldError):
        return _error(400, "invalid_request_error", "invalid_request", error, param=error.field)
    if isinstance(error, BadInputError):
        return _error(400, "invalid_request_error", "invalid_request", error)
    if isinstance(error, NotAuthorisedError):
        return _error(401, "authentication_error", "invalid_api_key", error)
    if isinstance(error, NoModelError):
        return _error(503, "model_not_configured", "model_not_configured", error, again=False)
    if isinstance(error, BudgetExhaustedError):
        said = _error(429, "insufficient_quota", "budget_exhausted", error, again=False)
        said.body["error"]["scope"] = error.scope
        return said
    if isinstance(error, ModelUnavailableError):
        return _error(503, "unavailable", "model_unavailable", error, wait_s=error.retry_after_s or 5.0)
    if isinstance(error, ProviderError):
        return _of_provider(error)
    if isinstance(error, ConfigurationError):
        return _error(404, "invalid_request_error", "model_not_found", error)
    if isinstance(error, DatabaseError):
        return _error(503, "unavailable", "unavailable", error, wait_s=2.0)
    return _error(500, "server_error", "server_error", error)


def _of_provider(error: ProviderError) -> WireError:
    if error.outcome == "too_long":
        return _error(400, "invalid_request_error", "context_length_exceeded", error)
    if error.outcome == "rejected":
        return _error(400, "invalid_request_error", "rejected_by_provider", error)
    if error.outcome == "rate_limited":
        return _error(429, "rate_limit_exceeded", "rate_limited", error, wait_s=error.retry_after_s or 5.0)
    return _error(502, "provider_error", f"provider_{error.outcome}", error)


def _error(
    status: int,
    kind: str,
    code: str,
    error: PanlectError,
    *,
    param: str | None = None,
    wait_s: float = 0.0,
    again: bool = True,
) -> WireError:
    headers = {"retry-after": str(math.ceil(wait_s))} if wait_s else {}
    if not again:
        headers["x-should-retry"] = "false"  # what the usual clients obey
    return WireError(
        status, {"error": {"message": str(error), "type": kind, "param": param, "code": code}}, headers
    )
