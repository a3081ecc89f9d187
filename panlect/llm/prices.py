"""What a call costs, in millionths of a US dollar: the configured price, the offline table's, or GPU seconds."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

from panlect.llm.chat import Usage
from panlect.llm.table import Choice

# How the offline table (genai-prices, MIT) calls the kinds of provider that charge by the token.
_IN_TABLE = {
    "openai": "openai",
    "anthropic": "anthropic",
    "bedrock": "aws",
    "azure": "azure",
    "gemini": "google",
}


def cost(choice: Choice, usage: Usage, seconds: float) -> int | None:
    """Millionths of a dollar, rounded up; None when no price is known.

    A self-hosted model costs the share of its GPU that the call took: its seconds, divided by how many calls the
    provider works on at a time.
    """
    facts = choice.facts
    if facts.input_usd is not None or facts.output_usd is not None:
        fresh = usage.input_tokens - usage.cached_tokens
        cached_usd = facts.cached_usd if facts.cached_usd is not None else facts.input_usd or 0.0
        dollars = (
            fresh * (facts.input_usd or 0.0)
            + usage.cached_tokens * cached_usd
            + usage.output_tokens * (facts.output_usd or 0.0)
        )
        return math.ceil(dollars)  # dollars a million tokens are millionths of a dollar a token
    if choice.provider.kind == "compatible":
        shared = max(1, choice.provider.concurrency)
        return math.ceil(choice.provider.gpu_usd_per_hour / 3600 * seconds * 1e6 / shared)
    tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
    price = _by_table(_IN_TABLE[choice.provider.kind], choice.model, *tokens)
    return None if price is None else math.ceil(price * 1_000_000)


def seconds_of(choice: Choice, output_tokens: int) -> float:
    """About how long a self-hosted model works on an answer."""
    return output_tokens / max(0.1, choice.facts.tokens_per_second)


@lru_cache(maxsize=4096)
def _by_table(provider: str, model: str, asked: int, cached: int, output: int) -> Decimal | None:
    """Dollars by the table that ships with the package: nothing is looked up anywhere. `asked` holds the cached ones."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    try:
        priced = calc_price(
            Tokens(input_tokens=asked, cache_read_tokens=cached, output_tokens=output),
            model_ref=model,
            provider_id=provider,
        )
    except LookupError:
        return None
    return priced.total_price
