"""Summaries are made once for their content; what fails is said and tried again; nothing secret is asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from panlect.errors import BudgetExhaustedError, ModelUnavailableError
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.index.summaries import EXTRACTIVE, MemorySummaries
from panlect.ledger.runs import RunCancelledError
from panlect.llm.chat import Answer, Caller, ChatRequest
from panlect.llm.scripted import ScriptedModels
from panlect.summaries.plan import plan
from panlect.summaries.run import Made, ask_models, said_of, summarize

pytestmark = pytest.mark.anyio
_CALLER = Caller(UUID(int=1))
FILES: dict[str, str | bytes] = {
    "README.md": "# Shop\n\nIt sells things to people.\n",
    "shop/pay.py": '"""Takes the money."""\n',
    "shop/ship.py": '"""Sends it off."""\n',
    "only/one/deep.py": '"""Lies deep."""\n',
    ".env": "PASSWORD_OF_THE_SHOP=1\n",
}


def _snapshot(files: dict[str, str | bytes] = FILES) -> Snapshot:
    return MemoryRepository().snapshot(files)


async def _made(
    models: ScriptedModels | None, kept: MemorySummaries, snapshot: Snapshot | None = None, in_flight: int = 8
) -> Made:
    snapshot = snapshot or _snapshot()
    ask = ask_models(models, _CALLER, in_flight) if models else None
    return await summarize(plan(snapshot, "scripted/script" if models else EXTRACTIVE), snapshot, kept, ask)


def _pays(request: ChatRequest) -> str:
    return f"Says {len(request.messages)}."


async def test_each_part_is_asked_about_once_and_an_unchanged_repository_costs_nothing() -> None:
    models, kept = ScriptedModels(_pays), MemorySummaries()
    first = await _made(models, kept)
    assert set(first.summaries) == {
        "README.md", "shop/pay.py", "shop/ship.py", "only/one/deep.py", "only/one", "only", "shop", ""
    }  # fmt: skip
    assert first.calls == len(models.asked) == 7  # `only` passes on what `only/one` says
    assert first.summaries["only"].text == first.summaries["only/one"].text
    again = await _made(models, kept)
    assert (again.calls, again.made, again.reused) == (0, 0, 8)
    assert again.summaries == first.summaries


async def test_a_commit_asks_for_what_it_touched_and_the_directories_above() -> None:
    models, kept = ScriptedModels(_pays), MemorySummaries()
    await _made(models, kept)
    models.asked.clear()
    await _made(models, kept, _snapshot({**FILES, "shop/pay.py": '"""Gives it back."""\n'}))
    assert [_about(request) for request in models.asked] == ["shop/pay.py", "shop", ""]


def _about(request: ChatRequest) -> str:
    text = request.messages[-1].content
    if text.startswith("The repository"):
        return ""
    return text.split('path="')[1].split('"')[0]


async def test_directories_are_asked_about_with_what_was_said_of_their_parts() -> None:
    models = ScriptedModels(lambda request: f"About {_about(request)}!")
    await _made(models, MemorySummaries())
    whole = models.asked[-1].messages[-1].content
    assert "About shop!" in whole
    assert "About README.md!" in whole
    assert "It sells things" in whole  # the README itself
    assert "About shop/pay.py!" not in whole


async def test_what_is_named_as_a_file_of_secrets_never_leaves() -> None:
    models = ScriptedModels(_pays)
    await _made(models, MemorySummaries())
    assert "PASSWORD_OF_THE_SHOP" not in repr(models.asked)


async def test_without_a_model_the_code_speaks_for_itself_and_is_marked() -> None:
    made = await _made(None, MemorySummaries())
    assert made.summaries["shop"].text == "It holds pay.py: Takes the money; ship.py: Sends it off."
    assert made.summaries[""].text.startswith("Shop: It sells things to people. It holds only/")
    assert all(one.extractive and one.model == EXTRACTIVE for one in made.summaries.values())
    assert made.calls == 0


async def test_what_fails_stands_in_extracted_and_is_asked_for_again() -> None:
    answers: list[Callable[[], str]] = []

    def script(request: ChatRequest) -> str:
        if _about(request) == "shop/pay.py" and not answers:
            return "I'm sorry, I can't help with that."
        return "It pays."

    models, kept = ScriptedModels(script), MemorySummaries()
    first = await _made(models, kept)
    assert first.failed == {"refused": 1}
    assert first.summaries["shop/pay.py"].extractive
    assert first.summaries["shop/pay.py"].text == "Takes the money."
    answers.append(str)
    again = await _made(models, kept)
    assert again.calls == 1
    assert again.summaries["shop/pay.py"].text == "It pays."


@pytest.mark.parametrize(
    ("error", "reason", "asked"),
    [
        (BudgetExhaustedError("spent", scope="month"), "budget spent", 1),
        (ModelUnavailableError("away"), "model unavailable", 5),
    ],
)
async def test_nobody_goes_on_asking_who_cannot_answer(error: Exception, reason: str, asked: int) -> None:
    def script(_: ChatRequest) -> str:
        raise error

    models = ScriptedModels(script)
    snapshot = _snapshot({f"part{number}.py": f"x = {number}\n" for number in range(20)})
    made = await _made(models, MemorySummaries(), snapshot, in_flight=1)
    assert len(models.asked) == asked
    assert made.failed == {reason: 21}
    assert all(one.extractive for one in made.summaries.values())


class _Counting(ScriptedModels):
    """Counts how many questions are open at a time."""

    open = most = 0

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.001)
        self.open -= 1
        return await super().chat(request, caller)


async def test_a_run_that_nobody_waits_for_stops_asking_and_keeps_what_was_said() -> None:
    async def unwanted(_: int, __: int) -> None:
        raise RunCancelledError("It was ended.")

    models, kept = _Counting(_pays), MemorySummaries()
    snapshot = _snapshot({f"part{number}.py": f"x = {number}\n" for number in range(200)})
    with pytest.raises(RunCancelledError):
        await summarize(plan(snapshot, "m"), snapshot, kept, ask_models(models, _CALLER, 4), unwanted)
    assert len(kept.kept) == 16
    assert len(models.asked) < 40


async def test_a_summary_names_who_made_it_even_where_another_stood_in() -> None:
    models = ScriptedModels(lambda _: Answer("It pays.", "stop", provider="spare", model="small"))
    made = await _made(models, MemorySummaries(), _snapshot({"a.py": "x = 1\n"}))
    assert made.summaries["a.py"].model == "spare/small"


async def test_as_many_questions_are_open_as_asked_for_and_never_more() -> None:
    models = _Counting(_pays)
    snapshot = _snapshot({f"part{number}.py": f"x = {number}\n" for number in range(40)})
    await _made(models, MemorySummaries(), snapshot, in_flight=6)
    assert models.most == 6


async def test_a_directory_of_hundreds_shows_as_many_as_fit_and_says_so() -> None:
    models = ScriptedModels(_pays)
    await _made(
        models, MemorySummaries(), _snapshot({f"p{number}.py": f"x = {number}\n" for number in range(300)})
    )
    whole = models.asked[-1].messages[-1].content
    assert "descriptions of its 60 parts" in whole
    assert "240 more parts were left out" in whole
    assert whole.count("file-summary") == 60


async def test_a_long_file_shows_its_beginning_and_what_the_rest_defines() -> None:
    models = ScriptedModels(_pays)
    text = "# x\n" * 10_000 + "def far_away(): ...\n"
    await _made(models, MemorySummaries(), _snapshot({"long.py": text}))
    asked = models.asked[0].messages[-1].content
    assert "Only its beginning is shown, 20000 of 40020 characters" in asked
    assert "def far_away()" in asked
    assert len(asked) < 21_000


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("It pays.", "It pays."),
        ("```\nIt pays.\n```", "It pays."),
        ('{"summary": "It pays."}', "It pays."),
        ("It\u202e pays\0.\n\nIt ships.", "It pays. It ships."),
        ("It pays. " * 1000, ("It pays. " * 166).strip()),
        ('<data-a1b2 kind="file" path="a.py"> It pays. </data-a1b2>', "It pays."),
        ('<data-a1b2 kind="file" path="a.py">', ""),
        (" \n", ""),
        ("I'm sorry, I can't.", ""),
    ],
)
def test_an_answer_becomes_plain_text_of_bounded_length(content: str, text: str) -> None:
    said = said_of(Answer(content, "stop"), "a1b2")
    assert said.text == text
    assert bool(said.why) == (not text)
