"""Characters that no reader sees: which there are, and text without them, on its way to a model and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

# Ranges for a character class. Overrides and isolates reorder what is shown; the others show nothing.
DIRECTION = "\u202a-\u202e\u2066-\u2069"
TAGS = "\U000e0000-\U000e007f"
ZERO_WIDTH = "\u200b\u2060\u2061-\u2064\ufeff"
JOINERS = "\u200c\u200d"  # between letters of Persian and Hindi, and in emoji, they have a meaning
# Selectors of the supplement, and ordinary ones in a row, can spell any text behind one visible character.
_SELECTORS = "\U000e0100-\U000e01ef"
_EMPTY = "\u00ad\u115f\u1160\u180e\u206a-\u206f\u3164\uffa0"
_SURROGATES = "\ud800-\udfff"
_KINDS = (
    ("nul", "\0"),
    ("direction-mark", DIRECTION),
    ("tag-character", TAGS),
    ("zero-width", ZERO_WIDTH + _EMPTY),
    ("variation-selector", _SELECTORS),
    ("surrogate", _SURROGATES),
)
_HIDDEN = re.compile("[" + "".join(ranges for _, ranges in _KINDS) + "]")
_EACH = tuple((kind, re.compile(f"[{ranges}]")) for kind, ranges in _KINDS)
_REPEATED = re.compile("(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
_JOINED = re.compile(f"(?<=[0-9A-Za-z_])[{JOINERS}]+(?=[0-9A-Za-z_])")


def without_hidden(text: str) -> tuple[str, Mapping[str, int]]:
    """`text` with NUL, hidden characters and undecodable bytes taken out, and how many of each kind there were."""
    if text.isascii() and "\0" not in text:
        return text, {}
    counts = Counter(_kind(mark) for mark in _HIDDEN.findall(text))
    kept = _HIDDEN.sub("", text) if counts else text
    for kind, pattern in (("variation-selector", _REPEATED), ("zero-width", _JOINED)):
        taken = sum(map(len, pattern.findall(kept)))
        if taken:
            counts[kind] += taken
            kept = pattern.sub("", kept)
    return kept, dict(counts)


def _kind(mark: str) -> str:
    return next(kind for kind, pattern in _EACH if pattern.match(mark))
