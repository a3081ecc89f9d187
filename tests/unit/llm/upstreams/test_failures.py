"""What a refusal means, how long to wait, and that nothing of a key is repeated."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from panlect.errors import EgressRefusedError, NameUnresolvedError
from panlect.llm.table import Choice, Model, Provider
from panlect.llm.upstreams import Target
from panlect.llm.upstreams.failures import (
    failed,
    not_called,
    printable,
    refused,
    reported,
    retry_after,
    words_of,
)

KEY = "AKIAABCDEFGHIJKLMNOP:d7Fh2kQ9sLw0pZx5"
TARGET = Target(Choice(Provider("p", "compatible", "https://x.example"), "m", Model()), KEY, 5.0)


def said(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, said(message="Unknown parameter"), "rejected"),
        (400, said(message="x", code="context_length_exceeded"), "too_long"),
        (400, said(message="This model's maximum context length is 8192 tokens."), "too_long"),
        (
            400,
            said(message="the request exceeds the available context size", type="exceed_context_size_error"),
            "too_long",
        ),
        (
            400,
            said(message="The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            "too_long",
        ),
        (
            400,
            b'[{"error": {"message": "input tokens exceed the limit", "status": "INVALID_ARGUMENT"}}]',
            "too_long",
        ),
        (400, said(message="max_tokens is too large: 9. This model supports at most 8."), "rejected"),
        (400, b"<html>", "rejected"),
        (401, said(message="Incorrect API key provided"), "auth"),
        (402, b"", "auth"),
        (403, b"", "auth"),
        (404, said(message="no such model"), "rejected"),
        (408, b"", "timeout"),
        (409, b"", "unavailable"),
        (413, b"", "too_long"),
        (422, said(message="bad"), "rejected"),
        (429, said(message="slow down"), "rate_limited"),
        (302, b"", "rejected"),
        (500, b"", "unavailable"),
        (500, said(message="context size exceeded"), "too_long"),
        (503, b"", "unavailable"),
        (504, b"", "timeout"),
        (529, b"", "unavailable"),
        (418, b"", "rejected"),
    ],
)
def test_each_status_has_its_outcome(status: int, body: bytes, outcome: str) -> None:
    error = refused(TARGET, status, {"retry-after": "3"}, body)
    assert error.outcome == outcome
    assert error.retry_after_s == (3.0 if outcome in ("rate_limited", "unavailable", "timeout") else 0.0)
    assert str(error).startswith("p/m ")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("2.5", 2.5),
        (" 7 ", 7.0),
        ("86400", 600.0),
        ("0", 0.0),
        ("-1", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("9" * 400, 0.0),
        ("\u0663", 0.0),
        ("1e3", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 600.0),
        ("Wed, 99 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
def test_a_wait_is_read_and_bounded(header: str, seconds: float) -> None:
    assert retry_after({"retry-after": header}) == seconds


def test_a_wait_may_be_a_date_or_milliseconds() -> None:
    at = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < retry_after({"retry-after": format_datetime(at, usegmt=True)}) <= 100
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5


def test_nothing_of_a_key_is_repeated() -> None:
    words = (
        f"Key {KEY} is wrong; d7Fh2kQ9sLw0pZx5 too; Bearer abcdefghijklmnop\x1b[2J\u2028 sk-proj-{'x' * 40}"
    )
    shown = printable(words, KEY)
    assert "d7Fh2" not in shown
    assert "AKIA" not in shown
    assert "abcdefghijklmnop" not in shown
    assert "xxxx" not in shown
    assert "\x1b" not in shown
    assert "\u2028" not in shown
    assert len(printable("x" * 10_000, KEY)) == 300
    assert str(failed(TARGET, "failed", "auth", why=words)).count("SECRET") >= 3


def test_words_can_be_stored_and_hold_nothing_that_nobody_sees() -> None:
    words = "in\ud800va\0lid \u202eke\u200by ghp_" + "a1B2" * 4 + "\u200b" + "a1B2" * 5
    error = refused(TARGET, 400, {}, said(message=words, code="x\ud800"))
    assert error.why == "invalid key [SECRET:github-token]"
    for found in (reported(TARGET, {"message": words}), failed(TARGET, "failed", "garbage", why=words)):
        str(found).encode()


def test_a_wrong_key_is_told_by_its_code_alone() -> None:
    error = refused(
        TARGET, 401, {}, said(message="Incorrect API key provided: d7Fh****", code="invalid_api_key")
    )
    assert error.why == "It answered 401 invalid_api_key."


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'"x"', b'{"error": 7}', b'{"error": {"message": {}}}', b"[" * 60_000, b"\xff"],
)
def test_an_error_of_no_known_shape_has_no_words(body: bytes) -> None:
    assert words_of(body)[0] == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "model not found"}', "model not found"),
        (b'{"message": "too many"}', "too many"),
        (b'{"detail": "nope"}', "nope"),
        (b'{"Error": {"Message": "denied", "Code": "AccessDenied"}}', "denied"),
    ],
)
def test_the_usual_shapes_of_errors_are_read(body: bytes, words: str) -> None:
    assert words_of(body)[0] == words


def test_an_error_in_a_stream_may_be_a_text() -> None:
    assert reported(TARGET, "it burns").why == "it burns"
    assert reported(TARGET, {"code": 429, "message": "x"}).outcome == "rate_limited"
    assert reported(TARGET, 7).outcome == "unavailable"


def test_an_address_that_is_not_called_is_our_refusal_or_their_absence() -> None:
    assert not_called(TARGET, EgressRefusedError("x is refused.")).outcome == "rejected"
    assert not_called(TARGET, NameUnresolvedError("x does not resolve.")).outcome == "unavailable"
