"""What goes over each wire, and what becomes of it here: `python -m cluster.sandbox.transcript [WIRE ...]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.sandbox.models import Asked, Running, running
from panlect.egress import Egress
from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Message, Schema, Tool
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.select import Upstreams
from panlect.redact import redact

WIRES = {"openai": "", "anthropic": "claude-sonnet-4-5--", "bedrock": "us.anthropic.claude-sonnet-4-5--"}
_SHOWN_HEADERS = ("authorization", "x-api-key", "api-key", "content-type", "retry-after")
_SECRET_HEADERS = ("authorization", "x-api-key", "api-key")
_MOST = 1200
_READ = Tool("read_file", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
_VERDICT = Schema(
    "verdict",
    {
        "type": "object",
        "properties": {"verdict": {"type": "string"}},
        "required": ["verdict"],
        "additionalProperties": False,
    },
)
_SCENES: Sequence[tuple[str, bool, Mapping[str, Any]]] = (
    ("echo", False, {}),
    ("echo", True, {}),
    ("tool", False, {"tools": (_READ,), "tool_choice": "required"}),
    ("json", False, {"schema": _VERDICT}),
    ("429", False, {}),
    ("cut", True, {}),
)


@dataclass(slots=True)
class _Heard:
    """One exchange as the provider's side saw it."""

    asked: Asked | None = None
    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: list[bytes] = field(default_factory=list)

    def message(self, asked: Asked, message: Mapping[str, Any]) -> None:
        """What is sent, as it is sent."""
        self.asked = asked
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        self.body.append(message.get("body", b""))


async def lines(wires: Sequence[str]) -> list[str]:
    """The transcript of each wire: bytes out, bytes back, and the value or the error that they become."""
    said: list[str] = []
    with running() as providers:
        upstreams = Upstreams(Egress((providers.allow,)))
        for wire in wires:
            for how, stream, more in _SCENES:
                heard = _Heard()
                providers.app.tap = heard.message
                outcome = await _outcome(upstreams, providers, wire, how, stream=stream, more=more)
                said += [f"=== {wire}, {'stream' if stream else 'whole'}: {how}", *_shown(heard)]
                said += [f"= {outcome}", ""]
        await upstreams.aclose()
    return said


async def _outcome(
    upstreams: Upstreams, providers: Running, wire: str, how: str, *, stream: bool, more: Mapping[str, Any]
) -> str:
    messages = (Message("system", "Be brief."), Message("user", "Is it fixed?"))
    request = ChatRequest("review", messages, max_tokens=64, temperature=0.0, **more)
    url = f"{providers.root}/v1" if wire == "openai" else providers.root
    key = "AKIAABCDEFGHIJKLMNOP:d7Fh2kQ9sLw0pZx5" if wire == "bedrock" else "sk-d7Fh2kQ9sLw0pZx5vB8n"
    provider = Provider("sandbox", wire, url, region="eu-central-1")  # type: ignore[arg-type]
    target = Target(Choice(provider, f"{WIRES[wire]}{how}", Model()), key, 10.0)
    upstream = upstreams.upstream_for(wire)
    pieces: list[Delta | Answer] = []
    try:
        if stream:
            pieces += [piece async for piece in upstream.stream(request, target)]
        else:
            pieces.append(await upstream.chat(request, target))
    except ProviderError as error:
        return f"ProviderError({error.outcome}, billed={error.billed}, retry after {error.retry_after_s:g} s): {error}"
    *deltas, answer = pieces
    assert isinstance(answer, Answer)
    told = f"{len(deltas)} pieces, then " if stream else ""
    return f"{told}{answer.finish_reason}: {answer.content!r} {list(answer.tool_calls) or ''} {answer.usage}"


def _shown(heard: _Heard) -> Iterator[str]:
    if heard.asked is None:
        return
    yield f"> POST {heard.asked.path}"
    for name in _SHOWN_HEADERS:
        if value := heard.asked.headers.get(name):
            scheme = f"{value.split()[0]} " if " " in value else ""
            yield f"> {name}: {f'{scheme}[SECRET]' if name in _SECRET_HEADERS else value}"
    yield f"> {_short(json.dumps(heard.asked.body))}"
    yield f"< {heard.status}"
    for raw, told in heard.headers:
        if raw.decode() in _SHOWN_HEADERS:
            yield f"< {raw.decode()}: {told.decode()}"
    text = b"".join(heard.body).decode(errors="replace")
    text = re.sub(r"[^\x20-\x7e\n]+", ".", text)
    for line in _short(text).splitlines():
        if line:
            yield f"< {line}"


def _short(text: str) -> str:
    text = redact(text)
    return text if len(text) <= _MOST else f"{text[:_MOST]} ... ({len(text)} characters)"


def main() -> None:
    """Print the transcripts."""
    parser = argparse.ArgumentParser(prog="python -m cluster.sandbox.transcript", description=__doc__)
    parser.add_argument("wires", nargs="*", choices=[[], *WIRES], help="which wires to show (all)")
    chosen = parser.parse_args().wires or list(WIRES)
    sys.stdout.write("\n".join(asyncio.run(lines(chosen))) + "\n")


if __name__ == "__main__":
    main()
