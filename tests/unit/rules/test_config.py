"""`panlect.toml`: what it says is done or refused with the line, and never ignored."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from panlect.errors import ConfigurationError
from panlect.finding import Severity
from panlect.rules.config import (
    MAX_BYTES,
    STANDARD,
    About,
    Mode,
    RepositoryConfig,
    effective,
    left_out,
    parse,
    schema,
)

CHECKS = frozenset({"secret", "call-mismatch", "hidden-unicode"})
WHOLE = b"""
[review]
min_severity = "P2"
max_changed_lines = 50

[paths]
exclude = ["vendor/**", "*.snap"]
include = ["src/**", "vendor/**"]

[[paths.override]]
path = "src/billing/"
min_severity = "P3"
checks = { secret = "off" }

[[paths.override]]
path = "src/billing/api"
checks = { secret = "on" }

[filters]
titles = ["!WIP*"]
branches = ["main", "release/*"]
labels = ["!no-review"]
bots = false

[checks]
call-mismatch = "summary"
"""


def read(text: bytes) -> RepositoryConfig:
    return parse(text, CHECKS)


def error_of(text: bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return caught.value


def test_an_empty_file_is_the_standard() -> None:
    assert read(b"") == read(b"# nothing\r\n") == STANDARD


@pytest.mark.parametrize(
    ("text", "line", "said", "fix"),
    [
        (b'\n[review]\nmin_severty = "P1"\n', 3, "review.min_severty", "min_severity"),
        (b"[reviews]\n", 1, "reviews", "review"),
        (b'[checks]\nsecret = "on"\nsecrt = "off"\n', 3, "checks.secrt", "secret"),
        (b'[[paths.override]]\npath = "a"\n[[paths.override]]\npath = "b"\nchek = 1\n', 5, "chek", "checks"),
        (b'[paths]\nexclude = "docs"\n', 2, "paths.exclude", ""),
        (b'[checks]\nsecret = "loud"\n', 2, "checks.secret", ""),
        (b'[[paths.override]]\npath = "../x"\n', 2, "paths.override.path", ""),
        (b"[review]\nnotes = -1\n", 2, "review.notes", ""),
        (b"[review]\nnotes = true\n", 2, "review.notes", ""),
        (b"[review\n", 1, "not TOML", ""),
        (b"# fine\n\xff\n", 2, "not UTF-8", ""),
    ],
)
def test_what_it_does_not_know_is_an_error_with_its_line(text: bytes, line: int, said: str, fix: str) -> None:
    error = error_of(text)
    assert error.what.startswith(f"panlect.toml, line {line}: ")
    assert said in error.what
    if fix:
        assert error.fix == f"Did you mean {fix}?"


@pytest.mark.parametrize(
    "text",
    [
        b"#" * (MAX_BYTES + 1),
        b"a = " + b"[" * 30_000,
        b"a" + b".a" * 30_000 + b" = 1",
        b"a = " + b"{a=" * 9000,
    ],
    ids=["large", "nested", "dotted", "tables"],
)
def test_a_hostile_file_is_refused(text: bytes) -> None:
    assert "panlect.toml" in error_of(text).what


def test_a_control_character_does_not_reach_the_message() -> None:
    assert "\x1b" not in str(error_of(b'"\\u001b[31m" = 1\n'))


def test_the_deepest_directory_wins_and_each_value_says_who_set_it() -> None:
    config = read(WHOLE)
    plain = effective(config, "src/a.py")
    assert (plain.min_severity.value, plain.min_severity.source) == (Severity.P2, "panlect.toml [review]")
    assert plain.mode("call-mismatch") is Mode.SUMMARY
    assert plain.mode("secret") is Mode.ON
    billing = effective(config, "src/billing/a.py")
    assert billing.min_severity.value is Severity.P3
    assert billing.mode("secret") is Mode.OFF
    deepest = effective(config, "src/billing/api/a.py")
    assert deepest.min_severity.value is Severity.P3
    assert deepest.checks["secret"].value is Mode.ON
    assert deepest.checks["secret"].source == "panlect.toml [[paths.override]] src/billing/api"
    assert effective(config, "src/billing2/a.py").mode("secret") is Mode.ON
    assert effective(STANDARD, "x").min_severity.source == "default"


def test_exclude_wins_over_include() -> None:
    config = read(WHOLE)
    assert effective(config, "vendor/x.py").excluded.value == "panlect.toml: excluded path"
    assert effective(config, "src/deep/a.snap").excluded.value == "panlect.toml: excluded path"
    assert effective(config, "lib/a.py").excluded.value == "panlect.toml: not an included path"
    assert effective(config, "src/a.py").excluded.value == ""


@pytest.mark.parametrize(
    ("about", "lines", "reason"),
    [
        (About(title="Add it", branch="main"), 50, ""),
        (About(title="Add it", branch="main"), 51, "panlect.toml: more than 50 changed lines"),
        (About(title="wip: add it"), 1, "panlect.toml: left out by its title"),
        (About(branch="develop"), 1, "panlect.toml: left out by its branch"),
        (About(branch="release/2"), 1, ""),
        (About(labels=("bug", "No-Review")), 1, "panlect.toml: left out by its labels"),
        (About(labels=()), 1, ""),
        (About(bot=True), 1, "panlect.toml: what bots open is not reviewed"),
        (About(draft=True), 1, ""),
        (About(), 1, ""),
    ],
)
def test_a_pull_request_is_left_out_with_the_reason(about: About, lines: int, reason: str) -> None:
    assert left_out(read(WHOLE), about, lines) == reason


def test_a_draft_is_left_out_where_drafts_are_not_reviewed() -> None:
    config = read(b"[review]\ndrafts = false\n")
    assert left_out(config, About(draft=True), 1) == "panlect.toml: drafts are not reviewed"
    assert left_out(config, About(), 1) == ""


def test_the_schema_describes_every_key() -> None:
    made = schema()
    Draft202012Validator.check_schema(made)
    tables = [made, *(one for one in made["$defs"].values() if one["type"] == "object")]
    assert all(field["description"] for table in tables for field in table["properties"].values())
    Draft202012Validator(made).validate({"review": {"min_severity": "P1"}, "checks": {"secret": "off"}})
    assert not Draft202012Validator(made).is_valid({"review": {"nope": 1}})
