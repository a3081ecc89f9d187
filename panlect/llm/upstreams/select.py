"""Which wire a provider speaks, and the one owner of their connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panlect.egress import Egress, Resolver, resolve
from panlect.llm.upstreams.failures import note_answered, note_answered_async
from panlect.llm.upstreams.openai import OpenAIUpstream
from panlect.outgoing import blocking_client, client

if TYPE_CHECKING:
    import httpx2

    from panlect.llm.upstreams import Upstream


class Upstreams:
    """The wires, each made when it is first asked for. Raises ConfigurationError for an egress that cannot work."""

    def __init__(self, egress: Egress, *, resolver: Resolver = resolve) -> None:
        self._egress, self._resolver = egress, resolver
        self._client = client(egress, resolver=resolver)
        self._client.event_hooks = {"response": [note_answered_async]}
        self._blocking: httpx2.Client | None = None
        self._wires: dict[str, Upstream] = {}

    def upstream_for(self, kind: str) -> Upstream:
        """The wire of a kind of provider. Anthropic's and Bedrock's SDKs are loaded when they are needed."""
        spoken = kind if kind in ("anthropic", "bedrock") else "openai"
        if spoken not in self._wires:
            self._wires[spoken] = self._made(spoken)
        return self._wires[spoken]

    def _made(self, spoken: str) -> Upstream:
        if spoken == "openai":
            return OpenAIUpstream(self._client)
        from panlect.llm.upstreams.translated import TranslatedUpstream

        if spoken == "anthropic":
            from panlect.llm.upstreams.anthropic import Anthropic

            return TranslatedUpstream(Anthropic(self._client))
        from panlect.llm.upstreams.bedrock import Bedrock

        self._blocking = blocking_client(self._egress, resolver=self._resolver)
        self._blocking.event_hooks = {"response": [note_answered]}
        return TranslatedUpstream(Bedrock(self._blocking))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()
        if self._blocking is not None:
            self._blocking.close()
