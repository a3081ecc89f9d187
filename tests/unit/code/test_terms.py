"""Terms: identifiers split, stemmed, counted."""

from __future__ import annotations

import struct

import pytest

from panlect.code.terms import postings_of, split_identifier, stem, term_id, terms_of


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("capture_order", ["capture", "order"]),
        ("parseHTTPHeader", ["parse", "http", "header"]),
        ("HTTPServer2", ["http", "server", "2"]),
        ("__init__", ["init"]),
        ("XMLHttpRequest", ["xml", "http", "request"]),
        ("ALL_CAPS", ["all", "caps"]),
        ("größeÄndern", ["gr", "öß", "e", "ä", "ndern"]),
    ],
)
def test_identifiers_are_split_at_case_and_underscore(word: str, parts: list[str]) -> None:
    assert split_identifier(word) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("retries", "retry"),
        ("running", "run"),
        ("tasks", "task"),
        ("called", "calling"),
        ("caches", "cache"),
        ("cached", "cache"),
        ("passes", "pass"),
        ("queues", "queue"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize("word", ["class", "status", "this", "is", "as", "bus", "thing", "need", "king"])
def test_words_that_only_look_inflected_stay(word: str) -> None:
    assert stem(word) == word


def test_a_name_is_found_by_its_words_and_as_a_whole() -> None:
    assert terms_of("capture_order") == [
        term_id(stem("capture")), term_id(stem("order")), term_id("capture_order")
    ]  # fmt: skip


def test_case_and_style_do_not_matter() -> None:
    assert terms_of("captureOrder")[:2] == terms_of("CAPTURE_ORDER")[:2]


def test_encoded_data_is_no_word() -> None:
    assert terms_of("A" * 81) == []


def test_postings_count_words_by_chunk_and_spell_them_once() -> None:
    postings, words = postings_of(["retry retry task", "task"])
    assert list(words) == ["retry", "task"]
    assert _u32(postings.words) == (0, 1, 1)
    assert _u32(postings.chunks) == (0, 0, 1)
    assert struct.unpack("<3H", postings.counts) == (2, 1, 1)
    assert _u32(postings.word) == (0, 1)
    assert struct.unpack("<2Q", postings.terms) == (term_id("retry"), term_id("task"))


def _u32(column: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(column) // 4}I", column)
