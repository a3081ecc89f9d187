"""The scripted providers as a product: listed, scripted, framed as AWS frames, and shown without secrets."""

from __future__ import annotations

from typing import Any

import httpx2
import jsonschema
import pytest
from botocore.eventstream import EventStreamBuffer

from cluster.sandbox.models import BEHAVIOURS, Asked, Providers, Said, example, frame
from cluster.sandbox.transcript import WIRES, lines

pytestmark = pytest.mark.anyio


def client(app: Providers) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://models.example")


async def test_every_behaviour_is_listed_as_a_model() -> None:
    async with client(Providers()) as browser:
        listed = (await browser.get("/v1/models")).json()["data"]
    assert {row["id"] for row in listed} == set(BEHAVIOURS)


async def test_a_script_answers_in_place_of_the_names() -> None:
    def script(asked: Asked) -> Said | str:
        return (
            Said(tool="read", arguments="{}", finish="tool")
            if "read" in asked.last
            else f"You said {asked.last}"
        )

    async with client(Providers(script)) as browser:

        async def said(text: str) -> Any:
            asked = {"model": "ok", "messages": [{"role": "user", "content": text}]}
            return (await browser.post("/v1/chat/completions", json=asked)).json()["choices"][0]["message"]

        assert (await said("hello"))["content"] == "You said hello"
        assert (await said("read it"))["tool_calls"][0]["function"]["name"] == "read"


async def test_a_text_has_always_the_same_vector_of_length_one() -> None:
    async with client(Providers()) as browser:
        asked = {"model": "ok", "input": ["a", "b", "a"], "dimensions": 16}
        rows = (await browser.post("/v1/embeddings", json=asked)).json()["data"]
    vectors = [row["embedding"] for row in rows]
    assert vectors[0] == vectors[2] != vectors[1]
    assert len(vectors[0]) == 16
    assert sum(number**2 for number in vectors[0]) == pytest.approx(1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": []}', b'{"tools": [{}], "model": "ok"}'])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/model/ok/converse"])
async def test_a_request_that_is_none_does_not_break_it(path: str, body: bytes) -> None:
    async with client(Providers()) as browser:
        assert (await browser.post(path, content=body)).status_code in (200, 400)


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"a": {"type": "array", "items": {"enum": ["x", "y"]}}},
            "required": ["a"],
        },
        {
            "$ref": "#/$defs/N",
            "$defs": {"N": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5}}}},
        },
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": ["string", "null"]},
        {"const": 7},
        {"type": "boolean"},
    ],
)
def test_an_example_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(example(schema), schema)


def test_a_schema_that_holds_itself_has_an_example() -> None:
    loop = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert "next" in example(loop)


def test_frames_are_what_the_sdk_of_aws_reads() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(frame("messageStop", {"stopReason": "end_turn"}) + frame("metadata", {}))
    first, second = list(buffer)
    assert first.headers[":event-type"] == "messageStop"
    assert first.payload == b'{"stopReason": "end_turn"}'
    assert second.headers[":message-type"] == "event"


async def test_a_transcript_shows_every_wire_and_no_secret() -> None:
    text = "\n".join(await lines(list(WIRES)))
    assert all(f"=== {wire}, stream: cut" in text for wire in WIRES)
    assert text.count("ProviderError(cut, billed=True") == 3
    assert text.count("ProviderError(rate_limited, billed=False, retry after 2 s)") == 3
    assert "d7Fh2kQ9" not in text
    assert "AKIA" not in text
