"""Halves of characters, and NUL, in what a provider wrote."""

from __future__ import annotations

import json

import pytest

from panlect.llm.upstreams.text import Pieces, whole, whole_json


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("naïve 👍", "naïve 👍"),
        ("a\0b", "ab"),
        ("ä\0b", "äb"),
        ("\ud83d\udc4d", "👍"),
        ("x\ud83d", "x\ufffd"),
        ("\udc4dx", "\ufffdx"),
        ("\ud83d\ud83d\udc4d", "\ufffd👍"),
        ("\udc4d\ud83d", "\ufffd\ufffd"),
    ],
)
def test_only_halves_and_nul_are_changed(text: str, kept: str) -> None:
    assert whole(text) == kept
    json.dumps(whole(text), ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["a\ud83d\udc4db", "\ud83d\ud83d", "x\ud83d", "\udc4d\ud83d\0\udc4d", ""])
def test_pieces_are_whole_however_they_are_cut(text: str) -> None:
    pieces = Pieces()
    assert "".join([pieces.add(piece) for piece in text] + [pieces.rest()]) == whole(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            '{"a": "\\ud800\\u0000b", "\\uDC4D": ["\\uD83D\\uDC4D", 1]}',
            '{"a": "\ufffdb", "\ufffd": ["👍", 1]}',
        ),
        ('{"a":  "\\u00e4"}', '{"a":  "\\u00e4"}'),
        ('{"a": "\\ud800', '{"a": "\\ud800'),
        ('{"a": "\ud800"', '{"a": "\ufffd"'),
        ("[" * 100_000 + "\\u0000", "[" * 100_000 + "\\u0000"),
    ],
)
def test_json_spells_neither_by_escapes(text: str, kept: str) -> None:
    assert whole_json(text) == kept
