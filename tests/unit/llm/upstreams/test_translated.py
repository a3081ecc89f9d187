"""Anthropic and Bedrock: what their dialects make of our settings, shapes and keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from cluster.sandbox.models import Asked, Running, Said, running
from panlect.egress import Egress
from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Message, Schema, Tool, ToolCall
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target, bedrock
from panlect.llm.upstreams.bedrock import Bedrock
from panlect.llm.upstreams.select import Upstreams
from panlect.llm.upstreams.translated import TranslatedUpstream

pytestmark = pytest.mark.anyio
ASKED = ChatRequest("review", (Message("user", "Is it fixed?"),), temperature=1.5, max_tokens=9, seed=7)
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
MODELS = {"anthropic": "claude-sonnet-4-5--ok", "bedrock": "us.anthropic.claude-sonnet-4-5--ok"}
KEYS = {"anthropic": "sk-ant-x", "bedrock": "AKIAABCDEFGHIJKLMNOP:secret"}
both = pytest.mark.parametrize("kind", ["anthropic", "bedrock"])


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the whole file, so that its connections and clients can be used again."""
    return "asyncio"


@pytest.fixture(scope="module")
def providers() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
async def upstreams(anyio_backend: str, providers: Running) -> AsyncIterator[Upstreams]:
    found = Upstreams(Egress((providers.allow, "127.0.0.1")))
    yield found
    await found.aclose()


def target(
    kind: str, providers: Running, *, url: str = "", key: str | None = None, model: str = "", **facts: Any
) -> Target:
    provider = Provider("p", kind, url or providers.root, region="eu-central-1")  # type: ignore[arg-type]
    return Target(
        Choice(provider, model or MODELS[kind], Model(**facts)), KEYS[kind] if key is None else key, 5.0
    )


async def body_of(
    request: ChatRequest, to: Target, upstreams: Upstreams, providers: Running
) -> dict[str, Any]:
    await upstreams.upstream_for(to.choice.provider.kind).chat(request, to)
    return dict(providers.app.asked[-1].body)


@both
async def test_a_temperature_is_brought_into_their_range(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    body = await body_of(ASKED, target(kind, providers), upstreams, providers)
    settings = body["inferenceConfig"] if kind == "bedrock" else body
    assert settings["temperature"] == 1.0
    assert settings["maxTokens" if kind == "bedrock" else "max_tokens"] == 9
    assert "seed" not in json.dumps(body)


@both
async def test_a_temperature_is_dropped_where_it_is_refused(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    model = MODELS[kind].replace("sonnet-4-5", "opus-4-8")
    request = replace(ASKED, extra={"top_p": 0.5})
    body = await body_of(request, target(kind, providers, model=model), upstreams, providers)
    assert "temperature" not in json.dumps(body)
    assert "top" not in json.dumps(body)


@both
async def test_what_they_know_of_further_settings_is_sent(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    extra = {"top_p": 0.5, "stop": ["END"], "presence_penalty": 1.0, "reasoning_effort": "low"}
    request = replace(ASKED, temperature=None, extra=extra)
    body = await body_of(request, target(kind, providers), upstreams, providers)
    settings = body["inferenceConfig"] if kind == "bedrock" else body
    assert settings["topP" if kind == "bedrock" else "top_p"] == 0.5
    assert settings["stopSequences" if kind == "bedrock" else "stop_sequences"] == ["END"]
    assert "penalty" not in json.dumps(body)
    assert "temperature" not in settings


@both
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {
            "type": "object",
            "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
    ],
)
async def test_an_open_shape_goes_by_a_tool_since_native_ones_close_it(
    kind: str, schema: dict[str, Any], upstreams: Upstreams, providers: Running
) -> None:
    await body_of(replace(ASKED, schema=Schema("s", schema)), target(kind, providers), upstreams, providers)
    assert [name for name, _ in providers.app.asked[-1].tools] == ["s"]
    await body_of(replace(ASKED, schema=Schema("s", CLOSED)), target(kind, providers), upstreams, providers)
    assert providers.app.asked[-1].tools == ()
    assert providers.app.asked[-1].schema is not None


TREE = {
    "type": "object",
    "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
    "required": ["below"],
    "additionalProperties": False,
    "$defs": {
        "N": {
            "type": "object",
            "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
            "required": ["below"],
            "additionalProperties": False,
        }
    },
}


async def test_a_shape_beyond_the_providers_limits_goes_by_a_tool(
    upstreams: Upstreams, providers: Running
) -> None:
    request = replace(ASKED, schema=Schema("tree", TREE))
    await body_of(request, target("anthropic", providers), upstreams, providers)
    assert [name for name, _ in providers.app.asked[-1].tools] == ["tree"]


@both
async def test_a_shape_that_no_tool_can_have_is_asked_for_in_words(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    request = replace(ASKED, schema=Schema("s", {"type": "array", "items": {"type": "string"}}))
    body = await body_of(request, target(kind, providers, json_schema=False), upstreams, providers)
    assert providers.app.asked[-1].tools == ()
    assert "fits this JSON schema" in json.dumps(body)


@both
async def test_one_call_at_a_time_is_asked_for_where_that_is_known(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    tool = Tool("read", "", {"type": "object", "properties": {}})
    request = replace(ASKED, tools=(tool,), extra={"parallel_tool_calls": False})
    body = await body_of(request, target(kind, providers), upstreams, providers)
    assert ("disable_parallel_tool_use" in json.dumps(body)) is (kind == "anthropic")


async def test_a_tool_that_a_model_cannot_be_forced_to_call_is_no_answer(
    upstreams: Upstreams, providers: Running
) -> None:
    request = replace(
        ASKED, tools=(Tool("read", "", {"type": "object", "properties": {}}),), tool_choice="read"
    )
    to = target("bedrock", providers, model="meta.llama3-70b-instruct-v1:0--ok")
    with pytest.raises(ProviderError, match="does not support forcing") as caught:
        await body_of(request, to, upstreams, providers)
    assert caught.value.outcome == "rejected"


@both
async def test_json_of_any_shape_is_asked_for_in_words(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    request = replace(ASKED, extra={"response_format": {"type": "json_object"}})
    assert "JSON" in json.dumps(await body_of(request, target(kind, providers), upstreams, providers))


@both
@pytest.mark.parametrize("arguments", ["", "{", "[1]", '"x"', "null", "[" * 100_000])
async def test_arguments_that_are_no_object_are_wrapped(
    kind: str, arguments: str, upstreams: Upstreams, providers: Running
) -> None:
    call = ToolCall("c1", "read", arguments)
    turns = (*ASKED.messages, Message("assistant", "", (call,)), Message("tool", "x", tool_call_id="c1"))
    request = replace(ASKED, messages=turns, tools=(Tool("read", "", {"type": "object", "properties": {}}),))
    await body_of(request, target(kind, providers), upstreams, providers)


@both
async def test_tools_are_not_sent_to_a_model_that_knows_none(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    request = replace(ASKED, tools=(Tool("read", "", {}),))
    with pytest.raises(ProviderError) as caught:
        await body_of(request, target(kind, providers, tools=False), upstreams, providers)
    assert caught.value.outcome == "rejected"


@both
async def test_no_vectors_are_made(kind: str, upstreams: Upstreams, providers: Running) -> None:
    with pytest.raises(ProviderError) as caught:
        await upstreams.upstream_for(kind).embed(["x"], target(kind, providers))
    assert caught.value.outcome == "rejected"


@both
async def test_a_redirect_is_not_followed_with_the_key(
    kind: str, upstreams: Upstreams, providers: Running
) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(307)
            self.send_header("location", f"{providers.root}{self.path}")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    providers.app.asked.clear()
    to = target(kind, providers, url=f"http://127.0.0.1:{server.server_address[1]}")
    with pytest.raises(ProviderError) as caught:
        await upstreams.upstream_for(kind).chat(ASKED, to)
    server.shutdown()
    server.server_close()
    assert caught.value.outcome == "rejected"
    assert not providers.app.asked


async def test_anthropic_needs_a_key_at_its_own_address_and_none_at_a_proxy(
    upstreams: Upstreams, providers: Running
) -> None:
    upstream = upstreams.upstream_for("anthropic")
    own = Target(Choice(Provider("p", "anthropic"), "claude-sonnet-4-5", Model()), "", 5.0)
    with pytest.raises(ProviderError) as caught:
        await upstream.chat(ASKED, own)
    assert caught.value.outcome == "auth"
    for url in (providers.root, f"{providers.root}/", f"{providers.root}/v1", f"{providers.root}/v1/"):
        await upstream.chat(ASKED, target("anthropic", providers, url=url, key=""))
        assert providers.app.asked[-1].path == "/v1/messages"
        assert providers.app.asked[-1].headers["x-api-key"] == "none"


@pytest.mark.parametrize(
    ("key", "authorization", "token"),
    [
        ("AKIAABCDEFGHIJKLMNOP:secret", "AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP/", None),
        ("ASIAABCDEFGHIJKLMNOP:secret:session:token", "AWS4-HMAC-SHA256 Credential=ASIA", "session:token"),
    ],
)
async def test_bedrock_takes_each_kind_of_credentials(
    upstreams: Upstreams, providers: Running, key: str, authorization: str, token: str | None
) -> None:
    await upstreams.upstream_for("bedrock").chat(ASKED, target("bedrock", providers, key=key))
    headers = providers.app.asked[-1].headers
    assert headers["authorization"].startswith(authorization)
    assert headers.get("x-amz-security-token") == token


async def test_a_bearer_key_of_bedrock_is_not_sent_without_tls(
    upstreams: Upstreams, providers: Running
) -> None:
    providers.app.asked.clear()
    key = "ABSKQmVkcm9ja0FQSUtleQ=="
    with pytest.raises(ProviderError, match="requires an HTTPS endpoint") as caught:
        await upstreams.upstream_for("bedrock").chat(ASKED, target("bedrock", providers, key=key))
    assert caught.value.outcome == "rejected"
    assert key not in str(caught.value)
    assert not providers.app.asked


async def test_a_bearer_key_of_bedrock_goes_to_the_regions_own_address(anyio_backend: str) -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        message = {"role": "assistant", "content": [{"text": "Yes."}]}
        usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
        body = json.dumps({"output": {"message": message}, "stopReason": "end_turn", "usage": usage})
        return httpx2.Response(200, stream=httpx2.ByteStream(body.encode()))

    upstream = TranslatedUpstream(Bedrock(httpx2.Client(transport=httpx2.MockTransport(handler))))
    provider = Provider("p", "bedrock", region="eu-central-1")
    to = Target(
        Choice(provider, "us.anthropic.claude-sonnet-4-5-v1:0", Model()), "ABSKQmVkcm9ja0FQSUtleQ==", 5.0
    )
    assert (await upstream.chat(ASKED, to)).content == "Yes."
    (request,) = seen
    assert request.url.host == "bedrock-runtime.eu-central-1.amazonaws.com"
    assert request.url.raw_path == b"/model/us.anthropic.claude-sonnet-4-5-v1%3A0/converse"
    assert request.headers["authorization"] == "Bearer ABSKQmVkcm9ja0FQSUtleQ=="


def hostile(asked: Asked) -> Said:
    if asked.tools:
        arguments = json.dumps({"a": "\ud800\0"})
        return Said("so\ud83d\udc4d\ud800\0 it is", "read", arguments, finish="tool")
    if "refuse" in asked.last:
        return Said("n\ud800o", finish="refusal")
    return Said("a piece th\ud83d\udc4dt has h\ud800lves in it\ud83d")


@pytest.mark.parametrize(
    "request_",
    [
        ASKED,
        replace(ASKED, messages=(Message("user", "refuse"),)),
        replace(ASKED, tools=(Tool("read", "", {"type": "object", "properties": {}}),)),
    ],
    ids=["text", "refusal", "tool"],
)
@both
async def test_halves_of_characters_do_not_come_through(kind: str, request_: ChatRequest) -> None:
    with running(hostile) as scripted:
        found = Upstreams(Egress((scripted.allow, "127.0.0.1")))
        to = target(kind, scripted)
        answer = await found.upstream_for(kind).chat(request_, to)
        *shown, streamed = [piece async for piece in found.upstream_for(kind).stream(request_, to)]
        await found.aclose()
    assert isinstance(streamed, Answer)
    for one in (answer, streamed):
        text = json.dumps(asdict(one), ensure_ascii=False, default=str)
        text.encode()
        assert "\\u0000" not in text.replace(
            "\\\\u0000", ""
        )  # arguments are JSON themselves, and may spell it
    assert streamed.content == answer.content
    assert "".join(piece.text for piece in shown if isinstance(piece, Delta)) == answer.content
    if request_ is ASKED:
        assert answer.content == "a piece th👍t has h\ufffdlves in it\ufffd"


HOSTILE = {
    "AWS_BEARER_TOKEN_BEDROCK": "operator-token",
    "AWS_ACCESS_KEY_ID": "AKIAOPERATOROPERATOR",
    "AWS_SECRET_ACCESS_KEY": "operator-secret",
    "AWS_SESSION_TOKEN": "operator-session",
    "AWS_PROFILE": "operator-profile",
    "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1/operator-place",
    "AWS_DEFAULTS_MODE": "operator-mode",
    "AWS_SDK_UA_APP_ID": "operator-app",
    "AWS_EXECUTION_ENV": "operator-env",
    "AWS_LAMBDA_FUNCTION_NAME": "operator-function",
    "_X_AMZN_TRACE_ID": "operator-trace",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "ANTHROPIC_API_KEY": "operator-key",
    "ANTHROPIC_AUTH_TOKEN": "operator-token",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:1/operator-place",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Operator: operator-header\nx-api-key: operator-key\nhost: operator",
    "ANTHROPIC_PROFILE": "operator-profile",
    "OPENAI_API_KEY": "operator-key",
    "OPENAI_ORG_ID": "operator-organisation",
    "OPENAI_PROJECT_ID": "operator-project",
    "HTTP_PROXY": "http://127.0.0.1:1/operator-proxy",
}


@pytest.mark.parametrize("how", ["whole", "streaming"])
@both
async def test_nothing_of_the_operators_environment_reaches_a_provider_with_a_key(
    kind: str, how: str, providers: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile operator-profile]\nregion = operator-1\naws_access_key_id = AKIAOPERATOROPERATOR\n"
    )
    for name, value in {**HOSTILE, "AWS_CONFIG_FILE": str(config)}.items():
        monkeypatch.setenv(name, value)
    found = Upstreams(Egress((providers.allow, "127.0.0.1")))
    to = target(kind, providers)
    if how == "whole":
        await found.upstream_for(kind).chat(ASKED, to)
    else:
        assert [piece async for piece in found.upstream_for(kind).stream(ASKED, to)]
    await found.aclose()
    headers = providers.app.asked[-1].headers
    assert "operator" not in repr(headers).lower()
    if kind == "bedrock":
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP/")
        assert "/eu-central-1/" in headers["authorization"]
        assert "x-amz-security-token" not in headers
    else:
        assert headers["x-api-key"] == KEYS[kind]
        assert "authorization" not in headers or headers["authorization"].endswith(KEYS[kind])


async def test_a_bearer_key_of_bedrock_is_preferred_to_the_environments(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(429, stream=httpx2.ByteStream(b"{}"))

    upstream = TranslatedUpstream(Bedrock(httpx2.Client(transport=httpx2.MockTransport(handler))))
    to = Target(
        Choice(Provider("p", "bedrock", region="eu-central-1"), MODELS["bedrock"], Model()), "ABSKown", 5.0
    )
    with pytest.raises(ProviderError):
        await upstream.chat(ASKED, to)
    assert seen[0].url.host == "bedrock-runtime.eu-central-1.amazonaws.com"
    assert seen[0].headers["authorization"] == "Bearer ABSKown"
    assert "operator" not in repr(seen[0].headers.raw).lower()


async def test_calls_with_other_times_share_a_client_of_bedrock(
    providers: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bedrock, "_KEPT", 2)
    waits: list[float] = []
    closed: list[object] = []

    class Watched(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            waits.append(request.extensions["timeout"]["read"])
            return super().handle_request(request)

    client = httpx2.Client(transport=Watched())
    wire = Bedrock(client)
    made = wire._made

    def watched(to: Target) -> Any:
        found = made(to)
        monkeypatch.setattr(found, "close", lambda: closed.append(found))
        return found

    monkeypatch.setattr(wire, "_made", watched)
    upstream = TranslatedUpstream(wire)
    to = target("bedrock", providers)
    await asyncio.gather(*(upstream.chat(ASKED, replace(to, timeout_s=4.0 + at)) for at in range(3)))
    assert sorted(waits) == [4.0, 5.0, 6.0]
    assert len(wire._clients) == 1
    assert len(closed) == 2  # the three were asked at once, and one client was enough
    for at in range(3):
        await upstream.chat(ASKED, replace(to, key=f"AKIA:{at}"))
    assert len(wire._clients) == 2
    assert len(closed) == 4
    client.close()


async def test_bedrock_without_a_region_or_credentials_is_not_asked(
    upstreams: Upstreams, providers: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = upstreams.upstream_for("bedrock")
    nowhere = Target(Choice(Provider("p", "bedrock"), MODELS["bedrock"], Model()), KEYS["bedrock"], 5.0)
    with pytest.raises(ProviderError, match="needs a region") as caught:
        await upstream.chat(ASKED, nowhere)
    assert caught.value.outcome == "rejected"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    to = replace(target("bedrock", providers, key=""), timeout_s=4.0)
    with pytest.raises(ProviderError) as caught:
        await upstream.chat(ASKED, to)
    assert caught.value.outcome == "auth"


def test_a_wire_is_made_when_it_is_asked_for() -> None:
    found = Upstreams(Egress())
    assert found.upstream_for("openai") is found.upstream_for("azure") is found.upstream_for("compatible")
    assert found.upstream_for("anthropic") is not found.upstream_for("bedrock")
