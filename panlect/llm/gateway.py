"""Who answers: the chain of a role, asked in order under budgets and limits, each try on record.

The only code that holds providers' keys. It runs in the gateway's process, or in the terminal's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID, uuid4

from panlect.errors import (
    BadInputError,
    BudgetExhaustedError,
    ConfigurationError,
    DatabaseError,
    ModelUnavailableError,
    NoModelError,
    PanlectError,
    ProviderError,
    SecretKeyError,
)
from panlect.llm import prices
from panlect.llm.breaker import Breaker
from panlect.llm.budget import (
    Call,
    Ending,
    Ledger,
    LimitedError,
    count_tokens,
    reserved_cost,
    reserved_tokens,
)
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
from panlect.llm.table import Choice, ModelTable, Role, ladder
from panlect.llm.tokens import estimate_tokens
from panlect.llm.upstreams import Target, Upstream
from panlect.redact import redact

_ROUNDS = 3  # times that a chain is walked while there is time left
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 20.0
_LEAST_S = 0.05
_FAIR_S = 5.0  # a provider that was given less time than this did not fail
_LARGE = 256 * 1024  # characters
_LOG = logging.getLogger(__name__)
_OUR_FAULT = ("rejected", "too_long")  # says nothing about the provider's health
_SETTLE_S = 10.0


class Tables(Protocol):
    """Where the gateway learns what is configured, and the keys."""

    async def table(self, organisation_id: UUID) -> ModelTable:
        """What an organisation has configured."""
        ...

    async def key(self, organisation_id: UUID, choice: Choice) -> str:
        """The key of a provider, "" when it wants none. Raises ConfigurationError when it is missing."""
        ...


@dataclass(slots=True)
class Tried:
    """What came of a chain so far: why each entry gave no answer, and when one may be asked again."""

    reasons: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)  # who was not asked for want of money, and which budget's
    budget: BudgetExhaustedError | None = None
    refused: ProviderError | None = None
    broken: PanlectError | None = None  # a key or a price is missing

    def note(self, choice: Choice, why: str, wait_s: float | None = None) -> None:
        """An entry gave no answer; `wait_s` is None when asking again would change nothing."""
        self.reasons.append(f"{choice.name}: {why}")
        if wait_s is not None:
            self.waits.append(wait_s)


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
        one = _Question(
            self, table, table.role(model), asked, caller, tokens, withheld=withheld, embedding=tuple(kept)
        )  # fmt: skip
        async for made in one.walk(table.chain(model)):
            if isinstance(made, Embeddings):
                return made
        raise AssertionError("a chain ends with vectors or an error")

    async def aclose(self) -> None:
        """Close the providers' connections."""
        await self.closing()

    def breaker(self, call_key: str) -> Breaker:
        """The state of one provider's account."""
        return self._breakers.setdefault(call_key, Breaker(self.clock))

    async def _degrading(
        self, request: ChatRequest, caller: Caller, *, streaming: bool
    ) -> AsyncGenerator[Delta | Answer, None]:
        """Walk the ladder of roles: the next one is asked when nothing of this one can be paid for."""
        table = await self.tables.table(caller.organisation_id)
        cleaned, withheld, tokens = await _prepared(request)
        said: list[str] = []
        spent: BudgetExhaustedError | None = None
        for role in ladder(table, request.model):
            chain = table.chain(role)
            if not chain and spent is not None:
                continue
            settings = table.role(role)
            question = _Question(
                self, table, settings, _filled(cleaned, settings).to(role), caller, tokens,
                hash=request_hash(request), withheld=withheld, streaming=streaming,
            )  # fmt: skip
            try:
                async with contextlib.aclosing(question.walk(chain)) as pieces:
                    async for piece in pieces:
                        assert not isinstance(piece, Embeddings)
                        yield _saying(piece, said) if isinstance(piece, Answer) else piece
                return
            except BudgetExhaustedError as error:
                spent = error
                said.append(f"{role} was not asked: {error.what}")
        assert spent is not None, "a walk answers or raises"
        raise spent


@dataclass(slots=True)
class _Question:
    """One question on its way along one chain."""

    gateway: Gateway
    table: ModelTable
    role: Role
    request: ChatRequest
    caller: Caller
    raw_tokens: int
    hash: bytes = b""
    withheld: Mapping[str, int] = field(default_factory=dict)
    streaming: bool = False
    embedding: tuple[str, ...] = ()
    id: UUID = field(default_factory=uuid4)

    async def walk(self, chain: Sequence[Choice]) -> AsyncGenerator[Delta | Answer | Embeddings, None]:
        """Pieces and the answer of the first that gives one, or the error that says why none did."""
        if not chain:
            raise NoModelError(
                f"model: none. Nothing is configured for {self.request.model!r}.",
                fix="Configure one under Settings, Models, or in PANLECT_MODELS_FILE.",
            )
        until = (
            self.gateway.clock() + self.role.timeout_s
        )  # no try begins after this but the first of each entry
        for attempt in range(_ROUNDS):
            tried = Tried()
            for at, choice in enumerate(chain):
                rival = chain[at + 1] if at + 1 < len(chain) else None
                begun = False
                try:
                    async with contextlib.aclosing(self._ask(choice, rival, until, tried)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield _saying(piece, tried.spent) if isinstance(piece, Answer) else piece
                except (ConfigurationError, SecretKeyError) as error:
                    tried.broken = error
                    tried.note(choice, error.what)
                    continue
                except ProviderError as error:
                    if begun:
                        raise ModelUnavailableError("The answer broke off.", why=error.what) from None
                    self._note(tried, choice, error)
                    continue
                if begun:
                    return
            wait_s = min(tried.waits, default=None) if tried.waits else None
            if wait_s is None or attempt == _ROUNDS - 1:
                break
            wait_s = max(wait_s, _FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
            if wait_s > _LONGEST_WAIT_S or self.gateway.clock() + wait_s > until:
                break
            await self.gateway.sleep(wait_s)
        raise _given_up(tried, self.request.model)

    def _note(self, tried: Tried, choice: Choice, error: ProviderError) -> None:
        if error.outcome in _OUR_FAULT:
            tried.refused = error
            tried.note(choice, error.what)
        else:
            # Not after a timeout: whoever waited that long gets an answer now, if only that there is none.
            again = error.outcome in ("rate_limited", "unavailable", "cut", "garbage")
            tried.note(choice, error.what, error.retry_after_s if again else None)

    async def _ask(
        self, choice: Choice, rival: Choice | None, until: float, tried: Tried
    ) -> AsyncGenerator[Delta | Answer | Embeddings, None]:
        """Pieces and the answer of one entry; nothing when it cannot be asked now. Raises ProviderError."""
        gateway = self.gateway
        call = await self._call(choice, tried)
        if call is None:
            return
        known = await self._recalled(call)
        if known is not None:
            if self.streaming and known.content:
                yield Delta(known.content)
            yield known
            return
        breaker = gateway.breaker(call.provider_key)
        if (wait_s := breaker.wait_s()) > 0:
            tried.note(choice, f"left alone for {wait_s:.0f} s after failures", wait_s)
            return
        probe = breaker.ask()
        promised = False
        try:
            key = await gateway.tables.key(self.caller.organisation_id, choice)
            # Nobody waits for a place while there is somebody else to ask.
            promised = await self._promised(call, until if rival is None else 0.0, tried)
        finally:
            if not promised:
                breaker.left(probe=probe)
        if not promised:
            return
        target = Target(choice, key, call.timeout_s)
        if self.streaming:
            async with contextlib.aclosing(self._streamed(call, target)) as pieces:
                async for piece in pieces:
                    yield piece
        elif rival is not None and self.role.hedge_after_s > 0 and not self.embedding:
            yield await self._hedged(call, target, rival)
        else:
            yield await self._whole(call, target)

    def _asked_of(self, choice: Choice) -> ChatRequest:
        """The request as this model can take it: one without tools answers from what it was given."""
        if choice.facts.tools or not self.request.tools:
            return self.request
        return replace(self.request, tools=(), tool_choice="auto")

    async def _recalled(self, call: Call) -> Answer | None:
        """The recorded answer where the role allows one, itself on record: a replay of this run needs it."""
        if not self.role.cache or self.embedding:
            return None
        known = await self.gateway.ledger.recall(self.caller, call.asked_hash, call.choice)
        if known is None or known.finish_reason not in ("stop", "tool_calls"):
            return None
        found = replace(known, cached=True, cost_microusd=0, call_id=call.id, withheld=self.withheld)
        ending = Ending("cached", 0.0, withheld=self.withheld, request=self.request, answer=found)
        await self.gateway.ledger.settle(call, ending)
        return found

    async def _call(self, choice: Choice, tried: Tried) -> Call | None:
        """The call that would be made; None when this model cannot take it."""
        gateway = self.gateway
        factor = await gateway.ledger.factor(self.caller.organisation_id, choice)
        tokens = reserved_tokens(self.raw_tokens, factor)
        most = 0 if self.embedding else self.request.max_tokens or 0
        if choice.facts.window and tokens + most > choice.facts.window:
            what = f"{tokens} tokens and an answer of {most} do not fit into {choice.facts.window}"
            tried.refused = ProviderError(f"{choice.name}: {what}.", outcome="too_long")
            tried.note(choice, what)
            return None
        per_minute = choice.provider.tokens_per_minute
        if per_minute and tokens + most > per_minute:
            what = f"{tokens} tokens and an answer of {most} are more than its {per_minute} a minute"
            tried.refused = ProviderError(f"{choice.name}: {what}.", outcome="too_long")
            tried.note(choice, what)
            return None
        cost = reserved_cost(choice, tokens, most)
        if cost is None and self.table.budgets:
            raise ConfigurationError(
                f"No price is known for {choice.name}, and there are budgets to keep.",
                fix=f'Give input_usd and output_usd (a million tokens) under models."{choice.name}".',
            )
        return Call(
            request_id=self.id,
            request_hash=self.hash,
            role=self.request.model,
            choice=choice,
            caller=self.caller,
            input_tokens=tokens,
            max_output_tokens=most,
            reserve_microusd=cost or 0,
            timeout_s=self.role.timeout_s,
            raw_tokens=self.raw_tokens,
            asked_hash=b"" if self.embedding else request_hash(self.request),
        )

    async def _promised(self, call: Call, until: float, tried: Tried) -> bool:
        """Promise money and place; wait for a place until then."""
        gateway = self.gateway
        while True:
            try:
                await self._reserved(call)
            except BudgetExhaustedError as error:
                tried.budget = error
                tried.note(call.choice, error.what)
                tried.spent.append(f"{call.choice.name} was not asked: {error.what}")
                return False
            except LimitedError as limited:
                wait_s = limited.wait_s * random.uniform(0.8, 1.6)  # noqa: S311 - spread, not secrecy
                if gateway.clock() + wait_s > until:
                    tried.note(call.choice, f"at its limit ({limited})", limited.wait_s)
                    return False
                await gateway.sleep(wait_s)
            else:
                return True

    async def _reserved(self, call: Call) -> None:
        """Promise, or nothing: whoever is cancelled while the promise is on its way gives it back."""
        reserving = asyncio.ensure_future(self.gateway.ledger.reserve(call, self.table.budgets))
        try:
            await asyncio.shield(reserving)
        except asyncio.CancelledError:
            with contextlib.suppress(PanlectError, LimitedError):
                await reserving
                await self._settle(call, Ending("cancelled", 0.0, detail="before it was asked"))
            raise

    async def _whole(self, call: Call, target: Target) -> Answer | Embeddings:
        """Ask once and keep the record, however it ends."""
        gateway, began = self.gateway, self.gateway.clock()
        made: Answer | Embeddings
        try:
            upstream = gateway.upstream(call.choice)
            async with asyncio.timeout(target.timeout_s):
                if self.embedding:
                    made = await upstream.embed(self.embedding, target)
                else:
                    made = await upstream.chat(self._asked_of(call.choice), target)
        except TimeoutError:
            raise await self._failed(call, began, _too_slow(target)) from None
        except ProviderError as error:
            raise await self._failed(call, began, error) from None
        except ConfigurationError as error:  # its packages are not installed: nothing was asked
            await self._settle(call, self._ending(call, began, "rejected", error.what, billed=False))
            raise
        except BaseException:
            await self._cancelled(call, began)
            raise
        return await self._succeeded(call, began, made)

    async def _streamed(self, call: Call, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        gateway, began = self.gateway, self.gateway.clock()
        first_ms: float | None = None
        answer: Answer | None = None
        try:
            async with contextlib.aclosing(
                gateway.upstream(call.choice).stream(self._asked_of(call.choice), target)
            ) as pieces:
                # A timeout spans one piece each, never a yield: it would cancel whoever reads.
                while answer is None:
                    async with asyncio.timeout(max(_LEAST_S, began + target.timeout_s - gateway.clock())):
                        piece = await anext(pieces, None)
                    if piece is None:
                        raise ProviderError("The stream ended without an answer.", outcome="cut", billed=True)
                    first_ms = _ms(began, gateway.clock()) if first_ms is None else first_ms
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield piece
        except TimeoutError:
            raise await self._failed(call, began, _too_slow(target)) from None
        except ProviderError as error:
            raise await self._failed(call, began, error) from None
        except ConfigurationError as error:
            await self._settle(call, self._ending(call, began, "rejected", error.what, billed=False))
            raise
        except BaseException:
            await self._cancelled(call, began)
            raise
        made = await self._succeeded(call, began, answer, first_ms)
        assert isinstance(made, Answer)
        yield made

    async def _hedged(self, call: Call, target: Target, rival: Choice) -> Answer | Embeddings:
        """The first of two that answers; the second is asked when the first is slow and it can be paid for."""
        first = asyncio.create_task(self._whole(call, target))
        running = {first}
        try:
            await asyncio.wait(running, timeout=self.role.hedge_after_s)
            if not first.done():
                with contextlib.suppress(ConfigurationError, SecretKeyError):
                    other = await self._beside(rival)
                    if other is not None:
                        running.add(asyncio.create_task(self._whole(*other)))
            pending = set(running)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task.exception() is None:
                        return task.result()
            return first.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _beside(self, rival: Choice) -> tuple[Call, Target] | None:
        """The call of a rival, promised; None when it cannot be asked now."""
        gateway = self.gateway
        call = await self._call(rival, Tried())
        if call is None or gateway.breaker(call.provider_key).wait_s() > 0:
            return None
        key = await gateway.tables.key(self.caller.organisation_id, rival)
        if not await self._promised(call, 0.0, Tried()):
            return None
        gateway.breaker(call.provider_key).ask()
        return call, Target(rival, key, call.timeout_s)

    async def _succeeded(
        self, call: Call, began: float, made: Answer | Embeddings, first_ms: float | None = None
    ) -> Answer | Embeddings:
        seconds = self.gateway.clock() - began
        cost = prices.cost(call.choice, made.usage, seconds)
        provider, model = call.choice.provider.name, call.choice.model
        made = replace(made, provider=provider, model=model, call_id=call.id, cost_microusd=cost)
        if isinstance(made, Answer):
            made = replace(made, withheld=self.withheld)
        ending = Ending(
            "ok", seconds * 1000, made.usage, cost, first_token_ms=first_ms, withheld=self.withheld,
            request=self.request, answer=made if isinstance(made, Answer) else None,
        )  # fmt: skip
        self.gateway.breaker(call.provider_key).succeeded()
        try:
            await self._settle(call, ending)
        except DatabaseError as error:
            # It was paid for: the promise stays, and is charged as lost.
            _LOG.error("An answer of %s was given without its record: %s", call.choice.name, error)
        return made

    async def _failed(self, call: Call, began: float, error: ProviderError) -> ProviderError:
        """Keep the record of a failure; the error, to be raised. What may have been billed is charged in full."""
        breaker = self.gateway.breaker(call.provider_key)
        if error.outcome in _OUR_FAULT:
            breaker.succeeded()
        elif error.outcome == "timeout" and call.timeout_s < _FAIR_S:
            breaker.left(probe=True)  # whoever gives no time learns nothing, and must not close it for others
        else:
            breaker.failed(error.retry_after_s)
        await self._settle(call, self._ending(call, began, error.outcome, redact(str(error)), error.billed))
        return error

    async def _cancelled(self, call: Call, began: float) -> None:
        """Nobody waits for the answer any more; the provider may bill it all the same."""
        self.gateway.breaker(call.provider_key).left(probe=True)
        await self._settle(call, self._ending(call, began, "cancelled", "", billed=True))

    def _ending(self, call: Call, began: float, outcome: str, detail: str, billed: bool) -> Ending:
        ms = _ms(began, self.gateway.clock())
        usage = Usage(call.input_tokens, call.max_output_tokens if billed else 0, estimated=True)
        return Ending(
            outcome, ms, usage if billed else Usage(estimated=True), call.reserve_microusd if billed else 0,
            detail, withheld=self.withheld,
        )  # fmt: skip

    async def _settle(self, call: Call, ending: Ending) -> None:
        """Write it even while this task is being cancelled: what was paid must stand in the record."""
        writing = asyncio.ensure_future(self.gateway.ledger.settle(call, ending))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writing, _SETTLE_S)
            raise


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


def _saying(answer: Answer, said: Sequence[str]) -> Answer:
    """The answer with what was not asked before it, and why."""
    return (
        replace(answer, degraded="; ".join((*said, answer.degraded) if answer.degraded else said))
        if said
        else answer
    )


def _too_slow(target: Target) -> ProviderError:
    return ProviderError(f"No answer within {target.timeout_s:.0f} s.", outcome="timeout", billed=True)


def _given_up(tried: Tried, model: str) -> Exception:
    """Why nobody answered: the budget, when that is all that stood in the way of anyone who could."""
    if tried.budget is not None and len(tried.reasons) == 1:
        return tried.budget
    if tried.budget is not None and not tried.waits and tried.refused is None:
        return tried.budget
    if tried.broken is not None and not tried.waits and tried.refused is None:
        return tried.broken
    why = "; ".join(tried.reasons)[:1000]
    if tried.refused is not None and not tried.waits and tried.budget is None:
        return BadInputError(
            f"No model of {model!r} takes this request.", why=why, fix="Ask for less, or otherwise."
        )
    return ModelUnavailableError(
        f"No model of {model!r} answered.",
        retry_after_s=min(tried.waits, default=0.0),
        why=why,
        fix="Try again later; `panlect models test` asks each of them.",
    )


def _ms(began: float, now: float) -> float:
    return (now - began) * 1000
