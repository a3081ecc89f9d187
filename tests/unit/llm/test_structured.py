"""Whatever a model sends back: what can be used is used, the rest is counted, and nothing raises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from panlect.errors import BudgetExhaustedError, ModelError, ModelUnavailableError, NoModelError
from panlect.llm import structured as structured_module
from panlect.llm.chat import Answer, Caller, ChatRequest, Message, ToolCall
from panlect.llm.scripted import ScriptedModels
from panlect.llm.structured import Outcome, Structured, structured

pytestmark = pytest.mark.anyio
_CALLER = Caller(UUID(int=1))
_REQUEST = ChatRequest("review", (Message("user", "What is wrong?"),))


class Remark(BaseModel):
    """What is asked for here."""

    line: int
    title: str
    tags: list[str] = []


def _wrapped(count: int) -> str:
    return json.dumps({"remarks": [{"line": n, "title": f"t{n}"} for n in range(count)]})


@dataclass(frozen=True)
class Garbage:
    """What a model says, again and again, and what comes of it."""

    what: str
    said: str | Answer | ModelError
    outcome: Outcome
    items: int = 0
    dropped: int = 0
    calls: int = 1
    surplus: int = 0
    repeated: int = 0


_GOOD = '{"line": 1, "title": "t"}'
_DEEP = "[" * 100_000
_TABLE = (
    Garbage("as asked for", _wrapped(2), Outcome.OK, 2),
    Garbage("nothing found", '{"remarks": []}', Outcome.OK),
    Garbage("null for the list", '{"remarks": null}', Outcome.OK),
    Garbage("in a code fence", f"```json\n{_wrapped(2)}\n```", Outcome.OK, 2),
    Garbage("in a fence that is not closed", f"Sure!\n```json\n{_wrapped(2)}", Outcome.OK, 2),
    Garbage("between prose", f"I'd say 5\" of [1]: {_wrapped(2)} Hope {{this}} helps!", Outcome.OK, 2),
    Garbage("a bare list", f"[{_GOOD}]", Outcome.OK, 1),
    Garbage("one object without its list", _GOOD, Outcome.OK, 1),
    Garbage("one object where the list should be", f'{{"remarks": {_GOOD}}}', Outcome.OK, 1),
    Garbage("under another name", f'{{"issues": [{_GOOD}]}}', Outcome.OK, 1),
    Garbage("wrapped once more", f'{{"result": {_wrapped(3)}}}', Outcome.OK, 3),
    Garbage("JSON inside a JSON string", json.dumps(_wrapped(2)), Outcome.OK, 2),
    Garbage("numbers as strings", '{"remarks": [{"line": "7", "title": "t"}]}', Outcome.OK, 1),
    Garbage("fields that nobody asked for", '{"remarks": [{"line": 7, "title": "t", "x": {}}]}', Outcome.OK, 1),
    Garbage("a line break inside a string", '{"remarks": [{"line": 7, "title": "a\nb"}]}', Outcome.OK, 1),
    Garbage(
        "another language than ours", '{"remarks": [{"line": 1, "title": "空指针"}]}', Outcome.OK, 1
    ),
    Garbage(
        "NUL, bidi and tag characters, as escapes",
        '{"remarks": [{"line": 1, "title": "a\\u0000b\\u202e\\udb40\\udc41\\ud800"}]}',
        Outcome.OK,
        1,
    ),
    Garbage("the same 500 times", f'{{"remarks": [{", ".join([_GOOD] * 500)}]}}', Outcome.OK, 1, repeated=499),
    Garbage("500 items", _wrapped(500), Outcome.PARTIAL, 100, surplus=400),
    Garbage(
        "one item of the wrong type",
        f'{{"remarks": [{_GOOD}, {{"line": "many", "title": "t"}}, 7, null]}}',
        Outcome.PARTIAL,
        1,
        dropped=3,
        calls=2,
    ),
    Garbage("every item of the wrong type", '{"remarks": ["a", 1]}', Outcome.UNPARSABLE, 0, 2, 2),
    Garbage("cut at its length", Answer(_wrapped(5)[:-30], "length"), Outcome.PARTIAL, 4),
    Garbage(
        "cut before the first item ends", Answer('{"remarks": [{"line', "length"), Outcome.UNPARSABLE, 0, 0, 2
    ),
    Garbage("broken off in the middle", _wrapped(5)[:-30], Outcome.PARTIAL, 4, calls=2),
    Garbage("a comma too many", f'{{"remarks": [{_GOOD},]}}', Outcome.PARTIAL, 1, calls=2),
    Garbage("a Python literal", "{'remarks': [{'line': 1, 'title': None}]}", Outcome.UNPARSABLE, calls=2),
    Garbage("YAML", "remarks:\n  - line: 1\n    title: t\n", Outcome.UNPARSABLE, calls=2),
    Garbage("prose", "The code looks good to me.", Outcome.UNPARSABLE, calls=2),
    Garbage("a number", "42", Outcome.UNPARSABLE, calls=2),
    Garbage("another object", '{"weather": "fine"}', Outcome.UNPARSABLE, calls=2),
    Garbage("NaN and a number of 5000 digits", f'{{"remarks": [{{"line": NaN}}, {"9" * 5000}]}}', Outcome.UNPARSABLE, calls=2),
    Garbage("100 000 brackets", _DEEP, Outcome.UNPARSABLE, calls=2),
    Garbage("100 000 objects within one another", '{"a":' * 100_000, Outcome.UNPARSABLE, calls=2),
    Garbage("2 MB of quotation marks", '"\\' * 1_000_000, Outcome.UNPARSABLE, calls=2),
    Garbage("nothing", "", Outcome.EMPTY, calls=2),
    Garbage("white space", " \n\t ", Outcome.EMPTY, calls=2),
    Garbage("a refusal by the provider", Answer("", "stop", refusal="No."), Outcome.REFUSED),
    Garbage("a refusal by its filter", Answer("", "content_filter"), Outcome.REFUSED),
    Garbage("a refusal in words", "I'm sorry, but I can't help with that.", Outcome.REFUSED),
    Garbage(
        "a call of an unknown tool",
        Answer("", "tool_calls", (ToolCall("1", "delete_all", '{"path": "/"}'),)),
        Outcome.UNPARSABLE,
        calls=2,
    ),
    Garbage(
        "the answer as a call of an unknown tool",
        Answer("", "tool_calls", (ToolCall("1", "final", _wrapped(2)),)),
        Outcome.OK,
        2,
    ),
    Garbage("no model is configured", NoModelError("none"), Outcome.NO_MODEL),
    Garbage("the budget is spent", BudgetExhaustedError("spent", scope="month"), Outcome.NO_BUDGET),
    Garbage(
        "an endless stream, a stall, an HTTP error", ModelUnavailableError("all failed"), Outcome.UNAVAILABLE
    ),
)  # fmt: skip


def _models(*said: str | Answer | ModelError) -> ScriptedModels:
    """Says these one after the other, the last one for ever."""
    left = list(said)

    def script(_: ChatRequest) -> str | Answer:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, ModelError):
            raise one
        return one

    return ScriptedModels(script)


async def _asked(models: ScriptedModels) -> Structured[Remark]:
    return await structured(models, _REQUEST, _CALLER, Remark, items="remarks")


@pytest.mark.parametrize("row", _TABLE, ids=lambda row: row.what)
async def test_garbage_ends_as_the_table_says(row: Garbage) -> None:
    models = _models(row.said)
    got = await _asked(models)
    found = (got.outcome, len(got.items), got.dropped, len(models.asked), got.surplus, got.repeated)
    assert found == (row.outcome, row.items, row.dropped, row.calls, row.surplus, row.repeated)
    assert got.outcome.is_answer or not got.items
    assert not set("\0\u202e\ud800") & set("".join(item.title for item in got.items))


_PAGE = Path(__file__).parents[3] / "docs" / "models-garbage.md"
_HEAD = """# What becomes of garbage from a model

Panlect asks models for JSON of a given shape, and reads whatever comes back: once more it asks with what was wrong, then it
takes item by item what can be used and counts the rest. Here each model says the same every time that it is asked.
Nothing in this table crashes anything; `tests/unit/llm/test_structured.py` runs it, and writes it with
`--write-garbage-table`.

| what the model sends | calls | outcome | items kept | malformed | over the cap | repeated |
| --- | --- | --- | --- | --- | --- | --- |
"""


def test_the_page_says_what_the_table_says(request: pytest.FixtureRequest) -> None:
    assert len({row.what for row in _TABLE}) == len(_TABLE) >= 25
    cells = [(r.what, r.calls, r.outcome, r.items, r.dropped, r.surplus, r.repeated) for r in _TABLE]
    page = _HEAD + "".join(f"| {' | '.join(map(str, row))} |\n" for row in cells)
    if request.config.getoption("--write-garbage-table"):
        _PAGE.write_text(page)
    assert _PAGE.read_text() == page


async def test_a_second_try_that_is_whole_counts_as_repaired() -> None:
    models = _models("Well, line 1.", _wrapped(2))
    got = await _asked(models)
    assert (got.outcome, len(got.items), len(got.answers)) == (Outcome.REPAIRED, 2, 2)
    *_, echoed, repair = models.asked[1].messages
    assert echoed == Message("assistant", "Well, line 1.")
    assert "There is no JSON value of the schema in it." in repair.content
    assert '"remarks"' in repair.content


async def test_a_second_try_that_says_less_does_not_take_away_what_was_said() -> None:
    got = await _asked(_models(_wrapped(5)[:-30], '{"remarks": []}'))
    assert (got.outcome, len(got.items)) == (Outcome.PARTIAL, 4)


async def test_what_was_said_stays_when_the_second_try_fails() -> None:
    got = await _asked(_models(_wrapped(5)[:-30], ModelUnavailableError("gone")))
    assert (got.outcome, len(got.items)) == (Outcome.PARTIAL, 4)


async def test_one_object_can_be_asked_for() -> None:
    models = _models(f"Here you are: {_GOOD}")
    got = await structured(models, _REQUEST, _CALLER, Remark)
    assert got.item == Remark(line=1, title="t")
    schema = models.asked[0].schema
    assert schema is not None
    assert schema.schema["required"] == ["line", "title"]


_BROKEN = st.builds(
    lambda text, gone: ",".join(part for at, part in enumerate(text.split(",")) if at not in gone),
    st.builds(_wrapped, st.integers(0, 6)),
    st.sets(st.integers(0, 12)),
)
_MARKS = st.sampled_from(["{", "[", '{"a":', '["', "\\", "```\n"])
_TREES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda one: st.lists(one) | st.dictionaries(st.text(max_size=8), one),
    max_leaves=20,
)
_ANYTHING = st.one_of(
    st.text(max_size=200),
    st.text('{}[]",:\\ab1\n`', max_size=200),
    _BROKEN,
    st.builds(lambda count, mark: mark * count, st.integers(0, 3000), _MARKS),
    st.builds(json.dumps, _TREES),
)


@given(_ANYTHING, _ANYTHING)
async def test_nothing_that_is_said_raises(first: str, second: str) -> None:
    got = await _asked(_models(first, second))
    assert got.outcome in Outcome
    assert all(isinstance(item, Remark) for item in got.items)
    if got.outcome in (Outcome.OK, Outcome.REPAIRED):
        assert not got.dropped


@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * 60_000 + "{}]",
        '{"remarks": [' + "{}," * 60_000 + "{}]}",
        "{}" * 100_000,
        ("[" + "{}," * 1500 + "{}] ") * 40,
        "[" * 200_000,
    ],
)
async def test_of_a_long_answer_no_more_than_a_few_thousand_values_are_checked(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[object] = []
    item = structured_module._item

    def counted(value: object, kind: Any) -> Any:
        checked.append(value)
        return item(value, kind)

    monkeypatch.setattr(structured_module, "_item", counted)
    got = await structured(_models(text, text), _REQUEST, _CALLER, Remark, items="remarks")
    assert got.items == ()
    assert len(checked) < 2 * 6000  # two answers


async def test_values_beyond_those_that_are_read_are_counted() -> None:
    whole = _wrapped(2500)
    got = await structured(_models(whole, whole), _REQUEST, _CALLER, Remark, items="remarks", most=10)
    assert (len(got.items), got.surplus, got.dropped) == (10, 2490, 0)
    got = await structured(_models(whole, whole), _REQUEST, _CALLER, Remark, items="remarks", most=3000)
    assert (len(got.items), got.surplus, got.dropped) == (2000, 0, 500)
    assert "first 2000" in got.notes[0]
