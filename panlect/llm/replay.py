"""Answer from the record: the same requests get the same answers, in their order, with no network and at no cost."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.errors import ModelUnavailableError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage, request_hash
from panlect.llm.recorder import opened_answer


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer and the hash of what was asked."""

    request_hash: bytes
    answer: Answer


@dataclass(slots=True)
class Replay:
    """Models that answer from a record. What was not recorded is a miss: it raises, and is counted."""

    records: Iterable[Recorded]
    hits: int = 0
    misses: list[ChatRequest] = field(default_factory=list)
    _left: dict[bytes, deque[Answer]] = field(init=False)

    def __post_init__(self) -> None:
        self._left = defaultdict(deque)
        for record in self.records:
            self._left[record.request_hash].append(record.answer)

    @property
    def fidelity(self) -> float:
        """The share of requests that the record answered; 1.0 when none was made."""
        asked = self.hits + len(self.misses)
        return self.hits / asked if asked else 1.0

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:  # noqa: ARG002
        """The next recorded answer to this request. Raises ModelUnavailableError when there is none (left)."""
        left = self._left.get(request_hash(request))
        if not left:
            self.misses.append(request)
            raise ModelUnavailableError(
                "This request is not in the record.",
                why="The prompt, its order or the code that makes it changed since.",
                fix="Run it again with a model.",
            )
        self.hits += 1
        return replace(left.popleft(), cached=True, cost_microusd=0)

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """The recorded answer in one piece."""
        answer = await self.chat(request, caller)
        if answer.content:
            yield Delta(answer.content)
        yield answer

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:  # noqa: ARG002
        """Vectors are not recorded: they are kept by the hash of their text."""
        raise ModelUnavailableError("Vectors are not in the record.", fix="Embed them again.")

    async def named(self, role: str, organisation_id: UUID) -> str:  # noqa: ARG002
        """The record."""
        return "replay"

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:  # noqa: ARG002
        """It was paid for when it was recorded."""
        return 0

    async def known(self, organisation_id: UUID) -> Sequence[str]:  # noqa: ARG002
        """Nothing but what was asked."""
        return ()

    async def aclose(self) -> None:
        """Nothing to give back."""


async def recorded(
    db: Database, organisation_id: UUID, *, run_id: UUID | None = None, call_id: UUID | None = None
) -> list[Recorded]:
    """The good answers of a run, or one call's, in the order in which they came, as far as they are kept."""
    values = {"organisation_id": organisation_id, "run_id": run_id, "call_id": call_id}
    async with db.organisation(organisation_id) as connection:
        rows = await (await connection.execute(query("models.list_recorded"), values)).fetchall()
    return [Recorded(bytes(asked), opened_answer(answer)) for asked, answer in rows]
