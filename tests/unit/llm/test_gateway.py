"""The gateway over a double of a provider: who is asked in which order, what it costs, and what is said when nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from panlect.errors import (
    BadInputError,
    BudgetExhaustedError,
    ConfigurationError,
    ModelUnavailableError,
    NoModelError,
)
from panlect.llm.budget import Call, MemoryLedger
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Message, Tool, Usage
from panlect.llm.document import layered, parse
from panlect.llm.gateway import Gateway
from panlect.llm.store import FileTables, KeySource
from panlect.llm.table import Budget, Choice, ModelTable
from tests.unit.llm.upstream_double import Double

pytestmark = pytest.mark.anyio
CALLER = Caller(UUID(int=1), UUID(int=2), UUID(int=3))
QUESTION = ChatRequest("review", (Message("user", "Is this right?"),), max_tokens=100)
PRICED = {"input_usd": 1.0, "output_usd": 10.0}


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def document(chain: list[str], **role: Any) -> dict[str, Any]:
    return {
        "providers": {
            "a": {"kind": "compatible", "url": "http://a.example/v1"},
            "b": {"kind": "compatible", "url": "http://b.example/v1"},
        },
        "roles": {"review": {"chain": chain, **role}},
    }


def gateway(
    document: dict[str, Any], double: Double | None = None, clock: Clock | None = None, timeout_s: float = 0.0
) -> Gateway:
    table = layered(ModelTable(), parse(document, shared=True))
    if timeout_s:  # less than a document may ask for: tests do not wait
        roles = {name: replace(role, timeout_s=timeout_s) for name, role in table.roles.items()}
        table = replace(table, roles=roles)
    double = double or Double()
    timing: dict[str, Any] = {"clock": clock, "sleep": clock.sleep} if clock else {}
    return Gateway(
        FileTables(table, KeySource(None, {})), MemoryLedger(), lambda _: double, double.aclose, **timing
    )


def outcomes(made: Gateway) -> list[str]:
    assert isinstance(made.ledger, MemoryLedger)
    return [ending.outcome for _, ending in made.ledger.calls]


async def test_with_nothing_configured_it_says_model_none() -> None:
    made = gateway({})
    assert await made.named("review", CALLER.organisation_id) == "none"
    assert await made.known(CALLER.organisation_id) == ()
    with pytest.raises(NoModelError, match="model: none"):
        await made.chat(QUESTION, CALLER)


async def test_the_first_of_the_chain_answers() -> None:
    double = Double()
    made = gateway(document(["a/ok", "b/ok"]), double)
    answer = await made.chat(QUESTION, CALLER)
    assert (answer.content, answer.provider, answer.model) == ("from ok", "a", "ok")
    assert double.asked == ["a/ok"]
    assert outcomes(made) == ["ok"]


@pytest.mark.parametrize("failing", ["429", "500", "auth", "garbage", "rejected"])
async def test_the_next_takes_over_when_one_fails(failing: str) -> None:
    double = Double()
    made = gateway(document([f"a/{failing}", "b/ok"]), double, Clock())
    answer = await made.chat(QUESTION, CALLER)
    assert answer.content == "from ok"
    assert double.asked == [f"a/{failing}", "b/ok"]
    assert len(outcomes(made)) == 2


async def test_one_that_hangs_is_left_after_its_time() -> None:
    made = gateway(document(["a/slow"]), timeout_s=0.1)
    with pytest.raises(ModelUnavailableError, match="No model"):
        await made.chat(QUESTION, CALLER)
    assert outcomes(made) == ["timeout"]


async def test_the_next_takes_over_from_one_that_hangs_and_has_as_much_time() -> None:
    double = Double(pause_s=0.1)
    made = gateway(document(["a/slow", "b/ok"]), double, timeout_s=0.3)
    assert (await made.chat(QUESTION, CALLER)).provider == "b"
    assert outcomes(made) == ["timeout", "ok"]


async def test_whoever_gives_no_time_does_not_close_a_provider_for_others() -> None:
    made = gateway(document(["a/slow"]), timeout_s=0.01)
    for _ in range(6):
        with pytest.raises(ModelUnavailableError):
            await made.chat(QUESTION, CALLER)
    assert made.breaker("a").wait_s() == 0.0


async def test_a_provider_at_its_limit_is_passed_over_at_once() -> None:
    one = document(["a/slow", "b/ok"])
    one["providers"]["a"]["concurrency"] = 1
    made = gateway(one, timeout_s=5)
    busy = asyncio.create_task(made.chat(QUESTION, CALLER))
    await asyncio.sleep(0.05)
    assert (await made.chat(QUESTION, CALLER)).provider == "b"
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)


async def test_an_entry_without_a_key_or_a_price_does_not_take_the_chain_with_it() -> None:
    one = document(["keyless/gpt-5", "paid/unheard-of", "b/ok"])
    one["providers"]["keyless"] = {"kind": "openai", "key": "NOT_SET"}
    one["providers"]["paid"] = {"kind": "openai", "key": "PAID"}
    made = gateway({**one, "budgets": [{"scope": "organisation", "limit_usd": 1}]})
    assert (await made.chat(QUESTION, CALLER)).provider == "b"
    with pytest.raises(ConfigurationError, match="has no key"):
        await gateway({**one, "roles": {"review": ["keyless/gpt-5"]}}).chat(QUESTION, CALLER)


async def test_who_is_cancelled_while_the_promise_is_made_gives_it_back() -> None:
    class Slow(MemoryLedger):
        __slots__ = ()

        async def reserve(self, call: Call, budgets: Sequence[Budget]) -> None:
            await MemoryLedger.reserve(self, call, budgets)
            await asyncio.sleep(0.1)

    made = gateway(document(["a/ok"]))
    made.ledger = Slow()
    asking = asyncio.create_task(made.chat(QUESTION, CALLER))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert made.ledger._promised == {}
    assert outcomes(made) == ["cancelled"]


async def test_a_wire_that_cannot_be_loaded_leaves_no_promise() -> None:
    def broken(_: Choice) -> Any:
        raise ConfigurationError("Models need packages that are not installed.")

    made = gateway(document(["a/ok"]))
    made.upstream = broken
    with pytest.raises(ConfigurationError):
        await made.chat(QUESTION, CALLER)
    assert isinstance(made.ledger, MemoryLedger)
    assert made.ledger._promised == {}


async def test_more_than_a_minute_of_tokens_is_asked_of_somebody_else() -> None:
    one = document(["a/ok", "b/ok"])
    one["providers"]["a"]["tokens_per_minute"] = 90
    assert (await gateway(one).chat(QUESTION, CALLER)).provider == "b"


async def test_a_single_provider_is_asked_again_after_as_long_as_it_says() -> None:
    double, clock = Double(), Clock()
    made = gateway(document(["a/429"]), double, clock)
    with pytest.raises(ModelUnavailableError) as caught:
        await made.chat(QUESTION, CALLER)
    assert double.asked == ["a/429"] * 3
    assert clock.slept[0] >= 3.0 and clock.slept[1] >= 3.0
    assert caught.value.retry_after_s == 3.0


async def test_a_request_that_no_model_takes_is_the_callers_fault() -> None:
    with pytest.raises(BadInputError, match="takes this request"):
        await gateway(document(["a/rejected"]), clock=Clock()).chat(QUESTION, CALLER)


async def test_a_dead_provider_is_left_alone_and_probed_once() -> None:
    double, clock = Double(), Clock()
    made = gateway(document(["a/500", "b/ok"]), double, clock)
    for _ in range(8):
        await made.chat(QUESTION, CALLER)
    assert double.asked.count("a/500") == 5
    clock.at += 31
    for _ in range(3):
        await made.chat(QUESTION, CALLER)
    assert double.asked.count("a/500") == 6


async def test_a_stream_gives_pieces_then_the_answer() -> None:
    made = gateway(document(["a/ok"]))
    pieces = [piece async for piece in made.stream(QUESTION, CALLER)]
    assert [piece.text for piece in pieces if isinstance(piece, Delta)] == ["from ", "ok"]
    assert isinstance(pieces[-1], Answer)
    assert pieces[-1].call_id is not None


async def test_a_stream_that_has_begun_is_not_continued_by_another_provider() -> None:
    double = Double()
    made = gateway(document(["a/cut", "b/ok"]), double)
    seen = []
    with pytest.raises(ModelUnavailableError, match="broke off"):
        async for piece in made.stream(QUESTION, CALLER):
            seen.append(piece)
    assert seen == [Delta("half an ")]
    assert double.asked == []
    assert outcomes(made) == ["cut"]


async def test_a_stream_that_fails_before_its_first_piece_is_taken_over() -> None:
    made = gateway(document(["a/500", "b/ok"]), clock=Clock())
    pieces = [piece async for piece in made.stream(QUESTION, CALLER)]
    assert isinstance(pieces[-1], Answer) and pieces[-1].provider == "b"


async def test_a_reader_who_leaves_is_charged_for_what_was_promised() -> None:
    one = {**document(["a/ok"]), "models": {"a/ok": PRICED}}
    made = gateway(one)
    async with aclosing(made.stream(QUESTION, CALLER)) as pieces:
        await anext(pieces)
    assert isinstance(made.ledger, MemoryLedger)
    ((call, ending),) = made.ledger.calls
    assert ending.outcome == "cancelled"
    assert ending.cost_microusd == call.reserve_microusd > 0


async def test_what_one_answer_costs_is_charged_and_what_was_promised_is_given_back() -> None:
    budget = {"scope": "pull_request", "limit_usd": 0.0025}  # a call promises about $0.001 and costs $0.00006
    one = {**document(["a/ok"]), "models": {"a/ok": PRICED}, "budgets": [budget]}
    made = gateway(one)
    answers = [await made.chat(QUESTION, CALLER) for _ in range(20)]
    assert {answer.cost_microusd for answer in answers} == {60}


async def test_a_spent_budget_goes_on_with_the_cheaper_model_of_the_chain() -> None:
    models = {"a/ok": {"input_usd": 1000.0, "output_usd": 1000.0}, "b/ok": {"input_usd": 0, "output_usd": 0}}
    budgets = [{"scope": "organisation", "period": "month", "limit_usd": 0.001}]
    double = Double()
    made = gateway({**document(["a/ok", "b/ok"]), "models": models, "budgets": budgets}, double)
    answer = await made.chat(QUESTION, CALLER)
    assert answer.provider == "b"
    assert answer.degraded.startswith(
        "a/ok was not asked: The budget of this month of the organisation is spent"
    )
    assert double.asked == ["b/ok"]


async def test_a_spent_budget_degrades_to_the_cheaper_role_and_says_so() -> None:
    one = document(["b/ok"])
    one["roles"]["review-deep"] = {"chain": ["a/ok"]}
    models = {"a/ok": {"input_usd": 1000.0}, "b/ok": {"input_usd": 0}}
    budgets = [{"scope": "pull_request", "limit_usd": 0.001}]
    made = gateway({**one, "models": models, "budgets": budgets})
    answer = await made.chat(QUESTION.to("review-deep"), CALLER)
    assert answer.provider == "b"
    assert "review-deep was not asked: The budget of this pull request is spent" in answer.degraded


async def test_a_spent_budget_with_nothing_cheaper_makes_no_call() -> None:
    budgets = [{"scope": "repository", "period": "month", "limit_usd": 0}]
    double = Double()
    made = gateway({**document(["a/ok"]), "models": {"a/ok": PRICED}, "budgets": budgets}, double)
    with pytest.raises(BudgetExhaustedError, match="this month") as caught:
        await made.chat(QUESTION, CALLER)
    assert caught.value.scope == "repository"
    assert double.asked == []


async def test_a_model_without_a_price_is_refused_where_budgets_are_kept() -> None:
    one = document(["paid/unheard-of"])
    one["providers"]["paid"] = {"kind": "openai", "key": "PAID"}
    with pytest.raises(ConfigurationError, match="No price is known for paid/unheard-of"):
        await gateway({**one, "budgets": [{"scope": "organisation", "limit_usd": 1}]}).chat(QUESTION, CALLER)


async def test_a_prompt_that_does_not_fit_goes_to_a_larger_window() -> None:
    long = replace(QUESTION, messages=(Message("user", "word " * 3000),))
    double = Double()
    made = gateway({**document(["a/ok", "b/ok"]), "models": {"a/ok": {"window": 2000}}}, double)
    assert (await made.chat(long, CALLER)).provider == "b"
    assert double.asked == ["b/ok"]
    alone = gateway({**document(["a/ok"]), "models": {"a/ok": {"window": 2000}}})
    with pytest.raises(BadInputError):
        await alone.chat(long, CALLER)


async def test_no_more_calls_at_once_than_the_provider_allows() -> None:
    one = document(["a/ok"])
    one["providers"]["a"]["concurrency"] = 3
    double = Double(pause_s=0.02)
    made = gateway(one, double)
    await asyncio.gather(*(made.chat(QUESTION, CALLER) for _ in range(12)))
    assert double.most_at_once == 3
    assert len(double.asked) == 12


async def test_the_same_request_is_answered_from_the_record_where_the_role_allows() -> None:
    double = Double()
    made = gateway(document(["a/ok"], cache=True), double)
    fenced = [replace(QUESTION, messages=(Message("user", f"<{tag}> x"),), tag=tag) for tag in ("t1", "t2")]
    first, second = [await made.chat(request, CALLER) for request in fenced]
    assert (first.cached, second.cached, second.cost_microusd) == (False, True, 0)
    assert second.content == first.content
    assert len(double.asked) == 1
    assert outcomes(made) == ["ok", "cached"]
    longer = await made.chat(replace(fenced[0], max_tokens=4000), CALLER)
    assert not longer.cached, "a longer answer was asked for"
    assert not (await gateway(document(["a/ok"]), double).chat(QUESTION, CALLER)).cached


async def test_a_slow_provider_is_hedged_only_when_asked_for() -> None:
    double = Double()
    made = gateway(document(["a/slow", "b/ok"], hedge_after_s=0.02), double)
    assert (await made.chat(QUESTION, CALLER)).provider == "b"
    assert sorted(outcomes(made)) == ["cancelled", "ok"]


async def test_the_providers_own_count_corrects_ours() -> None:
    double = Double(usage=Usage(3000, 5))
    made = gateway(document(["a/ok"]), double)
    long = replace(QUESTION, messages=(Message("user", "word " * 1000),))
    for _ in range(2):
        await made.chat(long, CALLER)
    assert isinstance(made.ledger, MemoryLedger)
    first, second = (call.input_tokens for call, _ in made.ledger.calls)
    assert second == pytest.approx(first * 3000 / made.ledger.calls[0][0].raw_tokens, rel=0.01)


async def test_what_the_caller_leaves_open_is_as_the_role_says() -> None:
    double = Double()
    made = gateway(document(["a/ok"], temperature=0.3, max_tokens=77), double)
    await made.chat(replace(QUESTION, max_tokens=None), CALLER)
    await made.chat(replace(QUESTION, temperature=1.0), CALLER)
    assert [(r.temperature, r.max_tokens) for r in double.requests] == [(0.3, 77), (1.0, 100)]


async def test_a_model_without_tools_is_asked_without_them() -> None:
    double = Double()
    made = gateway({**document(["a/ok"]), "models": {"a/ok": {"tools": False}}}, double)
    tool = Tool("read", "Reads.", {"type": "object"})
    await made.chat(replace(QUESTION, tools=(tool,), tool_choice="required"), CALLER)
    assert (double.requests[0].tools, double.requests[0].tool_choice) == ((), "auto")


async def test_texts_are_cleaned_before_they_are_embedded() -> None:
    one = document([])
    one["roles"] = {"embed": ["a/vectors"]}
    double = Double()
    await gateway(one, double).embed("embed", ["key = 'ghp_" + "a" * 36 + "'"], CALLER)
    assert "ghp_" not in str(double.embedded)


async def test_vectors_come_from_the_chain_too() -> None:
    one = document([])
    one["roles"] = {"embed": ["a/vectors"]}
    made = await gateway(one).embed("embed", ["a", "bcd"], CALLER)
    assert made.vectors == ((1.0,), (3.0,))
    assert made.provider == "a"


async def test_a_role_that_nobody_was_named_for_is_played_by_the_reviewer_but_summaries_are_not() -> None:
    made = gateway(document(["a/ok"]))
    assert await made.named("ask", CALLER.organisation_id) == "a/ok"
    assert await made.named("summarize", CALLER.organisation_id) == "none"
