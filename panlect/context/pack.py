"""Fill a token budget with the most telling pieces of code, each with the reason why it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PIECE = re.compile(r"[^\W\d_]+|\d+|\n+|[^\w\s]|_")


def estimate_tokens(text: str) -> int:
    """About how many tokens a model's tokenizer makes of `text`; never fewer than 1 for a text."""
    total = 0.0
    for piece in _PIECE.findall(text):
        if piece[0] == "\n":
            total += 1
        elif piece[0].isalnum():
            total += 1 if len(piece) <= 8 else (len(piece) + 5) // 6
        else:
            total += 0.62
    return max(1, round(total)) if text else 0


@dataclass(frozen=True, slots=True)
class Item:
    """Lines that a reviewer should see. `tokens` is the estimated size of exactly these lines."""

    path: str
    start_line: int
    end_line: int
    reason: str
    score: float
    tokens: int


def pack(items: Sequence[Item], budget_tokens: int) -> list[Item]:
    """The items that fit, best first: greedy by score a token, overlapping ranges of a file only once."""
    chosen: list[Item] = []
    left = budget_tokens
    for item in sorted(
        items, key=lambda one: (-one.score / max(1, one.tokens) ** 0.5, one.path, one.start_line)
    ):
        if item.tokens <= left and not any(_overlap(item, other) for other in chosen):
            chosen.append(item)
            left -= item.tokens
    return sorted(chosen, key=lambda one: (-one.score, one.path, one.start_line))


def _overlap(one: Item, other: Item) -> bool:
    return one.path == other.path and one.start_line <= other.end_line and other.start_line <= one.end_line
