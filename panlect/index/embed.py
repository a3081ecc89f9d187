"""Text to vectors: the protocol of every embedder, and one that needs no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from panlect.code.terms import terms_of

if TYPE_CHECKING:
    import numpy as np

    from panlect.index.models import ModelSpec

    Vectors = np.ndarray[Any, np.dtype[np.float32]]


class Embedder(Protocol):
    """Turns texts into unit vectors. Vectors of different `model_id` are never compared."""

    model_id: str

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row of float32, of length 1, for each text (all zero for a text without words).

        A model may read a `query` otherwise than what is searched.
        """
        ...


class Embed(Protocol):
    """Asks an embedder elsewhere: what wiring passes to whoever needs vectors."""

    async def __call__(
        self, texts: list[str], *, spec: ModelSpec | None = None, query: bool = False
    ) -> Vectors:
        """Unit vectors of `texts` in their order, by the model of `spec` (the configured one when None)."""
        ...

    async def with_key(
        self, texts: list[str], *, spec: ModelSpec | None = None, query: bool = False
    ) -> tuple[Vectors, str]:
        """The same with the key of the model that made them: its weights may have changed under its name."""
        ...


def embedding_text(scope: str, body: str) -> str:
    """What is embedded of a chunk: where it stands, then its text. A path is left out: renames cost nothing."""
    return f"{scope}\n{body}"


def body_of(scope: str, text: str) -> str | None:
    """What `embedding_text` was given beside this scope; None when it was another one."""
    return text.removeprefix(f"{scope}\n") if text.startswith(f"{scope}\n") else None


class HashingEmbedder:
    """Signed feature hashing of split and stemmed terms: deterministic, no weights, no network.

    It finds texts that share words, not meaning: for tests, and for where a model is not wanted.
    """

    model_id = "hashing-384"

    def __init__(self, dimension: int = 384) -> None:
        self.dimension = dimension
        self.model_id = f"hashing-{dimension}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:  # noqa: ARG002 - read alike
        """As the protocol says. Frequent terms of a text count with the root of their number."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for term, times in sorted(Counter(terms_of(text)).items()):
                sign = 1.0 if term >> 59 else -1.0
                row[term % self.dimension] += sign * times**0.5
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors
