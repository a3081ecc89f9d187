"""A model whose answers are a function of the request: the double that everything which asks a model is tested with.

It counts, keeps what it was asked, and costs nothing. `wire` doubles, which speak HTTP, live in `cluster/sandbox`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from panlect.llm.chat import ROLES, Answer, Caller, ChatRequest, Delta, Embeddings, Usage
from panlect.llm.tokens import estimate_tokens

Script = Callable[[ChatRequest], "Answer | str"]
_PIECE = 12


@dataclass(slots=True)
class ScriptedModels:
    """Answers as `script` says; an exception that the script raises is what the caller sees."""

    script: Script
    asked: list[ChatRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """What the script answers, with usage and a finish reason."""
        self.asked.append(request)
        self.callers.append(caller)
        said = self.script(request)
        if isinstance(said, Answer):
            return said
        asked = sum(estimate_tokens(message.content) for message in request.messages)
        usage = Usage(asked, estimate_tokens(said))
        return Answer(said, "stop", usage=usage, provider="scripted", model="script", cost_microusd=0)

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """The same answer in pieces of a few characters."""
        answer = await self.chat(request, caller)
        for at in range(0, len(answer.content), _PIECE):
            yield Delta(answer.content[at : at + _PIECE])
        yield answer

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:  # noqa: ARG002
        """Unit vectors of two numbers: enough to see that they came through in order."""
        count = max(1, len(texts))
        return Embeddings(
            tuple((1.0 - at / count, at / count) for at in range(len(texts))), provider="scripted"
        )

    async def named(self, role: str, organisation_id: UUID) -> str:  # noqa: ARG002
        """Always the script."""
        return "scripted/script"

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:  # noqa: ARG002
        """As every call of it: nothing."""
        return 0

    async def known(self, organisation_id: UUID) -> Sequence[str]:  # noqa: ARG002
        """The script plays every role."""
        return (*ROLES, "scripted/script")

    async def aclose(self) -> None:
        """Nothing to give back."""
