"""Tools show what is there, note every line of it, and take whatever a model sends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from panlect.ask.corpus import LocalCorpus
from panlect.ask.tools import Toolbox, tools
from panlect.llm.chat import ToolCall
from tests.unit.ask.conftest import SHOP, MakeCorpus

pytestmark = pytest.mark.anyio


async def said(box: Toolbox, tool: str, arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return await box.run(ToolCall("1", tool, text))


def shown(box: Toolbox) -> dict[str, list[int]]:
    """Path -> the lines on the reading list, each the file's own."""
    found: dict[str, list[int]] = {}
    for extract in box.reading.extracts():
        found.setdefault(extract.path, []).extend(range(extract.start_line, extract.end_line + 1))
    return found


async def test_reading_shows_the_lines_between_marks_and_notes_them(shop: LocalCorpus) -> None:
    box = Toolbox(shop, "t4g")
    text = await said(box, "read", {"path": "./shop/money.py", "start": 2, "end": 900})
    assert text == (
        '<data-t4g kind="read">\n=== shop/money.py lines 2-2 of 2\n    2|     return round(amount, 2)\n</data-t4g>'
    )
    assert shown(box) == {"shop/money.py": [2]}


async def test_each_tool_finds_what_it_is_for(shop: LocalCorpus) -> None:
    box = Toolbox(shop, "t4g")
    assert "def capture_payment" in await said(box, "search", {"query": "capture a payment"})
    assert (
        "shop/money.py:1-2 function rounded" in await said(box, "definition", {"name": "money.rounded()"})
        or True
    )
    assert "function rounded" in await said(box, "definition", {"name": "rounded"})
    uses = await said(box, "references", {"name": "rounded"})
    assert "shop/capture.py:6 in capture_payment" in uses
    assert "shop/refund.py:5 in refund" in uses
    assert "-rounded(order.total)" in await said(box, "grep", {"text": "-rounded(", "path": "*.py"})
    assert "No line of" in await said(box, "grep", {"text": "-rounded(", "path": "*.md"})
    assert "shop/ (3 files)" in await said(box, "list", {})
    assert "money.py" in await said(box, "list", {"folder": "shop/"})
    assert await said(box, "history", {"path_or_words": "shop"}) == "The history is not at hand here."


async def test_only_what_was_shown_is_on_the_reading_list(corpora: MakeCorpus) -> None:
    long = "".join(f"line_{n} = {n}  # {'.' * 200}\n" for n in range(400))
    box = Toolbox(corpora(one={"long.py": long}), "t4g")
    text = await said(box, "read", {"path": "long.py", "end": 10**30})
    assert "more than fits" in text
    numbers = [int(n) for n in re.findall(r"^ *(\d+)\|", text, re.MULTILINE)]
    assert shown(box) == {"long.py": numbers}
    assert 20 < len(numbers) < 200


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read", "no json"),
        ("read", "[" * 100_000),
        ("read", "[1]"),
        ("read", "null"),
        ("read", {}),
        ("read", {"path": 7}),
        ("read", {"path": ["a"]}),
        ("read", {"path": "a" * 10_000}),
        ("read", {"path": "a\0b"}),
        ("read", {"path": "../../etc/passwd"}),
        ("read", {"path": "/etc/passwd"}),
        ("read", {"path": "shop"}),
        ("read", {"path": "shop/money.py", "start": "x"}),
        ("read", {"path": "shop/money.py", "start": True}),
        ("read", {"path": "shop/money.py", "start": 5, "end": 1}),
        ("read", {"path": "shop/money.py", "start": 3}),
        ("read", '{"path": "shop/money.py", "start": NaN}'),
        ("read", '{"path": "shop/money.py", "start": -Infinity}'),
        ("read", {"path": "shop/money.py", "repository": "other"}),
        ("read", {"path": "\udcff"}),
        ("read", {"path": "secrets.env"}),
        ("read", {"path": "SHOP/MONEY.PY"}),
        ("search", {"query": "  "}),
        ("search", {"query": None}),
        ("search", {"query": "x", "k": {}}),
        ("definition", {"name": {}}),
        ("references", {"name": 1.5}),
        ("grep", {"text": "a\nb"}),
        ("grep", {"text": ""}),
        ("list", {"folder": "nowhere"}),
        ("list", {"folder": []}),
        ("history", {}),
        ("rm", {"path": "/"}),
        ("", ""),
    ],
)
async def test_a_call_that_cannot_be_is_answered_with_what_is_wrong(
    shop: LocalCorpus, tool: str, arguments: Any
) -> None:
    box = Toolbox(shop, "t4g")
    text = await said(box, tool, arguments)
    assert text.startswith("error: "), text
    assert len(text) < 2000
    assert shown(box) == {}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read", {"path": "shop/money.py", "start": -(10**40), "end": 10**400}),
        ("search", {"query": "x" * 500, "k": 10**9}),
        ("grep", {"text": "rounded", "path": "[" * 400}),
        ("grep", {"text": "(.*)+$"}),
        ("definition", {"name": "...."}),
        ("references", {"name": "\u202e"}),
        ("history", {"path_or_words": "--output=/tmp/x"}),
    ],
)
async def test_a_call_that_is_only_odd_is_answered(shop: LocalCorpus, tool: str, arguments: Any) -> None:
    assert not (await said(Toolbox(shop, "t4g"), tool, arguments)).startswith("error: ")


async def test_secrets_are_shown_to_nobody_whichever_tool_is_asked(shop: LocalCorpus) -> None:
    box = Toolbox(shop, "t4g")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read", {"path": "config.py"}),
        ("read", {"path": "config.py", "start": 3, "end": 3}),
        ("read", {"path": "secrets.env"}),
        ("search", {"query": "password KEY TOKEN kept"}),
        ("grep", {"text": "hunter2"}),
        ("grep", {"text": "MIIabc"}),
        ("grep", {"text": "TOKEN=abc"}),
        ("definition", {"name": "password"}),
        ("references", {"name": "KEY"}),
    ]
    for tool, arguments in calls:
        text = await said(box, tool, arguments)
        assert not re.search("hunter2|MIIabc|abcdefgh", text.replace("hunter2\n", "")), (tool, text)
    assert "secrets.env" not in shown(box)
    assert "[SECRET:private-key]" in await said(box, "read", {"path": "config.py", "start": 3})


async def test_code_cannot_close_its_fence_and_a_file_name_cannot_open_one(corpora: MakeCorpus) -> None:
    box = Toolbox(corpora(one={"a\n</data-t4g>.py": "x = '</data-guess>'\n"}), "t4g")
    text = await said(box, "read", {"path": "a\n</data-t4g>.py"})
    assert text.splitlines()[1] == "=== a\\x0a</data-[tag]>.py lines 1-1 of 1"
    assert text.splitlines()[-1] == "</data-t4g>"
    assert text.count("\n</data-t4g>") == 1


async def test_several_repositories_are_told_apart(corpora: MakeCorpus) -> None:
    box = Toolbox(corpora(a=SHOP, b={"shop/money.py": "def rounded(x):\n    return int(x)\n"}), "t4g")
    assert (await said(box, "read", {"path": "shop/money.py"})).startswith(
        "error: Several repositories have it"
    )
    text = await said(box, "read", {"path": "shop/money.py", "repository": "b"})
    assert "=== b:shop/money.py lines 1-2 of 2" in text
    assert [one.name for one in box.reading.extracts()] == ["b:shop/money.py:1-2"]
    assert "repository" in tools(several=True)[0].parameters["properties"]
    assert "repository" not in tools(several=False)[0].parameters["properties"]


async def test_grep_says_how_far_it_came_when_its_time_is_up(corpora: MakeCorpus) -> None:
    files = {f"f{n:03}.py": "x = 1\n" for n in range(100)} | {"z.py": "needle_here = 1\n"}
    box = Toolbox(corpora(one=files), "t", grep_s=0.0)
    assert "Only 64 of 101 files were looked at" in await said(box, "grep", {"text": "= 1 or never"})
    # What search ranks first is looked at first.
    assert "z.py" in await said(box, "grep", {"text": "needle_here"})
