"""How many tokens a text has, without any tokenizer's files: a count of pieces, corrected by what providers report."""

from __future__ import annotations

import re
from collections import Counter

_PIECE = re.compile(r"[^\W\d_]+|\d+|\n+|[^\w\s]|_")


def estimate_tokens(text: str) -> int:
    """About how many tokens a model's tokenizer makes of `text`; never fewer than 1 for a text."""
    total = 0.0
    for piece, times in Counter(_PIECE.findall(text)).items():  # few pieces, often repeated
        if piece[0] == "\n":
            total += times
        elif piece[0].isalnum():
            total += times * (1 if len(piece) <= 8 else (len(piece) + 5) // 6)
        else:
            total += 0.62 * times
    return max(1, round(total)) if text else 0
