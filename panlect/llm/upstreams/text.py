"""What a provider wrote, as text that can be kept and sent on: JSON may spell halves of characters, and NUL."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_NUL = "\0"
_ESCAPED = re.compile(r"\\u(?:0000|d[89a-f])", re.I)


def whole(text: str) -> str:
    """`text` without NUL, its halves of characters put together, and U+FFFD for each that has no other half."""
    if text.isascii():
        return text.replace(_NUL, "")
    if _HALF.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace(_NUL, "")


def whole_json(text: str) -> str:
    """The same of text that is JSON, or was to be: nothing that it spells by escapes is worse than what it holds."""
    if _ESCAPED.search(text):
        try:
            text = json.dumps(_values(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return whole(text)
    return whole(text)


def _values(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_values(one) for one in value]
    if isinstance(value, dict):
        return {whole(name): _values(one) for name, one in value.items()}
    return value


class Pieces:
    """One text that comes in pieces, which may cut a character in two."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, piece: str) -> str:
        """What is whole by now."""
        piece = self._half + piece
        self._half = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        return whole(piece[: len(piece) - len(self._half)])

    def rest(self) -> str:
        """What never became whole, once nothing more comes."""
        rest, self._half = whole(self._half), ""
        return rest
