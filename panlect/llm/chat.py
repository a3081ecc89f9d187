"""What is asked of a model and what it answers, whoever the provider is. Values only.

Inside the house everything speaks these; the OpenAI wire (`wire.py`) is how others send and receive them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from uuid import UUID

ROLES = ("review", "review-deep", "verify", "triage", "summarize", "ask", "reply", "embed", "memory")
_TAG = "\x00tag\x00"  # stands for the random tag of a request's fences while it is hashed

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool. `arguments` is the text that it wrote, not yet known to be JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_call_id` says which call a turn of role `tool` answers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Schema:
    """The shape that an answer's text must have: a JSON schema under a name of letters, digits, _ and -."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question to a role (`review`) or to one model (`openai/gpt-5`).

    What is None is left to the role's settings. `tag` is the random mark of the fences in the messages: it never
    leaves by itself, and does not count when two requests are compared. `extra` holds further parameters of the
    OpenAI wire that a caller sent (`top_p`, `stop`, ...).
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"  # auto, none, required, or a tool's name
    schema: Schema | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    tag: str = ""

    def to(self, model: str) -> ChatRequest:
        """The same question to another role or model."""
        return replace(self, model=model)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, the cached ones among the input; `estimated` where the provider did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: it has a finish reason, or it is none.

    `provider` and `model` made it; `call_id` is its row in the record. `cost_microusd` is None when no price is
    known. `degraded` says in words which better model was not asked and why; `withheld` counts by kind what was
    taken out of the request before it left (secrets, invisible characters).
    """

    content: str
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    usage: Usage = Usage()
    provider: str = ""
    model: str = ""
    call_id: UUID | None = None
    cost_microusd: int | None = None
    cached: bool = False  # answered from the record, at no cost
    degraded: str = ""
    withheld: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer that streams."""

    text: str


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors in the order of the texts, as the provider made them."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = Usage()
    provider: str = ""
    model: str = ""
    call_id: UUID | None = None
    cost_microusd: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a model is asked: whose budget it is, and where the call stands in the trace."""

    organisation_id: UUID
    repository_id: UUID | None = None
    pull_request_id: UUID | None = None
    run_id: UUID | None = None
    step: str = ""


class Models(Protocol):
    """Whoever answers: the gateway in this process, the one behind a handle, a script, a record.

    Each method raises NoModelError when nothing is configured for the role, BudgetExhaustedError when nothing that
    is configured can be paid for, and ModelUnavailableError when every provider of the chain failed.
    """

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """One whole answer."""
        ...

    def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """Pieces as they come, then the whole answer, last. No answer: the stream broke, and raised."""
        ...

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
        """Vectors of `texts` by a role (`embed`) or a model."""
        ...

    async def named(self, role: str, organisation_id: UUID) -> str:
        """`provider/model` that would be asked first, or "none"."""
        ...

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        """What so many tokens would cost with whom `role` would ask first; 0 with nobody, None at an unknown price."""
        ...

    async def known(self, organisation_id: UUID) -> Sequence[str]:
        """What can be asked: roles that somebody plays, then `provider/model` of every chain."""
        ...

    async def aclose(self) -> None:
        """Give connections back; nothing is asked after this."""
        ...


def request_hash(request: ChatRequest) -> bytes:
    """16 bytes that two requests share when they ask the same of the same role or model, whatever their tags."""
    text = json.dumps(_canonical(request), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"panlect-request").digest()


def _canonical(request: ChatRequest) -> dict[str, Any]:
    def untagged(text: str) -> str:
        return text.replace(request.tag, _TAG) if request.tag else text

    return {
        "model": request.model,
        "messages": [
            [m.role, untagged(m.content), m.tool_call_id, [[c.id, c.name, c.arguments] for c in m.tool_calls]]
            for m in request.messages
        ],
        "tools": [[t.name, t.description, t.parameters] for t in request.tools],
        "tool_choice": request.tool_choice,
        "schema": None if request.schema is None else [request.schema.name, request.schema.schema],
        "settings": [request.temperature, request.max_tokens, request.seed, request.extra],
    }
