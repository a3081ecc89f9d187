"""What is described, in which order, and whose keys a commit changes."""

from __future__ import annotations

from uuid import UUID

import pytest

from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.index.memory import MemoryRepository
from panlect.llm.chat import Usage
from panlect.llm.scripted import ScriptedModels
from panlect.summaries.plan import Estimate, Plan, estimate, missing, plan

FILES = {
    "README.md": "# Shop\n\nIt sells things to people.\n",
    "shop/pay.py": "def capture(): ...\n",
    "shop/deep/down/ship.py": "def ship(): ...\n",
    "shop/yarn.lock": "x",
    "vendor/lib.py": "x = 1\n",
    "api_pb2.py": "x = 1\n",
    "logo.png": b"\x89PNG\0",
    "data.json": "{}",
    ".env": "A=1\n",
    "deploy/server.key": "secret\n",
    "empty.py": "",
}


def _plan(files: dict[str, str | bytes], model: str = "m", below: str = "") -> Plan:
    return plan(MemoryRepository().snapshot(files), model, below)


def _keys(made: Plan) -> dict[str, bytes]:
    return {node.path: node.key for node in made.nodes}


def test_files_come_first_and_each_directory_after_what_it_holds() -> None:
    paths = [[node.path for node in level] for level in _plan(FILES).levels]
    assert paths == [
        ["README.md", "shop/deep/down/ship.py", "shop/pay.py"],
        ["shop/deep/down"],
        ["shop/deep"],
        ["shop"],
        [""],
    ]


def test_what_people_did_not_write_and_files_of_secrets_are_left_out_and_counted() -> None:
    assert _plan(FILES).left_out == {
        "named as a file of secrets": 2,
        "generated": 1,
        "binary": 1,
        "data": 1,
        "empty": 1,
        "lock": 1,
        "vendored": 1,
    }


def test_a_commit_changes_the_keys_of_its_files_and_of_what_is_above_them_alone() -> None:
    before, after = _keys(_plan(FILES)), _keys(_plan({**FILES, "shop/pay.py": "def refund(): ...\n"}))
    assert {path for path in before if before[path] != after[path]} == {"shop/pay.py", "shop", ""}


def test_a_renamed_file_is_not_described_again() -> None:
    moved = {**FILES, "shop/paying.py": FILES["shop/pay.py"]}
    del moved["shop/pay.py"]
    before, after = _keys(_plan(FILES)), _keys(_plan(moved))
    assert after["shop/paying.py"] == before["shop/pay.py"]
    assert after["shop"] != before["shop"]


def test_every_model_has_keys_of_its_own() -> None:
    assert not set(_keys(_plan(FILES, "a")).values()) & set(_keys(_plan(FILES, "b")).values())


def test_a_part_of_a_repository_has_the_keys_that_the_whole_has() -> None:
    whole, part = _keys(_plan(FILES)), _keys(_plan(FILES, below="shop/deep/"))
    assert part == {path: whole[path] for path in ("shop/deep/down/ship.py", "shop/deep/down", "shop/deep")}


class Paid(ScriptedModels):
    """Takes a millionth a token."""

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        return usage.input_tokens + usage.output_tokens


@pytest.mark.anyio
async def test_the_estimate_leaves_out_directories_that_only_pass_on_another() -> None:
    made = _plan(FILES)
    nodes = missing(made, {})
    assert [node.path for node in nodes if node.passes_on] == ["shop/deep"]
    models = Paid(lambda _: "")
    guessed = await estimate(nodes, models, "summarize", DEFAULT_ORGANISATION)
    assert guessed.calls == len(nodes) - 1 == 6
    assert guessed.cost_microusd == guessed.tokens_in + guessed.tokens_out > 0
    assert await estimate([], models, "summarize", DEFAULT_ORGANISATION) == Estimate(0, 0, 0, 0)


def test_an_empty_repository_has_nothing_to_describe() -> None:
    assert _plan({"data.json": "{}"}).levels == ()
