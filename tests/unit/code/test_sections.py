"""Files without a grammar are cut where their own structure says, and each piece knows its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panlect.code.analysis import Chunk
from panlect.code.chunk import BUDGET, weight
from panlect.code.languages import LANGUAGES, language_by_name
from panlect.code.parse import analyse
from panlect.code.sections import marks_of, sections_of

MARKDOWN = """\
---
title: "# not a heading"
---
Intro
=====

Words.

# Install

```sh
# not a heading
```

## Linux ##

    make

Mac
---

~~~
```
# still not one
~~~

#hashtag
# Use
"""

REST = """\
=====
Title
=====

First
-----

Text.

Deeper
~~~~~~

Second
------
"""

SQL = """\
-- The orders; all of them.
CREATE TABLE IF NOT EXISTS shop.orders (
    name text DEFAULT 'a;b' -- one; two
);
/* note; */ insert into orders values (1);
create or replace function total() returns int as $body$
  select 1; select 2;
$body$ language sql;
CREATE UNIQUE INDEX CONCURRENTLY "by_name" ON orders (name)
"""

YAML = """\
# What runs.
name: ci
on: [push]
script: |
  inner: text
jobs:
  build:
    steps: []
  # Checks.
  test: {}
---
other: 1
"""

TOML = """\
title = "x"

# The tool.
[tool.panlect]
text = \"\"\"
[not.a.table]
\"\"\"
[[package]]
name = "a"
"""

JSON = """\
{
  "name": "shop",
  "scripts": {
    "build": "make"
  },
  "files": []
}
"""

SHELL = """\
set -e

# Builds it.
build() {
  make
}
run=1
function deploy {
  one; }
}
short() { true; }
"""

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM --platform=linux/amd64 python:3.11 AS build
RUN pip install \\
FROM nothing
COPY . .
FROM scratch
"""

MAKEFILE = """\
CC := gcc
.PHONY: all
# Everything.
all: build test
\tmake build
build/%.o: %.c
\tcc
"""

PROTO = """\
syntax = "proto3";

// What is bought.
message Cart {
  message Inner {}
}
service Shop {
  rpc Total(Cart) returns (Cart);
}
"""

GRAPHQL = '''\
"""
type NotAType
"""
type Cart @key(fields: "id") {
  id: ID!
}
extend type Query {
  cart: Cart
}
schema { query: Query }
'''

HCL = """\
terraform {
}
resource "aws_s3_bucket" "logs" {
  bucket = "x"
}
"""


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "a.md",
            MARKDOWN,
            [("Intro", 4), ("Install", 9), ("Install > Linux", 15), ("Install > Mac", 19), ("Use", 28)],
        ),
        (
            "a.rst",
            REST,
            [("Title", 1), ("Title > First", 5), ("Title > First > Deeper", 10), ("Title > Second", 13)],
        ),
        ("a.sql", SQL, [("shop.orders", 1), ("total", 6), ("by_name", 9)]),
        (
            "a.yaml",
            YAML,
            [
                ("name", 1),
                ("on", 3),
                ("script", 4),
                ("jobs", 6),
                ("jobs > build", 7),
                ("jobs > test", 9),
                ("other", 12),
            ],
        ),
        ("a.toml", TOML, [("tool.panlect", 3), ("package", 8)]),
        ("a.cfg", "[a]\nx = 1\n[b] ; two\n", [("a", 1), ("b", 3)]),
        ("a.json", JSON, [("name", 2), ("scripts", 3), ("files", 6)]),
        ("a.sh", SHELL, [("build", 3), ("deploy", 8), ("short", 11)]),
        ("Dockerfile", DOCKERFILE, [("build", 1), ("scratch", 6)]),
        ("Makefile", MAKEFILE, [("all", 3), ("build/%.o", 6)]),
        ("a.proto", PROTO, [("Cart", 3), ("Shop", 7)]),
        ("a.graphql", GRAPHQL, [("Cart", 1), ("Query", 7), ("schema", 10)]),
        ("a.tf", HCL, [("terraform", 1), ("resource aws_s3_bucket logs", 3)]),
    ],
)
def test_sections_have_a_name_and_a_place(path: str, source: str, expected: list[tuple[str, int]]) -> None:
    text = source.encode()
    found = sections_of(marks_of(language_by_name(path).name, text), len(text))
    assert [(name, text.count(b"\n", 0, start) + 1) for start, _, name in found] == expected


def test_a_section_ends_where_the_next_of_its_level_begins() -> None:
    text = b"# A\n## B\n# C\n"
    assert sections_of(marks_of("markdown", text), len(text)) == [(0, 9, "A"), (4, 9, "A > B"), (9, 13, "C")]


def test_a_function_of_a_shell_ends_at_its_brace() -> None:
    text = SHELL.encode()
    build = sections_of(marks_of("shell", text), len(text))[0]
    assert text[build[0] : build[1]] == b"# Builds it.\nbuild() {\n  make\n}"


def test_each_statement_of_sql_begins_a_piece() -> None:
    text = SQL.encode()
    starts = [mark.start for mark in marks_of("sql", text)]
    lines = [text[start:].split(b"\n", 1)[0] for start in starts]
    assert lines == [
        b"-- The orders; all of them.",
        b"/* note; */ insert into orders values (1);",
        b"create or replace function total() returns int as $body$",
        b'CREATE UNIQUE INDEX CONCURRENTLY "by_name" ON orders (name)',
    ]


def test_the_scope_of_a_chunk_is_its_heading_path() -> None:
    words = "Plain words about nothing in particular.\n" * 30
    source = f"# Install\n\n{words}\n## Linux\n\n{words}\n# Use\n\n{words}".encode()
    assert [chunk.scope for chunk in analyse("a.md", source).chunks] == [
        "Install",
        "Install",
        "Install > Linux",
        "Install > Linux",
        "Use",
        "Use",
    ]


def test_small_sections_share_a_chunk() -> None:
    assert len(analyse("a.md", b"# A\n\nOne.\n\n# B\n\nTwo.\n").chunks) == 1


def test_a_section_begins_a_chunk_unless_the_one_before_is_small() -> None:
    words = "Plain words about nothing in particular.\n"
    source = f"# A\n\n{words * 12}\n# B\n\n{words}\n# C\n\n{words}".encode()
    assert [chunk.scope for chunk in analyse("a.md", source).chunks] == ["A", ""]  # B and C share one


def test_a_large_section_is_cut_at_a_blank_line() -> None:
    paragraph = "Plain words about nothing in particular.\n" * 15
    source = f"# A\n\n{paragraph}\n{paragraph}\n{paragraph}".encode()
    chunks = analyse("a.md", source).chunks
    assert len(chunks) == 3
    assert {source[chunk.start_byte : chunk.end_byte].strip()[:5] for chunk in chunks[1:]} == {b"Plain"}


@pytest.mark.parametrize(
    ("path", "source", "chunker"),
    [
        ("a.py", "x\n", "syntax"),
        ("a.md", "# Title\n\nText.\n", "heading"),
        ("a.sql", "select 1;\nselect 2;\n", "statement"),
        ("a.yaml", "a: 1\n", "key"),
        ("a.sh", "f() {\n  true\n}\n", "block"),
        ("a.txt", "x\n", "lines"),
        ("a.unheard-of", "x\n", "lines"),
        ("a.md", "No heading in it.\n", "lines"),
    ],
)
def test_an_analysis_tells_which_chunker_cut_it(path: str, source: str, chunker: str) -> None:
    assert analyse(path, source.encode()).chunker == chunker


def test_what_was_not_read_was_not_cut() -> None:
    analysis = analyse("a.py", b"\0")
    assert analysis.chunker == "none"


def test_every_declared_chunker_knows_its_language() -> None:
    for row in LANGUAGES:
        if not row.grammar:
            assert row.chunker != "lines"
            assert marks_of(row.name, SAMPLES[row.name].encode())


SAMPLES = {
    "markdown": MARKDOWN,
    "rest": REST,
    "sql": SQL,
    "shell": SHELL,
    "yaml": YAML,
    "toml": TOML,
    "ini": "[a]\n",
    "json": JSON,
    "dockerfile": DOCKERFILE,
    "makefile": MAKEFILE,
    "proto": PROTO,
    "graphql": GRAPHQL,
    "hcl": HCL,
}
PATHS = [(row.suffixes or row.file_names)[0] for row in LANGUAGES if not row.grammar]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "source",
    [
        b"# " * 100_000,
        b"# a\n" * 50_000,
        b"## " + b" " * 100_000 + b"#\n",
        b"/*" * 100_000,
        b"'" * 100_001,
        b"$a$" * 60_001,
        b"[" + b" " * 390 + b"\n" + (b"[" + b" " * 390 + b"\n") * 500,
        (b"a " * 190 + b"\n") * 500,
        (b"a: " * 120 + b"\n") * 500,
        (b"  " * 190 + b"a:\n") * 500,
        b"```\n" * 30_000,
        b"a\n---\n" * 20_000,
        b"{\n" + b' "a": 1,\n' * 30_000,
        "漢字: 字\n".encode() * 10_000,
        b"\r\n" * 10_000,
    ],
)
def test_hostile_files_are_cut_within_bounds(path: str, source: bytes) -> None:
    analysis = analyse(f"x{path}" if path.startswith(".") else path, source)
    assert analysis.skipped == ""
    _assert_sound(source, analysis.chunks)
    for chunk in analysis.chunks:
        assert weight(source[chunk.start_byte : chunk.end_byte]) <= 2 * BUDGET
        assert len(chunk.scope) <= 300


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["# A\n", "## B\n", "```\n", "a: 1\n", "  b:\n", "[t]\n", "CREATE TABLE x (", ");\n", "'", "\n"]
        )
    )
    | st.text(max_size=3000).map(lambda text: [text]),
    st.sampled_from(PATHS),
)
def test_no_character_is_lost_or_counted_twice(parts: list[str], path: str) -> None:
    source = "".join(parts).replace("\0", "").encode("utf-8", "ignore")
    _assert_sound(source, analyse(f"x{path}" if path.startswith(".") else path, source).chunks)


def _assert_sound(source: bytes, chunks: tuple[Chunk, ...]) -> None:
    at = 0
    for chunk in chunks:
        assert at <= chunk.start_byte < chunk.end_byte
        assert not source[at : chunk.start_byte].strip()
        assert chunk.start_line == source.count(b"\n", 0, chunk.start_byte) + 1
        source[chunk.start_byte : chunk.end_byte].decode()
        at = chunk.end_byte
    assert not source[at:].strip()
