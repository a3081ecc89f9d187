"""Vectors from an OpenAI-compatible address: the gateway, or any server that speaks /embeddings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np

from panlect.egress import Egress, spelt
from panlect.errors import ConfigurationError, EmbeddingError
from panlect.index.models import ENDPOINT, Endpoint, ModelSpec, key_of
from panlect.llm.outgoing import clean
from panlect.outgoing import blocking_client

if TYPE_CHECKING:
    from panlect.index.embed import Vectors

_BATCH = 64
_TRIES = 4
_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 20.0
_MAX_ANSWER = 64 * 1024 * 1024
_RETRIED = (429, 500, 502, 503, 504)


class EndpointEmbedder:
    """A model behind an address. Nothing that it answers is believed: count, order, length and numbers are checked.

    Raises ConfigurationError without an address, EgressRefusedError for one that may not be called.
    """

    def __init__(self, spec: ModelSpec, endpoint: Endpoint) -> None:
        if not endpoint.url:
            raise ConfigurationError(
                f"{spec.name} needs an address.", fix="Set PANLECT_EMBED_URL to an OpenAI-compatible /v1."
            )
        self.model_id = key_of(spec)
        self._spec, self._endpoint = spec, endpoint

    @cached_property
    def dimension(self) -> int:
        """As it is configured, else as the server answers when it is first asked."""
        return self._spec.dimension or int(self._asked(["dimension"]).shape[1])

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """As the protocol says. Raises EmbeddingError when the server does not answer with such vectors."""
        prompt = self._spec.query_prompt if query else self._spec.document_prompt
        batches = [
            [f"{prompt}{clean(text).text}" for text in texts[at : at + _BATCH]]
            for at in range(0, len(texts), _BATCH)
        ]
        if not batches:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors: Vectors = np.concatenate([self._fitting(batch) for batch in batches])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _fitting(self, texts: list[str]) -> Vectors:
        vectors = self._asked(texts)
        if vectors.shape[1] != self.dimension:
            raise EmbeddingError(
                f"{self._spec.name} answers with {vectors.shape[1]} numbers, not {self.dimension}.",
                fix="Set PANLECT_EMBED_DIMENSION to what the model gives.",
            )
        return vectors

    def _asked(self, texts: list[str]) -> Vectors:
        asked: dict[str, Any] = {"model": self._spec.name.removeprefix(ENDPOINT), "input": texts}
        if self._spec.dimension:
            asked["dimensions"] = self._spec.dimension
        why, retry_after = "", ""
        for wait_s in _waits():
            time.sleep(min(float(retry_after) if retry_after.isdecimal() else wait_s, _LONGEST_WAIT_S))
            try:
                status, retry_after, body = self._post(asked)
            except httpx2.HTTPError as error:
                why, retry_after = type(error).__name__, ""
            else:
                if status == 200:
                    return _vectors(body, len(texts))
                why = f"it answered {status}"
                if status not in _RETRIED:
                    break
        raise EmbeddingError(
            f"{self._spec.name} gave no vectors.", why=why, fix="Check the embedding server."
        )

    def _post(self, asked: dict[str, Any]) -> tuple[int, str, bytes]:
        headers = {"content-type": "application/json"}
        if self._endpoint.token:
            headers["authorization"] = f"Bearer {self._endpoint.token}"
        url = f"{self._endpoint.url.rstrip('/')}/embeddings"
        spelt(url)  # before anything tidies it up
        with (
            blocking_client(Egress(tuple(self._endpoint.allow))) as client,
            client.stream(
                "POST", url, content=json.dumps(asked).encode(), headers=headers, timeout=_TIMEOUT_S
            ) as answer,
        ):
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _MAX_ANSWER:
                    raise EmbeddingError("The embedding server's answer is too long.")
            return answer.status_code, answer.headers.get("retry-after", ""), bytes(body)


def _waits() -> Iterator[float]:
    """Seconds before each try."""
    yield 0.0
    yield from (0.5 * 2**attempt for attempt in range(_TRIES - 1))


def _vectors(body: bytes, count: int) -> Vectors:
    """The answer's vectors in the order that was asked. Raises EmbeddingError for anything else."""
    try:
        rows = sorted(json.loads(body)["data"], key=lambda row: row["index"])
        if [row["index"] for row in rows] != list(range(count)):
            raise ValueError("it left texts out")
        vectors: Vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ValueError("it holds something that is no vector")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise EmbeddingError("The embedding server's answer cannot be read.", why=str(error)[:200]) from error
    return vectors
