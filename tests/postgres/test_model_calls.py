"""Promises, charges and the record of model calls in a real Postgres, many callers at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from panlect.db.pool import DEFAULT_ORGANISATION, Database
from panlect.errors import BadInputError, BudgetExhaustedError, DatabaseError, ModelUnavailableError
from panlect.insights.costs import BY, costs, spending
from panlect.limits import Limit, take
from panlect.llm import recorder, replay
from panlect.llm.budget import Call, Ending, LimitedError
from panlect.llm.chat import Answer, Caller, ChatRequest, Message, Usage
from panlect.llm.document import layered, parse
from panlect.llm.gateway import Gateway
from panlect.llm.recorder import PostgresLedger
from panlect.llm.store import FileTables, KeySource
from panlect.llm.table import Budget, Choice, Model, ModelTable, Provider
from tests.conftest import Place
from tests.unit.llm.upstream_double import Double

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
CHOICE = Choice(Provider("a", "compatible", "http://a.example"), "ok", Model(input_usd=1.0, output_usd=1.0))
PER_PULL = (Budget("pull_request", 0.01),)


def caller(place: Place, **more: Any) -> Caller:
    return Caller(DEFAULT_ORGANISATION, place.repository_id, place.pull_request_id, **more)


def call(place: Place, cost: int = 1000, choice: Choice = CHOICE, **more: Any) -> Call:
    values = {"input_tokens": 100, "max_output_tokens": 50, "timeout_s": 30.0, "raw_tokens": 90, **more}
    return Call(uuid4(), b"h" * 16, "review", choice, caller(place), reserve_microusd=cost, **values)


@pytest.fixture
def ledger(db: Database) -> PostgresLedger:
    return PostgresLedger(db, keep_s=3600)


async def spent(db: Database) -> list[tuple[str, str, int, int]]:
    async with db.organisation(DEFAULT_ORGANISATION) as connection:
        cursor = await connection.execute(
            "select scope, period, reserved, settled from spend order by scope, period"
        )
        return list(await cursor.fetchall())


async def test_a_promise_is_given_back_and_the_cost_charged(
    db: Database, ledger: PostgresLedger, place: Place
) -> None:
    one = call(place)
    await ledger.reserve(one, PER_PULL)
    assert await spent(db) == [("pull_request", "total", 1000, 0)]
    await ledger.settle(one, Ending("ok", 12.0, Usage(80, 5), 85))
    assert await spent(db) == [("pull_request", "total", 0, 85)]


async def test_sixty_four_callers_at_once_never_spend_more_than_the_budget(
    db: Database, ledger: PostgresLedger, place: Place
) -> None:
    budgets = (Budget("pull_request", 0.01), Budget("organisation", 0.02, "month"))
    refused: list[str] = []
    made: list[int] = []

    async def ask() -> None:
        one = call(place)
        try:
            await ledger.reserve(one, budgets)
        except BudgetExhaustedError as error:
            refused.append(error.scope)
            return
        made.append(1)
        await asyncio.sleep(0.01)
        await ledger.settle(one, Ending("ok", 1.0, Usage(10, 10), 1000))

    await asyncio.gather(*(ask() for _ in range(64)))
    assert len(made) == 10  # of $0.001 each, in a budget of $0.01
    assert refused == ["pull_request"] * 54
    assert await spent(db) == [("organisation", "month", 0, 10_000), ("pull_request", "total", 0, 10_000)]


async def test_a_new_budget_counts_what_was_spent_before_it(
    db: Database, ledger: PostgresLedger, place: Place
) -> None:
    before = call(place)
    await ledger.reserve(before, ())
    await ledger.settle(before, Ending("ok", 1.0, Usage(1, 1), 9_500))
    with pytest.raises(BudgetExhaustedError, match=r"\$0\.01 of \$0\.01"):
        await ledger.reserve(call(place), PER_PULL)
    await ledger.reserve(call(place, cost=400), PER_PULL)


async def test_a_refused_call_leaves_no_promise_in_any_budget(
    db: Database, ledger: PostgresLedger, place: Place
) -> None:
    budgets = (Budget("organisation", 1.0, "day"), Budget("repository", 0.0))
    with pytest.raises(BudgetExhaustedError, match="this repository"):
        await ledger.reserve(call(place), budgets)
    assert await spent(db) == []


async def test_a_free_call_is_made_whatever_was_spent(ledger: PostgresLedger, place: Place) -> None:
    await ledger.reserve(call(place, cost=0), (Budget("pull_request", 0.0),))


async def test_the_calls_of_a_dead_gateway_are_charged_at_their_estimate(
    db: Database, ledger: PostgresLedger, place: Place, administrator_url: str
) -> None:
    lost, alive = call(place), call(place)
    for one in (lost, alive):
        await ledger.reserve(one, PER_PULL)
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute("update panlect.model_reservation set expires_at = now() where id = %s", [lost.id])
    assert await recorder.expire(db) == 1
    assert await recorder.expire(db) == 0
    assert await spent(db) == [("pull_request", "total", 1000, 1000)]
    (row,) = await recorder.list_calls(db, DEFAULT_ORGANISATION)
    assert (row["id"], row["outcome"], row["cost_microusd"]) == (lost.id, "lost", 1000)
    # It was only slow: what it says last is what is charged, once.
    await ledger.settle(lost, Ending("ok", 1.0, Usage(1, 1), 30))
    assert await spent(db) == [("pull_request", "total", 1000, 30)]


async def test_all_replicas_share_one_limit_of_calls_at_once(db: Database, place: Place) -> None:
    choice = replace(CHOICE, provider=replace(CHOICE.provider, concurrency=2))
    replicas = [PostgresLedger(db, 0.0) for _ in range(3)]
    calls = [call(place, choice=choice) for _ in range(3)]
    await replicas[0].reserve(calls[0], ())
    await replicas[1].reserve(calls[1], ())
    with pytest.raises(LimitedError, match="concurrency"):
        await replicas[2].reserve(calls[2], ())
    await replicas[0].settle(calls[0], Ending("ok", 1.0))
    await replicas[2].reserve(calls[2], ())


async def test_all_replicas_share_one_limit_of_tokens_a_minute(db: Database, place: Place) -> None:
    choice = replace(CHOICE, provider=replace(CHOICE.provider, tokens_per_minute=300))
    replicas = [PostgresLedger(db, 0.0) for _ in range(3)]
    for ledger in replicas[:2]:
        await ledger.reserve(call(place, choice=choice), PER_PULL)  # 150 tokens each
    before = await spent(db)
    with pytest.raises(LimitedError, match="tokens") as caught:
        await replicas[2].reserve(call(place, choice=choice), PER_PULL)
    assert 0 < caught.value.wait_s <= 30
    assert await spent(db) == before


async def test_a_repository_of_somebody_else_is_refused(ledger: PostgresLedger, place: Place) -> None:
    foreign = replace(call(place), caller=Caller(DEFAULT_ORGANISATION, repository_id=uuid4()))
    with pytest.raises(BadInputError, match="no such repository"):
        await ledger.reserve(foreign, ())


async def test_what_cannot_be_written_is_an_error_of_everyone_who_waits_for_it(
    ledger: PostgresLedger, place: Place
) -> None:
    endings = [Ending("ok", 1.0, Usage(1, 1), 1), Ending("ok", 1.0, Usage(2**70, 1), 1)]
    done = await asyncio.gather(*(ledger.settle(call(place), e) for e in endings), return_exceptions=True)
    assert [type(one) for one in done] == [type(None), DatabaseError]
    await ledger.settle(call(place), endings[0])


def gateway(db: Database, document: dict[str, Any], double: Double) -> Gateway:
    providers = {"a": {"kind": "compatible", "url": "http://a.example/v1"}}
    models = {"a/ok": {"input_usd": 1.0, "output_usd": 1.0}}
    table = layered(ModelTable(), parse({"providers": providers, "models": models, **document}, shared=True))
    tables = FileTables(table, KeySource(None, {}))
    return Gateway(tables, PostgresLedger(db, 3600), lambda _: double, double.aclose)


async def test_sixty_four_callers_of_the_gateway_stay_within_their_budget(db: Database, place: Place) -> None:
    double = Double(usage=Usage(100, 100), pause_s=0.005)
    limit = {"scope": "repository", "period": "day", "limit_usd": 0.003}
    made = gateway(db, {"roles": {"review": ["a/ok"]}, "budgets": [limit]}, double)
    question = ChatRequest("review", (Message("user", "word " * 80),), max_tokens=100)
    answers = await asyncio.gather(
        *(made.chat(question, caller(place)) for _ in range(64)), return_exceptions=True
    )
    good = [one for one in answers if isinstance(one, Answer)]
    assert all(isinstance(one, Answer | BudgetExhaustedError) for one in answers)
    assert 10 <= len(good) == len(double.asked) <= 15
    ((_, _, reserved, settled),) = await spent(db)
    assert (reserved, settled) == (0, 200 * len(good))
    assert settled <= 3000


async def test_every_try_is_on_record_with_what_it_cost(db: Database, place: Place) -> None:
    run = uuid4()
    made = gateway(db, {"roles": {"review": ["a/500", "a/ok"]}}, Double())
    question = ChatRequest("review", (Message("user", "hello"),), max_tokens=10)
    answer = await made.chat(question, caller(place, run_id=run, step="propose:1"))
    rows = await recorder.list_calls(db, DEFAULT_ORGANISATION, run_id=run)
    assert {row["outcome"] for row in rows} == {"ok", "unavailable"}
    assert len({row["request_id"] for row in rows}) == 1
    good = next(row for row in rows if row["outcome"] == "ok")
    assert (good["id"], good["cost_microusd"], good["input_tokens"], good["step"]) == (
        answer.call_id,
        15,
        10,
        "propose:1",
    )
    body = await recorder.find_body(db, DEFAULT_ORGANISATION, good["id"])
    assert body is not None and body.request.messages == question.messages
    assert body.answer.content == "from ok"


async def test_a_recorded_run_is_replayed_without_a_provider(db: Database, place: Place) -> None:
    run = uuid4()
    double = Double()
    made = gateway(db, {"roles": {"review": ["a/ok"]}}, double)
    questions = [
        ChatRequest("review", (Message("user", f"<{tag}>{text}</{tag}>"),), max_tokens=10, tag=tag)
        for tag, text in (("r1", "first"), ("r2", "second"), ("r3", "first"))
    ]
    for question in questions:
        await made.chat(question, caller(place, run_id=run))
    again = replay.Replay(await replay.recorded(db, DEFAULT_ORGANISATION, run_id=run))
    # Other tags, the same questions.
    again_asked = [
        replace(q, messages=(Message("user", q.messages[0].content.replace(q.tag, "zz")),), tag="zz")
        for q in questions
    ]
    answers = [await again.chat(question, caller(place)) for question in again_asked]
    assert [one.content for one in answers] == ["from ok"] * 3
    assert (again.hits, again.fidelity, len(double.asked)) == (3, 1.0, 3)
    with pytest.raises(ModelUnavailableError, match="not in the record"):
        await again.chat(questions[0], caller(place))
    assert again.fidelity == 0.75


async def test_bodies_go_when_their_time_is_over(db: Database, place: Place, administrator_url: str) -> None:
    made = gateway(db, {"roles": {"review": ["a/ok"]}}, Double())
    answer = await made.chat(ChatRequest("review", (Message("user", "hello"),), max_tokens=10), caller(place))
    assert answer.call_id is not None
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute("update panlect.model_call_body set expires_at = now()")
    await recorder.expire(db)
    assert await recorder.find_body(db, DEFAULT_ORGANISATION, answer.call_id) is None
    assert len(await recorder.list_calls(db, DEFAULT_ORGANISATION)) == 1


async def test_a_call_that_is_cancelled_is_charged_and_on_record(db: Database, place: Place) -> None:
    made = gateway(db, {"roles": {"review": ["a/slow"]}}, Double())
    asking = asyncio.create_task(
        made.chat(ChatRequest("review", (Message("user", "x"),), max_tokens=10), caller(place))
    )
    await asyncio.sleep(0.2)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    (row,) = await recorder.list_calls(db, DEFAULT_ORGANISATION)
    assert row["outcome"] == "cancelled"


async def test_a_bucket_fills_again_and_is_shared(db: Database) -> None:
    limit = Limit(capacity=2, per_s=50)
    assert [await take(db, "sign-in:1.2.3.4", limit) for _ in range(2)] == [0.0, 0.0]
    wait_s = await take(db, "sign-in:1.2.3.4", limit)
    assert 0 < wait_s <= 0.02
    assert await take(db, "sign-in:5.6.7.8", limit) == 0.0
    await asyncio.sleep(0.05)
    assert await take(db, "sign-in:1.2.3.4", limit) == 0.0


async def test_a_race_for_a_bucket_takes_no_more_than_it_holds(db: Database) -> None:
    limit = Limit(capacity=10, per_s=0.001)
    taken = await asyncio.gather(*(take(db, "race", limit) for _ in range(40)))
    assert sum(wait_s == 0.0 for wait_s in taken) == 10


async def test_of_two_limits_for_one_thing_the_lower_one_holds_and_money_is_promised_once(
    db: Database, ledger: PostgresLedger, place: Place
) -> None:
    both = (Budget("organisation", 1.0, "month"), Budget("organisation", 0.0015, "month"))
    await ledger.reserve(call(place), both)
    assert await spent(db) == [("organisation", "month", 1000, 0)]
    with pytest.raises(BudgetExhaustedError):
        await ledger.reserve(call(place), both)


async def test_tokens_that_were_not_used_are_there_again(db: Database, place: Place) -> None:
    choice = replace(CHOICE, provider=replace(CHOICE.provider, tokens_per_minute=160))
    ledger = PostgresLedger(db, 0.0)
    one = call(place, choice=choice)  # 150 tokens
    await ledger.reserve(one, ())
    with pytest.raises(LimitedError):
        await ledger.reserve(call(place, choice=choice), ())
    await ledger.settle(one, Ending("rate_limited", 1.0, Usage(0, 0)))
    await ledger.reserve(call(place, choice=choice), ())


async def test_a_cost_below_nothing_is_nothing(db: Database, ledger: PostgresLedger, place: Place) -> None:
    one = call(place)
    await ledger.reserve(one, PER_PULL)
    await ledger.settle(one, Ending("ok", 1.0, Usage(1, 1), -10_000))
    assert await spent(db) == [("pull_request", "total", 0, 0)]


async def test_a_run_that_was_answered_from_the_record_can_be_replayed(db: Database, place: Place) -> None:
    made = gateway(db, {"roles": {"review": {"chain": ["a/ok"], "cache": True}}}, Double())
    question = ChatRequest("review", (Message("user", "hello"),), max_tokens=10)
    runs = [uuid4(), uuid4()]
    answers = [await made.chat(question, caller(place, run_id=run)) for run in runs]
    assert [one.cached for one in answers] == [False, True]
    again = replay.Replay(await replay.recorded(db, DEFAULT_ORGANISATION, run_id=runs[1]))
    assert (await again.chat(question, caller(place))).content == "from ok"


async def test_costs_are_summed_by_what_is_asked(db: Database, place: Place) -> None:
    made = gateway(db, {"roles": {"review": ["a/500", "a/ok"], "ask": ["a/ok"]}}, Double())
    question = ChatRequest("review", (Message("user", "x"),), max_tokens=10)
    await made.chat(question, caller(place))
    await made.chat(question.to("ask"), Caller(DEFAULT_ORGANISATION))
    since = datetime.now(UTC) - timedelta(hours=1)
    by = {name: await costs(db, DEFAULT_ORGANISATION, name, since=since) for name in BY}
    assert [(r["about"], r["calls"], r["failed"], r["cost_microusd"]) for r in by["role"]] == [
        ("review", 2, 1, 15),
        ("ask", 1, 0, 15),
    ]
    assert {r["about"] for r in by["pull_request"]} == {"acme/shop#7", ""}
    assert {r["about"] for r in by["model"]} == {"a/ok", "a/500"}
    assert [r["about"] for r in by["day"]] == [datetime.now(UTC).strftime("%Y-%m-%d")]
    assert by["role"][1]["p50_ms"] > 0
    with pytest.raises(BadInputError, match="Use one of role"):
        await costs(db, DEFAULT_ORGANISATION, "weather", since=since)


async def test_a_budget_says_how_far_it_is_spent_and_when_it_is_gone(db: Database, place: Place) -> None:
    limit = {"scope": "organisation", "period": "month", "limit_usd": 1.0}
    made = gateway(db, {"roles": {"review": ["a/ok"]}, "budgets": [limit]}, Double())
    await made.chat(ChatRequest("review", (Message("user", "x"),), max_tokens=10), caller(place))
    (one,) = await spending(db, DEFAULT_ORGANISATION, (Budget("organisation", 1.0, "month"),))
    assert (one.settled_microusd, one.reserved_microusd, one.limit_microusd) == (15, 0, 1_000_000)
    assert one.gone_at is not None and one.gone_at > datetime.now(UTC)


async def test_the_place_of_a_dead_gateways_call_is_free_again(
    ledger: PostgresLedger, place: Place, administrator_url: str
) -> None:
    choice = replace(CHOICE, provider=replace(CHOICE.provider, concurrency=1))
    await ledger.reserve(call(place, choice=choice), ())
    with pytest.raises(LimitedError):
        await ledger.reserve(call(place, choice=choice), ())
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute("update panlect.model_reservation set expires_at = now() - interval '1 s'")
    await ledger.reserve(call(place, choice=choice), ())
