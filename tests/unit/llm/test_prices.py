"""What a call costs: by configured prices, by the offline table, by the seconds of a GPU; or nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from panlect.llm.chat import Usage
from panlect.llm.prices import cost
from panlect.llm.table import Choice, Model, Provider


def choice(kind: Any, model: str = "m", facts: Model | None = None, **provider: Any) -> Choice:
    return Choice(Provider("p", kind, **provider), model, facts or Model())


def test_a_configured_price_counts_cached_tokens_apart() -> None:
    facts = Model(input_usd=3.0, cached_usd=0.3, output_usd=15.0)
    assert (
        cost(choice("openai", facts=facts), Usage(1000, 100, cached_tokens=400), 1.0) == 600 * 3 + 120 + 1500
    )


def test_without_a_price_for_cached_ones_they_cost_as_much_as_the_others() -> None:
    assert cost(choice("openai", facts=Model(input_usd=2.0)), Usage(10, 100, cached_tokens=4), 1.0) == 20


def test_part_of_a_millionth_is_a_whole_one() -> None:
    assert cost(choice("openai", facts=Model(input_usd=0.1)), Usage(1, 0), 1.0) == 1


@pytest.mark.parametrize(
    ("kind", "model", "dollars"),
    [
        ("openai", "gpt-4o", 2.5 + 10),
        ("anthropic", "claude-3-5-haiku-latest", 0.8 + 4),
        ("gemini", "gemini-2.0-flash", 0.1 + 0.4),
    ],
)
def test_hosted_models_cost_what_the_offline_table_says(kind: str, model: str, dollars: float) -> None:
    assert cost(choice(kind, model), Usage(1_000_000, 1_000_000), 1.0) == pytest.approx(dollars * 1e6)


def test_a_hosted_model_that_the_table_does_not_know_has_no_price() -> None:
    assert cost(choice("openai", "gpt-of-tomorrow-9000"), Usage(1, 1), 1.0) is None


def test_a_self_hosted_model_costs_its_share_of_the_gpu() -> None:
    one = choice("compatible", gpu_usd_per_hour=3.6, concurrency=4)
    assert cost(one, Usage(5000, 5000), seconds=2.0) == 500  # $0.001 a second, shared by four
    assert cost(choice("compatible"), Usage(5000, 5000), seconds=2.0) == 0
