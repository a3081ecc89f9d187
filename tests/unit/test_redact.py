"""No secret survives in a log line, an error or a trace; what only looks like one is left alone."""

from __future__ import annotations

import io
import json
import logging

import pytest

from panlect.redact import JsonFormatter, RedactingFilter, log_ids, redact

# Put together here, so that no scanner takes these lines for the real thing.
_A36, _HEX = "a1B2" * 9, "0123456789abcdef" * 4
SECRETS = (
    ("github-token", "ghp_" + _A36),
    ("github-token", "gho_" + _A36),
    ("github-token", "ghs_" + _A36),
    ("github-token", "ghr_" + _A36),
    ("github-token", "github_pat_" + _A36 + "_" + _A36),
    ("gitlab-token", "glpat-" + "a1B2-_" * 4),
    ("panlect-token", "panlect_" + _A36),
    ("openai-key", "sk-" + _A36),
    ("openai-key", "sk-proj-" + _A36),
    ("openai-key", "sk-ant-api03-" + _A36),
    ("aws-key", "AKIA" + "A1B2" * 4),
    ("aws-key", "ASIA" + "A1B2" * 4),
    ("slack-token", "xoxb-" + "1234567890-" * 2 + "abc"),
    ("jwt", "eyJ" + "hbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0" + "." + _A36),
    ("private-key", "-----BEGIN RSA PRIVATE" + " KEY-----\n" + _A36 + "\n-----END RSA PRIVATE" + " KEY-----"),
    ("private-key", "-----BEGIN OPENSSH PRIVATE" + " KEY-----\n" + _A36),  # cut before its end
)
AROUND = ("{}", "token {} refused", '"{}"', "a={}&b", "({})", "x\n{}\ny")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_a_secret_is_replaced_wherever_it_stands(kind: str, secret: str, around: str) -> None:
    shown = redact(around.format(secret))
    assert f"[SECRET:{kind}]" in shown
    assert _A36 not in shown
    assert secret not in shown


def test_a_token_is_found_behind_what_begins_like_one_over_and_over() -> None:
    token = "eyJ" + "hbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0" + "." + _A36
    assert redact("eyJ-" * 20_000 + " " + token).endswith("eyJ- [SECRET:jwt]")


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        ("https://user:hunter22@example.org/x", "hunter22", "@example.org/x"),
        ("postgresql://panlect:s3cr:et@db:5432/panlect", "s3cr:et", "@db:5432/panlect"),
        ("https://:t0ken@example.org", "t0ken", "@example.org"),
        ("Authorization: Bearer " + _HEX, _HEX, "Authorization: Bearer "),
        ("authorization: bearer abc.def-ghi~jkl+mno=", "abc.def", "bearer "),
        ("password=hunter22", "hunter22", "password="),
        ('"password": "hunter22"', "hunter22", '"password": "'),
        ("PASSWD: hunter22 next", "hunter22", "next"),
        ("api_key = hunter22;", "hunter22", "api_key = "),
        ("apikey=hunter22,x=1", "hunter22", ",x=1"),
        ("?access_token=hunter22&page=2", "hunter22", "&page=2"),
        ("client_secret: 'hunter22'", "hunter22", "client_secret: '"),
    ],
)
def test_what_stands_around_a_secret_is_kept(text: str, hidden: str, kept: str) -> None:
    shown = redact(text)
    assert hidden not in shown
    assert kept in shown
    assert "[SECRET:" in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "commit " + _HEX[:40],
        "the token is wrong",
        "https://example.org:8443/a@b",
        "https://example.org/?q=a:b@c",
        "git@example.org:acme/shop.git",
        "password is required",
        "ghp_short",
        "sk-learn",
        "AKIAshort",
        "def secret(): pass",
        "-----BEGIN CERTIFICATE-----",
        "bearer token",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    for _, secret in SECRETS:
        once = redact(f"password={secret} at {secret}")
        assert redact(once) == once


def test_a_long_line_of_near_misses_is_read_in_time() -> None:
    for part in (
        "://",
        "eyJ" + "a" * 10 + ".",
        "password=",
        "-----BEGIN PRIVATE KEY-----"[:20],
        "sk-",
        "a:b",
    ):
        redact(part * 20_000)


@pytest.fixture
def written() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, stream


def test_arguments_and_tracebacks_are_redacted_too(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    try:
        raise ValueError(f"refused ghp_{_A36}")
    except ValueError:
        logger.exception("call with %s failed", "sk-" + _A36)
    line = json.loads(stream.getvalue())
    assert line["message"] == "call with [SECRET:openai-key] failed"
    assert "[SECRET:github-token]" in line["traceback"]
    assert _A36 not in stream.getvalue()


def test_a_newline_cannot_forge_a_line(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.info('file a\n{"level": "CRITICAL"}')
    assert len(stream.getvalue().splitlines()) == 1
    assert json.loads(stream.getvalue())["level"] == "INFO"


def test_ids_of_the_run_at_hand_are_on_each_line_and_only_there(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = written
    with log_ids(run="r1"):
        with log_ids(repository="acme/shop"):
            logger.info("inner")
        logger.info("outer")
    logger.info("after")
    inner, outer, after = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (inner["run"], inner["repository"]) == ("r1", "acme/shop")
    assert outer["run"] == "r1"
    assert "repository" not in outer
    assert "run" not in after
