"""One question on its way along one chain: who is asked next, when, and what is kept of each try."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
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
from panlect.llm.budget import Call, Ending, LimitedError, reserved_cost, reserved_tokens
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage, request_hash
from panlect.llm.table import Choice, ModelTable, Role
from panlect.llm.upstreams import Target
from panlect.redact import redact

if TYPE_CHECKING:
    from panlect.llm.gateway import Gateway

_LOG = logging.getLogger(__name__)
_ROUNDS = 3  # times that a chain is walked while there is time left
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 20.0
_LEAST_S = 0.05
_FAIR_S = 5.0  # a provider that was given less time than this did not fail
_OUR_FAULT = ("rejected", "too_long")  # says nothing about the provider's health
_SETTLE_S = 10.0


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
class Question:
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
        # No try begins after this but the first of each entry.
        until = self.gateway.clock() + self.role.timeout_s
        for attempt in range(_ROUNDS):
            tried = Tried()
            for at, choice in enumerate(chain):
                rival = chain[at + 1] if at + 1 < len(chain) else None
                begun = False
                try:
                    async with contextlib.aclosing(self._ask(choice, rival, until, tried)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield saying(piece, tried.spent) if isinstance(piece, Answer) else piece
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
            wait_s = min(tried.waits, default=None)
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
        if what := _too_much(choice, tokens, most):
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
        began = self.gateway.clock()
        made: Answer | Embeddings
        async with self._on_record(call, target, began):
            upstream = await self.gateway.wire(call.choice)
            async with asyncio.timeout(target.timeout_s):
                if self.embedding:
                    made = await upstream.embed(self.embedding, target)
                else:
                    made = await upstream.chat(self._asked_of(call.choice), target)
        return await self._succeeded(call, began, made)

    async def _streamed(self, call: Call, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        gateway, began = self.gateway, self.gateway.clock()
        first_ms: float | None = None
        answer: Answer | None = None
        async with self._on_record(call, target, began):
            upstream = await gateway.wire(call.choice)
            async with contextlib.aclosing(upstream.stream(self._asked_of(call.choice), target)) as pieces:
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
        made = await self._succeeded(call, began, answer, first_ms)
        assert isinstance(made, Answer)
        yield made

    @contextlib.asynccontextmanager
    async def _on_record(self, call: Call, target: Target, began: float) -> AsyncIterator[None]:
        """A try whose end is kept when it is no answer: a failure, nothing asked, or nobody waiting any more."""
        try:
            yield
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


def saying(answer: Answer, said: Sequence[str]) -> Answer:
    """The answer with what was not asked before it, and why."""
    if not said:
        return answer
    return replace(answer, degraded="; ".join(part for part in (*said, answer.degraded) if part))


def _too_much(choice: Choice, tokens: int, most: int) -> str:
    """Why a model cannot take so many tokens and give as many; "" when it can."""
    window, per_minute = choice.facts.window, choice.provider.tokens_per_minute
    if window and tokens + most > window:
        return f"{tokens} tokens and an answer of {most} do not fit into {window}"
    if per_minute and tokens + most > per_minute:
        return f"{tokens} tokens and an answer of {most} are more than its {per_minute} a minute"
    return ""


def _too_slow(target: Target) -> ProviderError:
    return ProviderError(f"No answer within {target.timeout_s:.0f} s.", outcome="timeout", billed=True)


def _given_up(tried: Tried, model: str) -> Exception:
    """Why nobody answered: the budget, when that is all that stood in the way of anyone who could."""
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
