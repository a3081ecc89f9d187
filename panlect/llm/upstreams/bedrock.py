"""Bedrock's converse: AWS's SDK signs and parses behind pydantic-ai, our vetted HTTP client sends.

botocore lets a handler answer in place of its own HTTP session; so addresses are vetted, proxies and private
authorities honoured and answers bounded here as everywhere else. Only the default chain of credentials (no key
configured) is AWS's own business: it may ask the machine's metadata service.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import httpx2
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.session import Session
from botocore.tokens import FrozenAuthToken
from pydantic_ai.models import Model
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from panlect.egress import spelt
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.failures import failed

_KEPT = 64  # clients: making one reads AWS's service model, which takes a tenth of a second
_MOST_ANSWER = 32 * 1024 * 1024
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)


class Bedrock:
    """Makes models that sign with the target's credentials and send through one client."""

    one_tool_at_a_time = False

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._clients: OrderedDict[bytes, Any] = OrderedDict()

    async def model(self, target: Target) -> Model:
        """The model, without retries.

        The key is `access_key_id:secret_access_key[:session_token]`, an API key of Bedrock, or "" for AWS's chain.
        """
        provider = target.choice.provider
        if not provider.region and not provider.url:
            raise failed(target, "needs a region", "rejected")
        if provider.url:
            spelt(provider.url)
        if not (target.key.isascii() and (target.key.isprintable() or not target.key)):
            raise failed(target, "has a key with characters that no header takes", "auth")
        told = "\x00".join((provider.url, provider.region, target.key, f"{target.timeout_s:g}"))
        known = hashlib.sha256(told.encode()).digest()
        if known not in self._clients:
            self._clients[known] = await asyncio.to_thread(self._made, target)
        self._clients.move_to_end(known)
        while len(self._clients) > _KEPT:
            self._clients.popitem(last=False)
        return BedrockConverseModel(
            target.choice.model, provider=BedrockProvider(bedrock_client=self._clients[known])
        )

    def outcome(self, error: Exception) -> str:
        """What botocore raises before it asks."""
        if isinstance(error, _NO_CREDENTIALS):
            return "auth"
        return "rejected" if isinstance(error, BotoCoreError) else ""

    def _made(self, target: Target) -> Any:
        provider, key = target.choice.provider, target.key
        region = provider.region or "us-east-1"
        settings: dict[str, Any] = {"retries": {"total_max_attempts": 1, "mode": "standard"}}
        if ":" in key:
            parts = (*key.split(":", 2), None)
            session = boto3.Session(parts[0], parts[1], parts[2], region)
        elif key:
            session = boto3.Session(botocore_session=_Bearer(key), region_name=region)
            settings["signature_version"] = "bearer"
        else:
            session = boto3.Session(region_name=region)
        made = session.client("bedrock-runtime", config=Config(**settings), endpoint_url=provider.url or None)

        def send(request: AWSPreparedRequest, **_: object) -> AWSResponse:
            return self._sent(request, target.timeout_s)

        made.meta.events.register("before-send.bedrock-runtime", send)
        return made

    def _sent(self, request: AWSPreparedRequest, timeout_s: float) -> AWSResponse:
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        asked = self._client.build_request(
            request.method,
            request.url,
            headers=headers,
            content=request.body or b"",
            timeout=httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s)),
        )
        answer = self._client.send(asked, stream=True)
        return AWSResponse(request.url, answer.status_code, dict(answer.headers), _Raw(answer))


class _Raw:
    """An answer's bytes as botocore reads them."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._answer = answer

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: ARG002
        """The blocks of the body, and the connection given back at the end."""
        size = 0
        with closing(self._answer):
            for block in self._answer.iter_raw():
                size += len(block)
                if size > _MOST_ANSWER:
                    raise ValueError(f"The answer is longer than {_MOST_ANSWER} bytes.")
                yield block

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()


class _Bearer(Session):  # type: ignore[misc]  # botocore is untyped
    """A session that knows an API key of Bedrock and no other credentials."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._panlect_token = token

    def get_auth_token(self, **_: object) -> FrozenAuthToken:
        """The key."""
        return FrozenAuthToken(self._panlect_token)

    def get_credentials(self) -> None:
        """None: nothing of the environment is used."""
        return
