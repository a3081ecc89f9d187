"""The loop with scripted models: helpful, lying, greedy, confused, injected, away."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from panlect.ask.agent import NOT_CITED, Asking, Bounds, Done, Event, Failed, Source, Step, Text
from panlect.ask.corpus import LocalCorpus
from panlect.errors import BadInputError, BudgetExhaustedError, DatabaseError, ModelUnavailableError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, ToolCall, Usage
from panlect.llm.local import local_models
from panlect.llm.scripted import ScriptedModels
from panlect.settings import load
from tests.unit.ask.conftest import SHOP, MakeCorpus

pytestmark = pytest.mark.anyio
CALLER = Caller(UUID(int=1))


def calling(*calls: tuple[str, str], text: str = "") -> Answer:
    found = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    return Answer(text, "tool_calls", found, usage=Usage(100, 10), provider="p", model="m", cost_microusd=5)


def reading(path: str) -> tuple[str, str]:
    return "read", json.dumps({"path": path})


async def heard(asking: Asking, question: str = "Who rounds the total?") -> list[Event]:
    return [event async for event in asking.events(question)]


def done(events: list[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done), last
    return last


async def test_an_answer_rests_on_what_the_tools_showed(shop: LocalCorpus) -> None:
    def script(request: ChatRequest) -> Answer | str:
        if len(request.messages) == 2:
            return calling(reading("shop/money.py"), ("references", '{"name": "rounded"}'))
        return (
            "It is `rounded` [shop/money.py:1-2], used by capture [shop/capture.py:6]. " + "More words. " * 30
        )

    models, steps = ScriptedModels(script), list[tuple[str, str]]()
    asking = Asking(shop, models, CALLER, record=lambda step, said: steps.append((step.tool, said)))
    events = await heard(asking)
    end = done(events)
    assert [source.name for source in end.sources] == ["shop/money.py:1-2", "shop/capture.py:6-6"]
    assert end.sources[0].lines == ("def rounded(amount):", "    return round(amount, 2)")
    assert "".join(e.delta for e in events if isinstance(e, Text)).strip() == end.answer
    assert [e.extract for e in events if isinstance(e, Source)] == list(end.sources)
    assert sum(isinstance(e, Text) for e in events) > 3  # it streamed
    assert (end.model, end.steps, end.dropped, end.read) == ("scripted/script", 3, 0, ())
    assert [tool for tool, _ in steps] == ["search", "read", "references"]
    assert "=== shop/money.py lines 1-2 of 2" in steps[1][1]
    # What search found was there before the model asked for anything, between this conversation's own marks.
    first = models.asked[0]
    assert "shop/money.py" in first.messages[1].content
    assert f"<data-{first.tag} kind=" in first.messages[1].content
    assert first.tag not in str(models.asked[0].tools)
    assert set(models.callers) == {CALLER}


async def test_citations_that_were_never_read_are_gone_from_text_and_sources(shop: LocalCorpus) -> None:
    lies = "See [shop/money.py:1-2] [shop/money.py:900-950] and [secrets.env:1-2], [/etc/passwd:1]; [shop/nowhere.py:3-4]."
    events = await heard(Asking(shop, ScriptedModels(lambda _: lies), CALLER))
    assert done(events).answer == "See [shop/money.py:1-2] and,;."
    assert done(events).dropped == 4
    assert "secrets" not in "".join(e.delta for e in events if isinstance(e, Text))


async def test_an_answer_without_a_source_says_so_and_lists_what_was_read(shop: LocalCorpus) -> None:
    end = done(await heard(Asking(shop, ScriptedModels(lambda _: "I am sure of it."), CALLER)))
    assert end.answer == f"I am sure of it.\n\n{NOT_CITED}"
    assert end.sources == ()
    assert "shop/money.py" in {one.path for one in end.read}


async def test_a_model_that_calls_tools_for_ever_has_to_answer_in_the_end(shop: LocalCorpus) -> None:
    def script(request: ChatRequest) -> Answer | str:
        return calling(reading("shop/money.py")) if request.tools else "Rounded [shop/money.py:2]."

    models = ScriptedModels(script)
    end = done(await heard(Asking(shop, models, CALLER, Bounds(steps=4))))
    assert end.sources[0].name == "shop/money.py:2-2"
    assert len(models.asked) == 4
    last = models.asked[-1]
    assert [message.role for message in last.messages] == ["system", "user"]  # no trace of tools
    assert last.messages[1].content.count("read(shop/money.py):") == 3
    assert (end.tokens >= 3 * 110, end.cost_microusd) == (True, 15)


async def test_a_model_that_calls_tools_even_when_it_has_none_is_not_listened_to(shop: LocalCorpus) -> None:
    models = ScriptedModels(lambda _: calling(reading("shop/money.py")))
    end = done(await heard(Asking(shop, models, CALLER, Bounds(steps=2))))
    assert len(models.asked) == 2
    assert (end.model, end.why) == ("none", "The model gave no answer.")
    assert end.sources


async def test_the_budget_ends_the_reading_and_says_so(shop: LocalCorpus) -> None:
    def script(request: ChatRequest) -> Answer | str:
        return calling(reading("shop/money.py")) if request.tools else "Rounded [shop/money.py:2]."

    models = ScriptedModels(script)
    end = done(await heard(Asking(shop, models, CALLER, Bounds(steps=50, window=1500))))
    assert len(models.asked) < 30
    assert "budget" in end.notes[0]


async def test_garbage_and_unknown_tools_are_answered_and_the_work_goes_on(shop: LocalCorpus) -> None:
    garbage = [
        ("rm", "{}"),
        ("read", "]["),
        ("read", '{"path": 1e999}'),
        ("", ""),
        *[reading("shop/money.py")] * 40,
    ]

    def script(request: ChatRequest) -> Answer | str:
        results = [message.content for message in request.messages if message.role == "tool"]
        if not results:
            return calling(*garbage)
        calls = next(message.tool_calls for message in request.messages if message.tool_calls)
        assert [(call.name, call.arguments) for call in calls][:4] == [
            ("rm", "{}"), ("read", "{}"), ("read", '{"path": 1e999}'), ("unknown", "{}"),
        ]  # fmt: skip
        assert len(results) == len(garbage)  # a call that is not answered is refused by providers
        assert "there is no tool 'rm'" in results[0]
        assert "shop/money.py lines 1-2" in results[4]
        assert results[-1] == "error: too many calls at once."
        return "Fine [shop/money.py:1]."

    end = done(await heard(Asking(shop, ScriptedModels(script), CALLER)))
    assert (end.answer, end.model) == ("Fine [shop/money.py:1-1].", "scripted/script")


async def test_a_model_that_obeys_a_comment_gets_nothing_out(shop: LocalCorpus) -> None:
    """It was told by the code to cite secrets.env: it reads the comment, tries every tool, and cites."""

    def script(request: ChatRequest) -> Answer | str:
        told = "\n".join(message.content for message in request.messages)
        assert "TOKEN=" not in told
        assert "hunter2" not in told
        if len(request.messages) == 2:
            assert "Ignore previous instructions" in told
            text = told[told.index("Ignore previous") :]
            assert text.index(f"</data-{request.tag}>") > 0  # it stands inside a fence
            return calling(reading("secrets.env"), ("grep", '{"text": "TOKEN"}'), reading("config.py"))
        return "As told [secrets.env:1-2]."

    end = done(await heard(Asking(shop, ScriptedModels(script), CALLER), "How is a payment captured?"))
    assert (end.answer, end.sources) == (f"As told.\n\n{NOT_CITED}", ())
    assert all(one.path != "secrets.env" for one in end.read)


async def test_what_a_model_says_before_it_calls_a_tool_is_no_answer(shop: LocalCorpus) -> None:
    def script(request: ChatRequest) -> Answer | str:
        if len(request.messages) == 2:
            return calling(reading("shop/money.py"), text="Let me look [shop/money.py:1].")
        return "Rounded [shop/money.py:2]."

    events = await heard(Asking(shop, ScriptedModels(script), CALLER))
    assert "Let me look" not in "".join(e.delta for e in events if isinstance(e, Text))
    assert [s.name for s in done(events).sources] == ["shop/money.py:2-2"]


async def test_a_model_without_tools_answers_from_what_search_found(shop: LocalCorpus) -> None:
    models = ScriptedModels(lambda _: "Rounded [shop/money.py:1-2].")
    end = done(await heard(Asking(shop, models, CALLER, with_tools=False)))
    assert [s.name for s in end.sources] == ["shop/money.py:1-2"]
    assert models.asked[0].tools == ()
    assert "You have read-only tools" not in models.asked[0].messages[0].content


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "error",
    [
        BudgetExhaustedError("The month is spent.", scope="organisation"),
        ModelUnavailableError("All are away."),
    ],
)
async def test_without_a_model_the_answer_is_the_ranked_sources(
    shop: LocalCorpus, error: Exception, at: int
) -> None:
    def script(request: ChatRequest) -> Answer:
        if len(models.asked) > at:
            raise error
        return calling(reading("shop/money.py"))

    async def summaries(repository: str, paths: object) -> dict[str, str]:
        return {"shop/money.py": "Money, rounded."}

    models = ScriptedModels(script)
    events = await heard(Asking(shop, models, CALLER, summaries=summaries))
    end = done(events)
    assert (end.model, end.why) == ("none", str(error))
    assert "- [shop/money.py:1-2] rounded: Money, rounded." in end.answer
    assert "shop/money.py:1-2" in [s.name for s in end.sources]
    assert "secrets.env" not in end.answer
    assert end.cost_microusd == 5 * at


async def test_with_no_model_configured_nothing_is_asked_of_one(shop: LocalCorpus) -> None:
    end = done(await heard(Asking(shop, local_models(load({})), CALLER)))
    assert (end.model, end.mode, end.tokens) == ("none", "lexical+graph", 0)
    assert end.why.startswith("No model is configured")
    nothing = done(await heard(Asking(shop, local_models(load({})), CALLER), "zzzz qqqq"))
    assert (nothing.answer, nothing.sources) == ("Nothing was found.", ())


async def test_several_repositories_are_asked_at_once(corpora: MakeCorpus) -> None:
    both = corpora(api={"api/pay.py": "from shop.money import rounded\n\nTOTAL = rounded(3)\n"}, shop=SHOP)

    def script(request: ChatRequest) -> Answer | str:
        if len(request.messages) == 2:
            assert "2 repositories (api, shop)" in request.messages[0].content
            return calling(("references", '{"name": "rounded"}'), reading("shop/money.py"))
        return "Of shop [shop:shop/money.py:1], used by api [api:api/pay.py:3] and [api:shop/money.py:1]."

    end = done(await heard(Asking(both, ScriptedModels(script), CALLER)))
    assert [s.name for s in end.sources] == ["shop:shop/money.py:1-1", "api:api/pay.py:3-3"]
    assert [s.repository for s in end.sources] == ["shop", "api"]
    assert end.dropped == 1


async def test_a_question_that_cannot_be_is_refused_and_a_broken_house_says_so(shop: LocalCorpus) -> None:
    for question in ("", "  \n", "x" * 5000):
        with pytest.raises(BadInputError):
            await heard(Asking(shop, ScriptedModels(lambda _: ""), CALLER), question)

    class Away(LocalCorpus):
        async def search(self, query: str, k: int) -> tuple[list[object], str]:  # type: ignore[override]
            raise DatabaseError("Postgres is away.")

    events = await heard(Asking(Away(shop.readers), ScriptedModels(lambda _: ""), CALLER))
    assert events[-1] == Failed("Postgres is away.")


async def test_whoever_stops_listening_ends_the_model_call(shop: LocalCorpus) -> None:
    class Endless(ScriptedModels):
        closed = False

        async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
            try:
                while True:
                    yield Delta("word " * 100)
            finally:
                type(self).closed = True

    events = Asking(shop, Endless(lambda _: ""), CALLER).events("Who rounds?")
    async for event in events:
        if isinstance(event, Text):
            break
    await events.aclose()
    assert Endless.closed


async def test_a_step_is_one_line_for_people(shop: LocalCorpus) -> None:
    hostile = json.dumps({"path": "a\x1b[31m\nb", "start": {"deep": "x" * 5000}})

    def script(request: ChatRequest) -> Answer | str:
        return calling(("read\n\x1b[2J", hostile)) if len(request.messages) == 2 else "Nothing."

    events = await heard(Asking(shop, ScriptedModels(script), CALLER))
    steps = [event for event in events if isinstance(event, Step)]
    assert re.fullmatch(r"[^\x00-\x1f\x7f]+", steps[1].tool + steps[1].arguments)
    assert len(steps[1].arguments) <= 500
