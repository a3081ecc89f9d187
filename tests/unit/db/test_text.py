"""Text for Postgres: whatever a repository holds, it can be stored, and what was fine is untouched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.db.text import storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("plain é 漢 🙂", "plain é 漢 🙂"),
        ("a\0b", "a\ufffdb"),
        ("a\udcffb", "a\ufffdb"),
        ("\ud83d\ude42", "🙂"),
    ],
)
def test_only_what_cannot_be_stored_is_replaced(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(st.text(st.characters(codec=None)))
def test_anything_becomes_storable_and_stays_so(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored
    assert storable(stored.encode().decode()) == stored
