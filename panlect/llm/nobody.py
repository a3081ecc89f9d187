"""Models where there are none: in every process that neither is the gateway nor was given a way to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from panlect.errors import NoModelError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage


class Nobody:
    """Nothing is configured, as far as this process can know: it holds no key and asks nobody."""

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:  # noqa: ARG002
        """Raises NoModelError."""
        raise _none()

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:  # noqa: ARG002
        """Raises NoModelError."""
        raise _none()
        yield  # what makes it a generator

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:  # noqa: ARG002
        """Raises NoModelError."""
        raise _none()

    async def named(self, role: str, organisation_id: UUID) -> str:  # noqa: ARG002
        """None."""
        return "none"

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:  # noqa: ARG002
        """Nobody takes anything."""
        return 0

    async def known(self, organisation_id: UUID) -> Sequence[str]:  # noqa: ARG002
        """Nobody."""
        return ()

    async def aclose(self) -> None:
        """There is nothing to close."""


def _none() -> NoModelError:
    return NoModelError(
        "model: none. This process has no way to the gateway.",
        fix="Run it on the cluster whose gateway holds the keys.",
    )
