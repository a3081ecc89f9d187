"""Wires that differ from OpenAI's, through pydantic-ai's direct requests: our values to its messages and back.

It asks once and without retries. What it takes for a normal end although the provider never said so (a stream that
broke off), and what it cannot read, is an error here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import httpx2
from pydantic_ai import exceptions as their
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from panlect.errors import EgressRefusedError, ProviderError
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
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.failures import (
    LONGEST_WAIT_S,
    connecting,
    failed,
    had_begun,
    in_error,
    not_called,
    refused,
)
from panlect.llm.upstreams.openai import asking_for_json, estimated, fits_a_tool
from panlect.llm.upstreams.text import Pieces, whole, whole_json

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
}
_ANY_JSON = Schema("json", {"type": "object"})
# What an SDK raises when an answer's JSON lacks what it takes for granted; where warnings are errors, those too.
_SHAPELESS = (AttributeError, TypeError, KeyError, IndexError, ValueError, AssertionError, Warning)


class Wire(Protocol):
    """What differs between two providers behind pydantic-ai. `one_tool_at_a_time`: whether it can be asked for."""

    one_tool_at_a_time: bool

    async def model(self, target: Target) -> Model:
        """The model to ask. Raises ProviderError when it cannot be asked, EgressRefusedError when it may not be."""
        ...

    def outcome(self, error: Exception) -> str:
        """The outcome of an error of its SDK that pydantic-ai lets through; "" for one that is not its own."""
        ...


class TranslatedUpstream:
    """One wire behind pydantic-ai."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def chat(self, request: ChatRequest, target: Target) -> Answer:
        """The whole answer. Raises ProviderError."""
        with self._failing(target, _Progress()):
            plan = self._plan(request, await self._wire.model(target), target)
            response = await model_request(
                plan.model,
                plan.messages,
                model_settings=plan.settings,
                model_request_parameters=plan.parameters,
            )
            return _answer(response, plan, request, target)

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        """Pieces, then the whole answer. Raises ProviderError, also in the middle."""
        progress = _Progress()
        with self._failing(target, progress):
            plan = self._plan(request, await self._wire.model(target), target)
            async with aclosing(self._pieces(plan, request, target, progress)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _pieces(
        self, plan: _Plan, request: ChatRequest, target: Target, progress: _Progress
    ) -> AsyncGenerator[Delta | Answer, None]:
        opening = model_request_stream(
            plan.model, plan.messages, model_settings=plan.settings, model_request_parameters=plan.parameters
        )
        shown, texts = "", Pieces()
        async with opening as response:
            events = aiter(response)
            while True:
                try:
                    async with asyncio.timeout(target.timeout_s):
                        event = await anext(events, None)
                except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
                    what, outcome = "broke off in mid-stream", "cut" if progress.began else "unavailable"
                    raise failed(
                        target, what, outcome, why=str(error), billed=progress.began or had_begun(error)
                    ) from error
                if event is None:
                    break
                progress.began = True
                if text := texts.add(progress.text_of(event, plan.schema_tool)):
                    shown += text
                    yield Delta(text)
            ended = response.get()
        if ended.finish_reason is None:
            raise failed(target, "broke off: the stream has no end", "cut", billed=True)
        answer = _answer(ended, plan, request, target)
        rest = texts.rest()
        if plan.schema_tool and answer.content and not shown:
            yield Delta(answer.content)
        elif rest:
            yield Delta(rest)
        yield answer

    async def embed(self, texts: Sequence[str], target: Target) -> Embeddings:  # noqa: ARG002
        """Refused: these wires are used for chat alone."""
        raise failed(target, "makes no vectors here", "rejected")

    async def aclose(self) -> None:
        """Nothing to close: the client is its owner's."""

    def _plan(self, request: ChatRequest, model: Model, target: Target) -> _Plan:
        facts, schema, messages = target.choice.facts, request.schema, request.messages
        if request.tools and request.tool_choice != "none" and not facts.tools:
            raise failed(target, "knows no tools", "rejected")
        settings = _settings(request, cast("Mapping[str, Any]", model.profile))
        tools = _tools(request) if facts.tools else []
        if tools and request.tool_choice != "auto":
            required = request.tool_choice == "required"
            settings["tool_choice"] = "required" if required else [request.tool_choice]
        if tools and self._wire.one_tool_at_a_time and request.extra.get("parallel_tool_calls") is False:
            settings["parallel_tool_calls"] = False
        parameters = ModelRequestParameters(function_tools=tools)
        if schema is None:
            if request.extra.get("response_format") == {"type": "json_object"}:
                messages = asking_for_json(messages, _ANY_JSON)
        elif facts.json_schema and (native := _native(schema, tools, model, settings)):
            parameters = native
        elif facts.tools and fits_a_tool(schema):
            output = ToolDefinition(
                name=schema.name,
                parameters_json_schema=dict(schema.schema),
                description="Give the answer.",
                kind="output",
            )
            parameters = ModelRequestParameters(
                function_tools=tools, output_mode="tool", output_tools=[output], allow_text_output=False
            )
            return _Plan(model, _messages(messages), settings, parameters, schema.name)
        else:
            messages = asking_for_json(messages, schema)
        return _Plan(model, _messages(messages), settings, parameters)

    @contextmanager
    def _failing(self, target: Target, progress: _Progress) -> Iterator[None]:
        """Everything that an SDK or pydantic-ai raises, as ProviderError."""
        try:
            with connecting(target):
                yield
        except TimeoutError as error:
            what = (
                "fell silent in mid-stream" if progress.began else f"gave no answer in {target.timeout_s:g} s"
            )
            raise failed(target, what, "timeout", billed=True) from error
        except their.ModelAPIError as error:
            raise _of_api(error, target, progress) from error
        except their.UserError as error:
            raise failed(target, "cannot be asked like this", "rejected", why=error.message) from error
        except their.AgentRunError as error:
            raise failed(
                target, "answered what cannot be read", "garbage", why=error.message, billed=True
            ) from error
        except _SHAPELESS as error:
            why = f"its shape is wrong ({type(error).__name__})"
            raise failed(target, "answered what cannot be read", "garbage", why=why, billed=True) from error
        except Exception as error:
            if not (outcome := self._wire.outcome(error)):
                raise
            why = f"{type(error).__name__}: {error}"
            raise failed(target, "cannot be asked", outcome, why=why) from error


@dataclass(slots=True)
class _Progress:
    """How far a stream came, and which of its parts is the tool that stands for text."""

    began: bool = False
    tool_part: int = -1

    def text_of(self, event: object, schema_tool: str) -> str:
        """What an event adds to the text that is shown."""
        if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
            return "" if schema_tool else event.part.content
        if isinstance(event, PartStartEvent) and isinstance(event.part, ToolCallPart):
            if not schema_tool or event.part.tool_name != schema_tool:
                return ""
            self.tool_part = event.index
            return event.part.args if isinstance(event.part.args, str) else ""
        if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
            return "" if schema_tool else event.delta.content_delta
        if isinstance(event, PartDeltaEvent) and isinstance(event.delta, ToolCallPartDelta):
            args = event.delta.args_delta
            return args if event.index == self.tool_part and isinstance(args, str) else ""
        return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    for _ in range(8):
        cause = error.__cause__ or error.__context__
        if cause is None:
            return
        yield cause
        error = cause


def _of_api(error: their.ModelAPIError, target: Target, progress: _Progress) -> ProviderError:
    causes = list(_causes(error))
    for found in causes:
        if isinstance(found, EgressRefusedError):
            return not_called(target, found)
    for status in (getattr(found, "status_code", None) for found in causes):
        if isinstance(status, int) and 300 <= status < 400:
            return refused(target, status, {}, b"")
    said, code = in_error(error.body)
    wait_s = min(LONGEST_WAIT_S, max(0.0, error.retry_after or 0.0))
    if isinstance(error, their.ModelContextWindowExceededError):
        return failed(target, "cannot take so long a prompt", "too_long", why=said)
    if isinstance(error, their.ModelAuthenticationError | their.ModelQuotaExceededError):
        return failed(target, "refused the key", "auth", why=f"It answered {code}." if code else "")
    if isinstance(error, their.ModelRateLimitError):
        return failed(target, "is at its limit", "rate_limited", why=said, retry_after_s=wait_s)
    if isinstance(error, their.ModelTimeoutError | their.ModelRequestTimeout):
        began = not any(isinstance(found, httpx2.ConnectTimeout | httpx2.PoolTimeout) for found in causes)
        return failed(target, "was silent for too long", "timeout", billed=began)
    if isinstance(error, their.ModelConnectionError):
        if progress.began:
            return failed(target, "broke off in mid-stream", "cut", why=error.message, billed=True)
        sent = [found for found in causes if isinstance(found, httpx2.HTTPError)]
        why, begun = (
            f"{type(sent[0]).__name__}: {sent[0]}" if sent else error.message,
            any(map(had_begun, sent)),
        )
        what = "broke off its answer" if begun else "is not available"
        return failed(target, what, "unavailable", why=why, billed=begun)
    if isinstance(error, their.ModelHTTPError) and not error.in_stream:
        body = json.dumps({"error": {"message": said, "code": code}}).encode()
        return refused(target, error.status_code, error.headers or {}, body)
    if isinstance(error, their.ModelRequestRejectedError):
        return failed(target, "cannot be asked like this", "rejected", why=error.message)
    if error.in_stream or isinstance(error, their.ModelUnavailableError | their.ModelServerError):
        return failed(target, "broke off", "unavailable", why=said, billed=error.in_stream)
    return failed(target, "answered what cannot be read", "garbage", why=error.message, billed=True)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked of pydantic-ai, and the tool whose arguments stand for the answer's text ("" for none)."""

    model: Model
    messages: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    schema_tool: str = ""


def _tools(request: ChatRequest) -> list[ToolDefinition]:
    if request.tool_choice == "none":
        return []
    return [
        ToolDefinition(
            name=tool.name, parameters_json_schema=dict(tool.parameters), description=tool.description or None
        )
        for tool in request.tools
    ]


def _native(
    schema: Schema, tools: list[ToolDefinition], model: Model, settings: ModelSettings
) -> ModelRequestParameters | None:
    """The parameters that have the shape kept natively; None where the model, or this shape, does not allow it."""
    if not model.profile.get("supports_json_schema_output") or not _closed(schema.schema):
        return None
    shape = OutputObjectDefinition(dict(schema.schema), schema.name)
    parameters = ModelRequestParameters(function_tools=tools, output_mode="native", output_object=shape)
    try:
        model.prepare_request(
            settings, parameters
        )  # it knows the provider's limits (recursion, unions, sizes)
    except their.ModelRequestRejectedError:
        return None
    return parameters


def _settings(request: ChatRequest, profile: Mapping[str, Any]) -> ModelSettings:
    """What these wires know of our settings. Seeds, penalties and efforts are not known to them, and not sent."""
    settings = ModelSettings()
    if request.max_tokens is not None:
        settings["max_tokens"] = request.max_tokens
    sampled = not any(
        profile.get(flag)
        for flag in ("anthropic_disallows_sampling_settings", "bedrock_disallows_sampling_settings")
    )
    top_p, stop = request.extra.get("top_p"), request.extra.get("stop")
    if sampled and request.temperature is not None:
        settings["temperature"] = min(1.0, request.temperature)  # OpenAI's goes to 2, these to 1
    elif sampled and isinstance(top_p, int | float):  # newer models refuse the two together
        settings["top_p"] = float(top_p)
    if stop:
        settings["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    return settings


def _closed(schema: object, depth: int = 0) -> bool:
    """Whether no object of a schema takes names that it does not list: open ones come back empty in native mode."""
    if depth > 100:
        return False
    if isinstance(schema, list):
        return all(_closed(inner, depth + 1) for inner in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("additionalProperties", False) is not False:
        return False
    if schema.get("type") == "object" and "properties" not in schema:
        return False
    return all(_closed(inner, depth + 1) for inner in schema.values())


def _messages(messages: Sequence[Message]) -> list[ModelMessage]:
    found: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "assistant":
            if asked:
                found.append(ModelRequest(parts=asked))
                asked = []
            said: list[ModelResponsePart] = [TextPart(message.content)] if message.content else []
            for call in message.tool_calls:
                names[call.id] = call.name
                said.append(ToolCallPart(call.name, _arguments(call.arguments), call.id))
            found.append(ModelResponse(parts=said))
        elif message.role == "system":
            asked.append(SystemPromptPart(message.content))
        elif message.role == "tool":
            name = names.get(message.tool_call_id, "tool")
            asked.append(ToolReturnPart(name, message.content, message.tool_call_id))
        else:
            asked.append(UserPromptPart(message.content))
    if asked:
        found.append(ModelRequest(parts=asked))
    return found


def _arguments(text: str) -> dict[str, Any]:
    """Arguments as these wires take them, which is never as text."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {"not_json": text}
    return found if isinstance(found, dict) else {"value": found}


def _spelt(arguments: object) -> str:
    """Arguments as text again; halves of characters, which pydantic-ai does not spell, as escapes."""
    return whole(arguments or "{}") if isinstance(arguments, str | None) else json.dumps(arguments)


def _answer(response: ModelResponse, plan: _Plan, request: ChatRequest, target: Target) -> Answer:
    content = whole("".join(part.content for part in response.parts if isinstance(part, TextPart)))
    calls = tuple(
        ToolCall(whole(part.tool_call_id), whole(part.tool_name), _spelt(part.args))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    said, made = content, calls
    reason = _REASONS.get(response.finish_reason or "")
    if reason is None:
        raise failed(
            target, "answered what cannot be read", "garbage", why="it does not say why it ended", billed=True
        )
    shaped = [call for call in calls if plan.schema_tool and call.name == plan.schema_tool]
    if shaped:
        content, calls = shaped[0].arguments, tuple(call for call in calls if call not in shaped)
        reason = "stop" if reason == "tool_calls" and not calls else reason
    if reason == "tool_calls" and not calls:
        reason = "stop"
    calls = tuple(replace(call, arguments=whole_json(call.arguments)) for call in calls)
    details = response.provider_details or {}
    refusal = whole(str(details.get("refusal") or content or "The provider withheld the answer."))
    usage = response.usage
    told = Usage(usage.input_tokens, usage.output_tokens, min(usage.input_tokens, usage.cache_read_tokens))
    return Answer(
        content,
        reason,
        calls,
        refusal if reason == "content_filter" else "",
        told if usage.input_tokens else estimated(request, said, made),
        target.choice.provider.name,
        target.choice.model,
    )
