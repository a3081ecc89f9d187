"""Bedrock's converse: AWS's SDK signs and parses behind pydantic-ai, our vetted HTTP client sends.

botocore lets a handler answer in place of its own HTTP session; so addresses are vetted, proxies and private
authorities honoured and answers bounded here as everywhere else. Only the default chain of credentials (no key
configured) is AWS's own business: it may ask the machine's metadata service. With a key nothing of the machine is
looked at, neither variables nor files: they are the operator's, and the key may be an organisation's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar
from typing import Any

import httpx2
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.configprovider import ConfigChainFactory, ConfigValueStore
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.handlers import add_recursion_detection_header
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
_PATIENCE_S = 60.0
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)

# Of the call at hand: a client serves many, and its threads run in a copy of the caller's context.
_patience: ContextVar[float] = ContextVar("panlect_bedrock_patience", default=_PATIENCE_S)


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
        told = "\x00".join((provider.url, provider.region, target.key))
        known = hashlib.sha256(told.encode()).digest()
        if known not in self._clients:
            made = await asyncio.to_thread(self._made, target)
            if self._clients.setdefault(known, made) is not made:  # somebody else was faster
                made.close()
        client = self._clients[known]
        self._clients.move_to_end(known)
        while len(self._clients) > _KEPT:
            # It may still be in use: what it closes is botocore's own pool, through which nothing is sent.
            self._clients.popitem(last=False)[1].close()
        _patience.set(target.timeout_s)
        return BedrockConverseModel(target.choice.model, provider=BedrockProvider(bedrock_client=client))

    def outcome(self, error: Exception) -> str:
        """What botocore raises before it asks."""
        if isinstance(error, _NO_CREDENTIALS):
            return "auth"
        return "rejected" if isinstance(error, BotoCoreError) else ""

    def _made(self, target: Target) -> Any:
        provider, key = target.choice.provider, target.key
        settings: dict[str, Any] = {
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "user_agent": "panlect",
        }
        credentials: dict[str, str | None] = {}
        session = Session()
        if key:
            session = _Sealed("" if ":" in key else key)
            settings["ignore_configured_endpoint_urls"] = True
            # Said outright, since botocore would prefer a bearer token of the environment to keys that are given.
            settings["signature_version"] = "v4" if ":" in key else "bearer"
        if ":" in key:
            names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
            credentials = dict(zip(names, (*key.split(":", 2), None), strict=False))
        made = session.create_client(
            "bedrock-runtime",
            region_name=provider.region or "us-east-1",
            config=Config(**settings),
            endpoint_url=provider.url or None,
            **credentials,
        )
        made.meta.events.register("before-send.bedrock-runtime", self._sent)
        return made

    def _sent(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        timeout_s = _patience.get()
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


class _Sealed(Session):  # type: ignore[misc]  # botocore is untyped
    """A session that knows one API key of Bedrock, or none, and nothing of the machine that it runs on."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._panlect_token = token
        settings = ConfigChainFactory(session=self, environ={})
        chains = {
            name: settings.create_config_chain(
                instance_name=name, config_property_names=of_file, default=default, conversion_func=converted
            )
            for name, (of_file, _, default, converted) in Session.SESSION_VARIABLES.items()
        }
        self.register_component("config_store", ConfigValueStore(mapping=chains))
        self.unregister(
            "before-call", add_recursion_detection_header
        )  # it sends a variable of the environment

    @property
    def full_config(self) -> dict[str, Any]:
        """What no file says."""
        return {"profiles": {}}

    def get_auth_token(self, **_: object) -> FrozenAuthToken | None:
        """The key."""
        return FrozenAuthToken(self._panlect_token) if self._panlect_token else None

    def get_credentials(self) -> None:
        """None: keys are given to the client."""
        return
