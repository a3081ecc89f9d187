"""Severity is effect times reach: every cell of the table, and what each check weighs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import panlect.checks
from panlect.review.outputs.spots import RULES
from panlect.review.severity import TABLE, WEIGHTS, Effect, Reach, severity, weigh

CELLS = {
    ("E4", "common"): "P0", ("E4", "rare"): "P1", ("E4", "outsider"): "P0", ("E4", "insider"): "P1",
    ("E3", "common"): "P1", ("E3", "rare"): "P2", ("E3", "outsider"): "P1", ("E3", "insider"): "P1",
    ("E2", "common"): "P2", ("E2", "rare"): "P2", ("E2", "outsider"): "P2", ("E2", "insider"): "P2",
    ("E1", "common"): "P3", ("E1", "rare"): "P3", ("E1", "outsider"): "P3", ("E1", "insider"): "P3",
    ("E0", "common"): None, ("E0", "rare"): None, ("E0", "outsider"): None, ("E0", "insider"): None,
}  # fmt: skip
LOWER = {"P0": "P1", "P1": "P2", "P2": "P3", "P3": "P3", None: None}


@pytest.mark.parametrize(("cell", "expected"), CELLS.items(), ids=str)
def test_every_cell_is_as_it_is_published(cell: tuple[str, str], expected: str | None) -> None:
    effect, reach = Effect(cell[0]), Reach(cell[1])
    assert weigh(effect, reach) == expected
    assert weigh(effect, reach, in_tests=True) == LOWER[expected]


def test_the_table_has_every_cell() -> None:
    assert {(effect.value, reach.value) for effect in Effect for reach in TABLE[effect]} == set(CELLS)


def test_every_check_there_is_has_a_weight_and_a_line_about_it() -> None:
    sources = Path(panlect.checks.__file__).parent.glob("*.py")
    told = {
        name
        for source in sources
        for name in re.findall(r'"([a-z]+-[a-z]+|secret|unparsable)"', source.read_text())
    }
    checks = {
        name for name in told if name in WEIGHTS or name.endswith(("-missing", "-mismatch", "-unresolved"))
    }
    assert {"call-mismatch", "name-unresolved", "import-missing", "conflict-marker"} <= checks
    assert checks <= WEIGHTS.keys()
    assert WEIGHTS.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("check", "in_tests", "expected"),
    [
        ("call-mismatch", False, "P1"),
        ("call-mismatch", True, "P2"),
        ("hidden-unicode", False, "P2"),
        ("hidden-unicode", True, "P3"),
        ("override-mismatch", False, "P3"),
        ("never-heard-of", False, "P2"),
    ],
)
def test_a_finding_is_as_severe_as_its_check_and_its_place(
    words: Any, check: str, in_tests: bool, expected: str
) -> None:
    assert severity(words.candidate(check=check, in_tests=in_tests)) == expected
