"""The providers' wires, behind one protocol. What is asked has been cleaned, reserved and limited before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from panlect.llm.chat import Answer, ChatRequest, Delta, Embeddings
from panlect.llm.table import Choice


@dataclass(frozen=True, slots=True)
class Target:
    """Which model of which provider to ask, and with what. `key` is "" where a provider wants none.

    `timeout_s` is what is left of the whole call, which the gateway ends; a wire ends one that is silent for so long.
    """

    choice: Choice
    key: str = field(repr=False)
    timeout_s: float


class Upstream(Protocol):
    """One wire. Every method raises ProviderError, and nothing else, when the provider gives no usable answer.

    It asks once: tries, chains and budgets are the gateway's. `request.temperature`, `.max_tokens` and `.seed` are
    final; `request.schema` is answered with text of that shape, by json_schema where `choice.facts.json_schema`
    says that the model has it, else by a tool whose arguments become the text, else by asking for JSON.
    """

    async def chat(self, request: ChatRequest, target: Target) -> Answer:
        """The whole answer; its usage is marked `estimated` when the provider does not say."""
        ...

    def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        """Pieces, then the whole answer. A stream that ends without a finish reason raises ProviderError(cut)."""
        ...

    async def embed(self, texts: Sequence[str], target: Target) -> Embeddings:
        """Vectors in order; count, length and numbers are checked."""
        ...

    async def aclose(self) -> None:
        """Give connections back."""
        ...
