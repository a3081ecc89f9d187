"""Anthropic's messages, with its own SDK behind pydantic-ai and our vetted HTTP client."""

from __future__ import annotations

from typing import Any

import httpx2
from anthropic import AnthropicError, AsyncAnthropic
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from panlect.egress import spelt
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.failures import failed

_OWN_URL = "https://api.anthropic.com"


class Anthropic:
    """Makes models that send everything through one client."""

    one_tool_at_a_time = True

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def model(self, target: Target) -> Model:
        """The model, without retries. A key is never looked for in the environment."""
        url, key = target.choice.provider.url, target.key
        if not key and not url:
            raise failed(target, "needs a key", "auth")
        if not (key.isascii() and key.isprintable()) or key != key.strip():
            raise failed(target, "has a key with characters that no header takes", "auth")
        spelt(url or _OWN_URL)
        sdk = _Sealed(
            api_key=key or "none",  # some proxies want none, but the SDK does
            base_url=(url or _OWN_URL).rstrip("/").removesuffix("/v1"),  # it adds /v1 itself
            http_client=self._client,
            # The SDK sends the key as a bearer; servers that imitate Anthropic read its older header.
            default_headers={"x-api-key": key or "none"} if url else {},
            webhook_key="",
            open_telemetry={"propagation": False, "traces": False},
            max_retries=0,
            timeout=httpx2.Timeout(target.timeout_s, connect=min(10.0, target.timeout_s)),
        )
        return AnthropicModel(target.choice.model, provider=AnthropicProvider(anthropic_client=sdk))

    def outcome(self, error: Exception) -> str:
        """What the SDK raises beside answers, such as settings that it refuses itself."""
        return "rejected" if isinstance(error, AnthropicError) else ""


class _Sealed(AsyncAnthropic):
    """The SDK's client without ANTHROPIC_CUSTOM_HEADERS of the environment, which it adds to every request."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._custom_headers = given.get("default_headers") or {}
