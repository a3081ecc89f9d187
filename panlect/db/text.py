"""Text from repositories and hosts, made fit for Postgres, which knows neither NUL nor lone surrogates."""

from __future__ import annotations


def storable(text: str) -> str:
    """The same text with each NUL and each undecodable byte replaced by U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
