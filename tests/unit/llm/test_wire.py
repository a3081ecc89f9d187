"""The OpenAI wire: what may come in, what is named when it may not, and what goes out."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from panlect.llm.chat import Answer, Embeddings, Message, Schema, ToolCall, Usage
from panlect.llm.wire import (
    BadFieldError,
    Chunks,
    answer_headers,
    answer_json,
    checked_dimensions,
    embeddings_json,
    error_json,
    models_json,
    parse_chat,
    parse_embeddings,
)

CALL = UUID("01234567-89ab-cdef-0123-456789abcdef")
HELLO = {"role": "user", "content": "Hello"}
TOOL = {
    "type": "function",
    "function": {"name": "read", "description": "Reads.", "parameters": {"type": "object"}},
}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "review", "messages": [HELLO], **fields}).encode()


def call(**changes: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}, **changes}


def test_a_plain_question_is_read() -> None:
    wanted = parse_chat(body())
    assert (wanted.request.model, wanted.request.messages) == ("review", (Message("user", "Hello"),))
    assert (wanted.stream, wanted.include_usage, dict(wanted.request.extra)) == (False, False, {})


def test_everything_that_is_understood_is_read() -> None:
    wanted = parse_chat(
        body(
            model="openai/gpt-5",
            messages=[
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call()],
                    "annotations": [],
                    "audio": None,
                },
                {"role": "tool", "tool_call_id": "c1", "content": "three"},
                {"role": "assistant", "content": None, "refusal": "No."},
            ],
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "read"}},
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "v", "schema": {"type": "object"}},
            },
            temperature=0,
            max_completion_tokens=9,
            seed=-7,
            n=1,
            top_p=0.5,
            stop="END",
            presence_penalty=1,
            parallel_tool_calls=False,
            reasoning_effort="low",
            stream=True,
            stream_options={"include_usage": True},
            user="somebody",
            logprobs=False,
        )
    )
    request = wanted.request
    assert [message.role for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert request.messages[1].content == "One\ntwo"
    assert request.messages[2].tool_calls == (ToolCall("c1", "read", "{}"),)
    assert request.messages[3].tool_call_id == "c1"
    assert request.messages[4].content == "No."
    assert (request.tools[0].name, request.tool_choice) == ("read", "read")
    assert request.schema == Schema("v", {"type": "object"})
    assert (request.temperature, request.max_tokens, request.seed) == (0.0, 9, -7)
    assert request.extra == {
        "top_p": 0.5,
        "stop": ["END"],
        "presence_penalty": 1.0,
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }
    assert (wanted.stream, wanted.include_usage) == (True, True)


def test_json_without_a_shape_is_passed_on() -> None:
    assert parse_chat(body(response_format={"type": "json_object"})).request.extra == {
        "response_format": {"type": "json_object"}
    }
    assert parse_chat(body(response_format={"type": "text"})).request.extra == {}


deep: Any = {"type": "string"}
for _ in range(70):
    deep = {"type": "object", "properties": {"x": deep}}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"model": "a b"}, "model"),
        ({"model": "../x"}, "model"),
        ({"model": "x" * 301}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": HELLO}, "messages"),
        ({"messages": [HELLO] * 4097}, "messages"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [HELLO, {"role": "king", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": {}, "text": ""}]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}] * 1025}]},
            "messages[0].content",
        ),
        ({"messages": [{"role": "user", "content": "a\ud800"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a\u0000"}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "audio": {"id": "x"}}]}, "messages[0]"),
        ({"messages": [{"role": "assistant", "function_call": {}}]}, "messages[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [call()] * 129}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": ["x"]}]}, "messages[0].tool_calls[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": [call(id=7)]}]}, "messages[0].tool_calls[0].id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call(function={"name": "a b"})]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [call(function={"name": "a", "arguments": {}})]}
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c1"}]}, "messages[0].tool_call_id"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "auto"}}]}, "tools[0].function.name"),
        ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "description": 7}}]},
            "tools[0].function.description",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": deep}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "read"}}}, "tool_choice"),
        ({"tool_choice": []}, "tool_choice"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"enum": [0] * 20_001}},
                }
            },
            "response_format.json_schema.schema",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"n": 2}, "n"),
        ({"n": "1"}, "n"),
        ({"top_p": -1}, "top_p"),
        ({"stop": 7}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"frequency_penalty": 9}, "frequency_penalty"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"functions": [{}]}, "functions"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"temprature": 0}, "temprature"),
        ({"x" * 500: 0}, "x" * 80),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadFieldError) as caught:
        parse_chat(body(**fields))
    assert caught.value.field == field
    assert field in str(caught.value)
    said = error_json(caught.value)
    assert (said.status, said.body["error"]["param"]) == (400, field)
    assert said.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b'{"model":"review","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
        b'{"model":"review","messages":[{"role":"user","content":"x"}],"temperature":1e999}',
        b'{"model":"review","messages":[{"role":"user","content":"x"}],"seed":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_request_at_all_is_refused(sent: bytes) -> None:
    for parse in (parse_chat, parse_embeddings):
        with pytest.raises(BadFieldError):
            parse(sent)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [
        "model",
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "stop",
        "stream",
        "stream_options",
        "n",
        "input",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, json_values, max_size=5), st.lists(json_values, max_size=3))
def test_nothing_that_is_sent_is_more_than_a_bad_field(fields: dict[str, Any], messages: list[Any]) -> None:
    for sent in (
        {"model": "review", **fields},
        {"model": "review", **fields, "messages": [HELLO, *messages]},
    ):
        for parse in (parse_chat, parse_embeddings):
            try:
                parse(json.dumps(sent).encode())
            except BadFieldError as error:
                assert error.field


def test_texts_to_embed_are_read() -> None:
    wanted = parse_embeddings(
        json.dumps({"model": "embed", "input": "x", "encoding_format": "base64"}).encode()
    )
    assert (wanted.model, wanted.texts, wanted.packed) == ("embed", ("x",), True)
    assert parse_embeddings(json.dumps({"model": "embed", "input": ["x", "y"]}).encode()).texts == ("x", "y")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input": []}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1]]}, "input"),
        ({"input": [""]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": ["x", "\ud800"]}, "input[1]"),
        ({"input": "x", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "x", "encoding_format": []}, "encoding_format"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": 8193}, "dimensions"),
        ({"input": "x", "dimensions": "7"}, "dimensions"),
        ({"input": "x", "dimensions": True}, "dimensions"),
        ({"input": "x", "model": "a b"}, "model"),
    ],
)
def test_what_cannot_be_embedded_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadFieldError) as caught:
        parse_embeddings(json.dumps({"model": "embed", **fields}).encode())
    assert caught.value.field == field


ANSWER = Answer(
    "Yes.",
    "stop",
    usage=Usage(10, 2, 5),
    provider="openai",
    model="gpt-5",
    call_id=CALL,
    cost_microusd=12,
    degraded="review-deep: budget\nspent",
    withheld={"secret": 1},
)


def test_an_answer_is_written_as_openai_does() -> None:
    written = answer_json(ANSWER, 7)
    assert written["id"] == f"chatcmpl-{CALL.hex}"
    assert (written["object"], written["created"], written["model"]) == ("chat.completion", 7, "openai/gpt-5")
    (choice,) = written["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Yes.", "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert written["usage"]["total_tokens"] == 12
    assert written["usage"]["prompt_tokens_details"] == {"cached_tokens": 5}
    assert written["panlect"]["withheld"] == {"secret": 1}
    assert answer_headers(ANSWER) == {
        "x-panlect-call-id": str(CALL),
        "x-panlect-cost-microusd": "12",
        "x-panlect-provider": "openai",
        "x-panlect-model": "gpt-5",
        "x-panlect-degraded": "review-deep: budget spent",
    }


def test_calls_and_refusals_have_no_text_beside_them() -> None:
    calling = answer_json(Answer("", "tool_calls", (ToolCall("c1", "read", "{}"),)), 0)["choices"][0]
    assert calling["message"]["content"] is None
    assert calling["message"]["tool_calls"][0]["function"] == {"name": "read", "arguments": "{}"}
    refusing = answer_json(Answer("", "content_filter", refusal="No."), 0)["choices"][0]
    assert (refusing["message"]["content"], refusing["message"]["refusal"]) == (None, "No.")
    assert answer_json(Answer("", "stop"), 0)["choices"][0]["message"]["content"] == ""


def events(*blocks: bytes) -> list[Any]:
    found = []
    for block in b"".join(blocks).decode().split("\n\n")[:-1]:
        assert block.startswith("data: ")
        assert "\n" not in block
        found.append(block[6:] if block == "data: [DONE]" else json.loads(block[6:]))
    return found


def test_a_stream_is_written_as_openai_does() -> None:
    chunks = Chunks("chatcmpl-1", "review", 7, include_usage=True)
    answer = Answer("Yes\u2028.", "tool_calls", (ToolCall("c1", "read", "{}"),), usage=Usage(10, 2))
    written = events(chunks.opening(), chunks.piece("Yes\u2028."), *chunks.ending(answer))
    assert [one["choices"][0]["delta"] for one in written[:4]] == [
        {"role": "assistant", "content": ""},
        {"content": "Yes\u2028."},
        {
            "tool_calls": [
                {"index": 0, "id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
            ]
        },
        {},
    ]
    assert [one["choices"][0]["finish_reason"] for one in written[:4]] == [None, None, None, "tool_calls"]
    assert written[3]["panlect"]["call_id"] is None
    assert (written[4]["choices"], written[4]["usage"]["total_tokens"]) == ([], 12)
    assert written[5] == "[DONE]"
    assert {one["id"] for one in written[:5]} == {"chatcmpl-1"}


def test_usage_is_only_sent_when_it_was_asked_for() -> None:
    chunks = Chunks("chatcmpl-1", "review", 7)
    written = events(*chunks.ending(Answer("", "stop", refusal="No.")))
    assert written[0]["choices"][0]["delta"] == {"refusal": "No."}
    assert written[-1] == "[DONE]"
    assert not any("usage" in one for one in written[:-1])


def test_a_stream_that_broke_says_so_and_is_not_done() -> None:
    (said,) = events(Chunks("x", "review", 7).broken(ModelUnavailableError("Every model failed.")))
    assert said["error"]["message"] == "Every model failed."
    assert said["error"]["code"] == "model_unavailable"


def test_vectors_are_written_as_numbers_or_packed() -> None:
    made = Embeddings(((0.5, -1.0), (1.0, 2.0)), Usage(3), "openai", "small")
    plain = embeddings_json(made, packed=False)
    assert [row["embedding"] for row in plain["data"]] == [[0.5, -1.0], [1.0, 2.0]]
    assert [row["index"] for row in plain["data"]] == [0, 1]
    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    packed = embeddings_json(made, packed=True)["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(packed)) == (0.5, -1.0)


def test_what_can_be_asked_is_listed() -> None:
    rows = models_json(["review", "openai/gpt-5"])["data"]
    assert [(row["id"], row["owned_by"]) for row in rows] == [
        ("review", "panlect"),
        ("openai/gpt-5", "openai"),
    ]


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (BadInputError("x"), 400, "invalid_request", {}),
        (NotAuthorisedError("x"), 401, "invalid_api_key", {}),
        (ConfigurationError("There is no model 'a/b'."), 404, "model_not_found", {}),
        (NoModelError("x"), 503, "model_not_configured", {"x-should-retry": "false"}),
        (ModelUnavailableError("x", retry_after_s=7.2), 503, "model_unavailable", {"retry-after": "8"}),
        (ModelUnavailableError("x"), 503, "model_unavailable", {"retry-after": "5"}),
        (ProviderError("x", outcome="too_long"), 400, "context_length_exceeded", {}),
        (ProviderError("x", outcome="rejected"), 400, "rejected_by_provider", {}),
        (
            ProviderError("x", outcome="rate_limited", retry_after_s=2),
            429,
            "rate_limited",
            {"retry-after": "2"},
        ),
        (ProviderError("x", outcome="cut"), 502, "provider_cut", {}),
        (DatabaseError("x"), 503, "unavailable", {"retry-after": "2"}),
        (PanlectError("x"), 500, "server_error", {}),
    ],
)
def test_errors_have_the_status_that_clients_expect(
    error: PanlectError, status: int, code: str, headers: dict[str, str]
) -> None:
    said = error_json(error)
    assert (said.status, said.body["error"]["code"], dict(said.headers)) == (status, code, headers)
    assert said.body["error"]["message"] == str(error)


def test_a_spent_budget_names_whose_it_is_and_is_not_tried_again() -> None:
    error = BudgetExhaustedError(
        "The budget of acme/shop is spent.", scope="repository acme/shop", fix="Raise it."
    )
    said = error_json(error)
    assert (said.status, said.headers) == (429, {"x-should-retry": "false"})
    assert said.body["error"]["type"] == "insufficient_quota"
    assert said.body["error"]["code"] == "budget_exhausted"
    assert said.body["error"]["scope"] == "repository acme/shop"
    assert "acme/shop" in said.body["error"]["message"]


def test_a_length_of_vectors_is_kept_or_refused_but_never_ignored() -> None:
    wanted = parse_embeddings(json.dumps({"model": "embed", "input": "x", "dimensions": 2}).encode())
    assert wanted.dimensions == 2
    checked_dimensions(Embeddings(((0.6, 0.8),), provider="p", model="m"), wanted)
    with pytest.raises(BadFieldError, match="p/m makes vectors of 3") as caught:
        checked_dimensions(Embeddings(((0.6, 0.8, 0.0),), provider="p", model="m"), wanted)
    assert error_json(caught.value).status == 400
    asked_none = parse_embeddings(json.dumps({"model": "embed", "input": "x"}).encode())
    checked_dimensions(Embeddings(((0.6, 0.8, 0.0),)), asked_none)
