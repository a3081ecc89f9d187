"""Who answers: the chain of a role, asked in order under budgets and limits, each try on record.

The only code that holds providers' keys. It runs in the gateway's process, or in the terminal's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from panlect.errors import BadInputError, BudgetExhaustedError
from panlect.llm import prices
from panlect.llm.breaker import Breaker
from panlect.llm.budget import Ledger, count_tokens
from panlect.llm.chat import (
    ROLES,
    Answer,
    Caller,
    ChatRequest,
    Delta,
    Embeddings,
    Usage,
    request_hash,
)
from panlect.llm.outgoing import cleaned_request, cleaned_texts
from panlect.llm.question import Question, saying
from panlect.llm.table import Choice, ModelTable, Role, ladder
from panlect.llm.tokens import estimate_tokens
from panlect.llm.upstreams import Upstream

_LARGE = 256 * 1024  # characters


class Tables(Protocol):
    """Where the gateway learns what is configured, and the keys."""

    async def table(self, organisation_id: UUID) -> ModelTable:
        """What an organisation has configured."""
        ...

    async def key(self, organisation_id: UUID, choice: Choice) -> str:
        """The key of a provider, "" when it wants none. Raises ConfigurationError when it is missing."""
        ...


@dataclass(slots=True)
class Gateway:
    """Models by role. `upstream` picks a provider's wire, `closing` closes them all; `clock` counts seconds."""

    tables: Tables
    ledger: Ledger
    upstream: Callable[[Choice], Upstream]
    closing: Callable[[], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _loaded: set[tuple[bool, str]] = field(default_factory=set)

    async def named(self, role: str, organisation_id: UUID) -> str:
        """`provider/model` that would be asked first, or "none"."""
        chain = (await self.tables.table(organisation_id)).chain(role)
        return chain[0].name if chain else "none"

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        """As `Models` says; the seconds of a self-hosted model are guessed from its output."""
        chain = (await self.tables.table(organisation_id)).chain(role)
        return prices.cost(chain[0], usage, prices.seconds_of(chain[0], usage.output_tokens)) if chain else 0

    async def known(self, organisation_id: UUID) -> Sequence[str]:
        """Roles that somebody plays, then every `provider/model` of their chains."""
        table = await self.tables.table(organisation_id)
        chains = {role: table.chain(role) for role in ROLES}
        models = {choice.name for chain in chains.values() for choice in chain}
        return (*sorted(role for role, chain in chains.items() if chain), *sorted(models))

    async def named_by(self, role: str, organisation_id: UUID) -> Sequence[str]:
        """Every `provider/model` of a role's chain; of all roles when `role` is ""."""
        if role and role not in ROLES:
            raise BadInputError(f"There is no role {role[:80]!r}.", fix=f"Use one of {', '.join(ROLES)}.")
        table = await self.tables.table(organisation_id)
        chains = (table.chain(one) for one in ([role] if role else ROLES))
        return list(dict.fromkeys(choice.name for chain in chains for choice in chain))

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """One whole answer, by the first of the chain that gives one; by a cheaper role when the budget is spent."""
        async for piece in self._degrading(request, caller, streaming=False):
            if isinstance(piece, Answer):
                return piece
        raise AssertionError("a chain ends with an answer or an error")

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """Pieces, then the answer. Until the first piece another provider takes over; after it a break is an error."""
        pieces = self._degrading(request, caller, streaming=True)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
        """Vectors of `texts`, by the first of the chain that gives them."""
        table = await self.tables.table(caller.organisation_id)
        asked = ChatRequest(model, ())
        kept, withheld = await asyncio.to_thread(cleaned_texts, texts)
        tokens = sum(map(estimate_tokens, kept))
        one = Question(
            self, table, table.role(model), asked, caller, tokens, withheld=withheld, embedding=tuple(kept)
        )  # fmt: skip
        async for made in one.walk(table.chain(model)):
            if isinstance(made, Embeddings):
                return made
        raise AssertionError("a chain ends with vectors or an error")

    async def aclose(self) -> None:
        """Close the providers' connections."""
        await self.closing()

    async def wire(self, choice: Choice) -> Upstream:
        """The wire of a provider. The first time in a thread: an SDK takes seconds to import."""
        kind = (choice.provider.shared, choice.provider.kind)
        if kind not in self._loaded:
            await asyncio.to_thread(self.upstream, choice)
            self._loaded.add(kind)
        return self.upstream(choice)

    def breaker(self, call_key: str) -> Breaker:
        """The state of one provider's account."""
        return self._breakers.setdefault(call_key, Breaker(self.clock))

    async def _degrading(
        self, request: ChatRequest, caller: Caller, *, streaming: bool
    ) -> AsyncGenerator[Delta | Answer, None]:
        """Walk the ladder of roles: the next one is asked when nothing of this one can be paid for."""
        table = await self.tables.table(caller.organisation_id)
        cleaned, withheld, tokens = await _prepared(request)
        asked = request_hash(request)
        said: list[str] = []
        spent: BudgetExhaustedError | None = None
        for role in ladder(table, request.model):
            chain = table.chain(role)
            if not chain and spent is not None:
                continue
            settings = table.role(role)
            question = Question(
                self, table, settings, _filled(cleaned, settings).to(role), caller, tokens,
                hash=asked, withheld=withheld, streaming=streaming,
            )  # fmt: skip
            try:
                async with contextlib.aclosing(question.walk(chain)) as pieces:
                    async for piece in pieces:
                        assert not isinstance(piece, Embeddings)
                        yield saying(piece, said) if isinstance(piece, Answer) else piece
                return
            except BudgetExhaustedError as error:
                spent = error
                said.append(f"{role} was not asked: {error.what}")
        assert spent is not None, "a walk answers or raises"
        raise spent


def _filled(request: ChatRequest, role: Role) -> ChatRequest:
    """The request with what the caller left open as the role has it; an answer always has a bound."""
    warm = role.temperature if request.temperature is None else request.temperature
    return replace(request, temperature=warm, max_tokens=request.max_tokens or role.max_tokens)


async def _prepared(request: ChatRequest) -> tuple[ChatRequest, Mapping[str, int], int]:
    """The request as it may leave, what was taken out, and its tokens; a large one is read in a thread."""

    def prepared() -> tuple[ChatRequest, Mapping[str, int], int]:
        cleaned, withheld = cleaned_request(request)
        return cleaned, withheld, count_tokens(cleaned)

    large = sum(len(message.content) for message in request.messages) > _LARGE
    return await asyncio.to_thread(prepared) if large else prepared()
