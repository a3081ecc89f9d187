"""What the query of each language finds, aspect by aspect, against the snippets and rows of `<language>.txt`.

A table is a text file: `=== aspect`, a snippet, `---`, and every row that the snippet must give, in order.
`none: reason` in place of a snippet says that the language has no such thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from panlect.code.analysis import Analysis
from panlect.code.languages import LANGUAGES, language_named
from panlect.code.parse import read

HERE = Path(__file__).parent
ASPECTS = (
    "definitions", "methods", "nested", "generics", "attributes", "imports", "reexports", "calls", "inheritance", "visibility",
)  # fmt: skip
SAME_QUERIES = {"tsx": "typescript"}  # what JSX adds is in the table of javascript


def table_of(language: str) -> dict[str, tuple[str, list[str]]]:
    """Aspect -> snippet and expected rows; the snippet is "none: ..." where the language lacks it."""
    text = (HERE / f"{SAME_QUERIES.get(language, language)}.txt").read_text("utf-8")
    found = {}
    for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        aspect, _, rest = part.partition("\n")
        snippet, _, rows = rest.partition("\n---\n")
        found[aspect.strip()] = (snippet.rstrip("\n") + "\n", rows.strip("\n").splitlines())
    return found


def cases() -> Iterator[tuple[str, str, str, list[str]]]:
    for table in sorted(HERE.glob("*.txt")):
        for aspect, (snippet, rows) in table_of(table.stem).items():
            if not snippet.startswith("none: "):
                yield table.stem, aspect, snippet, rows


def rows_of(aspect: str, analysis: Analysis) -> Iterator[str]:
    """The rows that tell what an analysis says of one aspect."""
    definitions = analysis.definitions
    for one in definitions:
        name = one.qualified_name
        if aspect in ("definitions", "methods", "nested", "attributes"):
            yield f"{one.kind} {name} {one.start_line}-{one.end_line}"
        if aspect in ("generics", "attributes"):
            yield f"  {one.signature}"
        if aspect in ("generics", "inheritance") and one.bases:
            yield f"{name} extends {', '.join(one.bases)}"
        if aspect == "visibility" or (aspect == "reexports" and name.startswith("_")):
            yield f"{'shown ' if one.exported else 'hidden'} {name}"
    if aspect in ("imports", "reexports"):
        for module, name, alias, line in analysis.imports:
            yield f"{line}: {module} | {name} | {alias}".replace("|  |", "| |").rstrip()
    if aspect in ("calls", "generics", "attributes"):
        for use in analysis.references.rows(definitions):
            name = f"{use.receiver}.{use.name}" if use.receiver else use.name
            yield f"{use.line}: {use.kind} {name}" + (f" in {use.enclosing}" if use.enclosing else "")


@pytest.mark.parametrize(
    ("language", "aspect", "snippet", "rows"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in cases()],
)
def test_a_language_says(language: str, aspect: str, snippet: str, rows: list[str]) -> None:
    analysis = read(language_named(language), snippet.encode(), with_facts=False).analysis
    assert not analysis.has_error
    assert list(rows_of(aspect, analysis)) == rows


@pytest.mark.parametrize("language", [row.name for row in LANGUAGES if row.grammar])
def test_every_aspect_is_in_the_table(language: str) -> None:
    table = table_of(language)
    assert tuple(table) == ASPECTS
    for snippet, rows in table.values():
        assert rows or snippet.startswith("none: ")
