"""Which calls fit which signatures."""

from __future__ import annotations

import pytest

from panlect.checks.call_fit import Misfit, misfit
from panlect.code.facts import LOCAL, Spread, Use


def call(argc: int = 0, *keywords: str, spread: int = 0) -> Use:
    return Use(LOCAL, "f", 1, "", 0, argc, keywords, spread)


@pytest.mark.parametrize(
    ("signature", "use"),
    [
        ("", call()),
        ("a,b", call(2)),
        ("a,b", call(1, "b")),
        ("a,b=", call(1)),
        ("a,*", call(5)),
        ("a,**kw", call(1, "x")),
        ("a,!b", call(1, "b")),
        ("|a,**kw", call(1, "a")),
        ("?,?", call(2)),
        ("a,b,c", call(1, spread=Spread.POSITIONAL)),
        ("a", call(3, spread=Spread.POSITIONAL)),
        ("a,b", call(0, spread=Spread.KEYWORD)),
        ("a", call(1, "x", spread=Spread.KEYWORD)),
    ],
)
def test_a_call_fits(signature, use):
    assert misfit(signature, use) is None


@pytest.mark.parametrize(
    ("signature", "use", "why"),
    [
        ("a,b", call(1), Misfit(missing=("b",))),
        ("a", call(2), Misfit(surplus=1)),
        ("a", call(1, "x"), Misfit(unknown=("x",))),
        ("a,!b", call(1), Misfit(missing=("b",))),
        ("a,!b", call(2, "b"), Misfit(surplus=1)),
        ("|a", call(1, "a"), Misfit(unknown=("a",))),
        ("a", call(1, "x", spread=Spread.POSITIONAL), Misfit(unknown=("x",))),
        ("a,*,!b", call(4), Misfit(missing=("b",))),
    ],
)
def test_a_call_does_not_fit(signature, use, why):
    assert misfit(signature, use) == why
