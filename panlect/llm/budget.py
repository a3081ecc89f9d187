"""Before a call: what it may cost, and the promise of it. After the call: what it did cost.

The protocol of the ledger, and its form in memory (terminal, tests); in Postgres it is `recorder.py`.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from panlect.errors import BudgetExhaustedError
from panlect.llm import prices
from panlect.llm.chat import Answer, Caller, ChatRequest, Usage
from panlect.llm.table import Budget, Choice
from panlect.llm.tokens import estimate_tokens

_RESERVE = 1.15  # our count is at most this much too low on 95 of 100 files (measured over 346)
_OF_MESSAGE, _OF_TOOL = 6, 30  # tokens around a turn and around a tool's schema
_ANSWERS = 256  # kept by a process without a database
_LATE_S = 60.0  # after its timeout a call that is not settled is lost


@dataclass(frozen=True, slots=True)
class Call:
    """One try of one provider, before it is made. `reserve_microusd` is what it may cost at most as far as is known."""

    request_id: UUID
    request_hash: bytes
    role: str
    choice: Choice
    caller: Caller
    input_tokens: int  # estimated
    max_output_tokens: int
    reserve_microusd: int
    timeout_s: float
    raw_tokens: int = 0  # by our count alone, before the factor and the reserve
    asked_hash: bytes = (
        b""  # of the request with all that its role filled in: what a cached answer is found by
    )
    id: UUID = field(default_factory=uuid4)

    @property
    def provider_key(self) -> str:
        """What the limits of a provider are shared under: its account."""
        provider = self.choice.provider
        return provider.name if provider.shared else f"{self.caller.organisation_id}:{provider.name}"

    @property
    def expires_s(self) -> float:
        """Seconds after which a call that nobody settled is given up for lost."""
        return self.timeout_s + _LATE_S


@dataclass(frozen=True, slots=True)
class Ending:
    """How a try ended. `outcome` is ok, or one of ProviderError's, or cancelled."""

    outcome: str
    ms: float
    usage: Usage = field(default_factory=Usage)
    cost_microusd: int | None = 0
    detail: str = ""
    first_token_ms: float | None = None
    withheld: Mapping[str, int] = field(default_factory=dict)
    request: ChatRequest | None = None
    answer: Answer | None = None


class LimitedError(Exception):
    """A provider is at its limit now; `wait_s` says when to try again. Never leaves the gateway."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Ledger(Protocol):
    """Promises before calls, and the record of them."""

    async def reserve(self, call: Call, budgets: Sequence[Budget]) -> None:
        """Promise the call its place, money and tokens. Raises BudgetExhaustedError or LimitedError: then nothing is."""
        ...

    async def settle(self, call: Call, ending: Ending) -> None:
        """Give the promise back, charge what it cost, keep the record: all or nothing, and it is on disk."""
        ...

    async def recall(self, caller: Caller, asked_hash: bytes, choice: Choice) -> Answer | None:
        """The recorded answer to the same request, while it is kept."""
        ...

    async def factor(self, organisation_id: UUID, choice: Choice) -> float:
        """How many tokens of this model one of our estimated ones is."""
        ...


def count_tokens(request: ChatRequest) -> int:
    """Our estimate of what a request weighs, tools and schema included."""
    texts = sum(
        estimate_tokens(m.content)
        + _OF_MESSAGE
        + sum(estimate_tokens(c.arguments) + _OF_MESSAGE for c in m.tool_calls)
        for m in request.messages
    )
    tools = sum(
        estimate_tokens(t.description) + estimate_tokens(str(t.parameters)) + _OF_TOOL for t in request.tools
    )
    schema = estimate_tokens(str(request.schema.schema)) + _OF_TOOL if request.schema else 0
    return texts + tools + schema


def reserved_tokens(raw: int, factor: float) -> int:
    """Tokens to reserve for a text of `raw` by our count."""
    return math.ceil(raw * factor * _RESERVE)


def reserved_cost(choice: Choice, input_tokens: int, output_tokens: int) -> int | None:
    """What such a call costs if it writes all that it may; None when no price is known."""
    usage = Usage(input_tokens, output_tokens)
    return prices.cost(choice, usage, prices.seconds_of(choice, output_tokens))


def spent_error(scope: str, period: str, spent: int, limit: int) -> BudgetExhaustedError:
    """The error that names the budget."""
    words = {
        "pull_request": "this pull request",
        "repository": "this repository",
        "organisation": "the organisation",
    }
    per = "" if period == "total" else f" of this {period}"
    return BudgetExhaustedError(
        f"The budget{per} of {words[scope]} is spent: ${spent / 1e6:.2f} of ${limit / 1e6:.2f}.",
        scope=scope,
        why="The call that was wanted may cost more than what is left.",
        fix="Raise it in the models document, or wait for the next period.",
    )


@dataclass(slots=True)
class MemoryLedger:
    """Budgets over this process alone; nothing outlives it."""

    calls: deque[tuple[Call, Ending]] = field(default_factory=lambda: deque(maxlen=10_000))
    _answers: OrderedDict[tuple[bytes, str], Answer] = field(default_factory=OrderedDict)
    _promised: dict[UUID, tuple[Call, tuple[tuple[str, str], ...]]] = field(default_factory=dict)
    _spent: dict[tuple[str, str], int] = field(default_factory=dict)
    _factors: dict[str, float] = field(default_factory=dict)

    async def reserve(self, call: Call, budgets: Sequence[Budget]) -> None:
        """As the protocol says; limits are those of this process."""
        provider = call.choice.provider
        here = [c for c, _ in self._promised.values() if c.choice.provider.name == provider.name]
        if provider.concurrency and len(here) >= provider.concurrency:
            raise LimitedError("concurrency", 0.05)
        keys = []
        for budget in budgets:
            key = (budget.scope, _subject(budget, call.caller) + _starts(budget.period))
            spent = self._spent.get(key, 0)
            if call.reserve_microusd and spent + call.reserve_microusd > budget.limit_microusd:
                raise spent_error(budget.scope, budget.period, spent, budget.limit_microusd)
            keys.append(key)
        for key in dict.fromkeys(keys):
            self._spent[key] = self._spent.get(key, 0) + call.reserve_microusd
        self._promised[call.id] = (call, tuple(dict.fromkeys(keys)))

    async def settle(self, call: Call, ending: Ending) -> None:
        """As the protocol says."""
        _, keys = self._promised.pop(call.id, (call, ()))
        for key in keys:
            self._spent[key] += (ending.cost_microusd or 0) - call.reserve_microusd
        ratio = token_ratio(call, ending)
        if ratio is not None:
            self._factors[call.choice.name] = ratio
        if ending.outcome == "ok" and ending.answer is not None:
            self._answers[call.asked_hash, call.choice.name] = ending.answer
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
        self.calls.append((call, replace(ending, request=None, answer=None)))

    async def recall(self, caller: Caller, asked_hash: bytes, choice: Choice) -> Answer | None:  # noqa: ARG002
        """The last good answer of this process."""
        return self._answers.get((asked_hash, choice.name))

    async def factor(self, organisation_id: UUID, choice: Choice) -> float:  # noqa: ARG002
        """As the last call of the model showed."""
        return self._factors.get(choice.name, 1.0)


def token_ratio(call: Call, ending: Ending) -> float | None:
    """Tokens that the provider counted for one of ours; None where that says nothing."""
    if (
        ending.outcome != "ok"
        or ending.usage.estimated
        or call.raw_tokens < 50
        or not ending.usage.input_tokens
    ):
        return None
    return min(4.0, max(0.25, ending.usage.input_tokens / call.raw_tokens))


def _subject(budget: Budget, caller: Caller) -> str:
    ids = {"organisation": caller.organisation_id, "repository": caller.repository_id}
    return str(ids.get(budget.scope, caller.pull_request_id) or "")


def _starts(period: str) -> str:
    now = datetime.fromtimestamp(time.time(), UTC)
    return {"total": "", "month": now.strftime("@%Y-%m"), "day": now.strftime("@%Y-%m-%d")}[period]
