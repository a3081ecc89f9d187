"""What code says of itself, with no model to ask."""

from __future__ import annotations

import pytest

from panlect.index.memory import MemoryRepository
from panlect.summaries.extract import extract_directory, extract_file, first_paragraph


def _file(path: str, text: str) -> str:
    snapshot = MemoryRepository().snapshot({path: text})
    return extract_file(text, snapshot.definitions(path))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", '#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"""Takes the money.\n\nMore.\n"""\n'),
        ("a.py", '# Copyright 2026 Acme\n# Licensed under the Apache License\n\n"""Takes the money."""\n'),
        ("a.go", "// Copyright 2026 Acme\n\n// Takes the money.\npackage pay\n"),
        ("a.ts", "/*\n * Takes the money.\n *\n * @module pay\n */\n"),
        ("a.js", "'use strict';\n// Takes the money.\n"),
        ("a.rs", "//! Takes the money.\n"),
        ("a.sql", "-- Takes the money.\nselect 1;\n"),
        ("a.html", "<!-- Takes the money. -->\n"),
        ("a.rb", "# Takes the money.\n"),
    ],
)
def test_the_first_comment_is_what_a_file_says_of_itself(path: str, text: str) -> None:
    assert _file(path, text) == "Takes the money."


def test_what_others_can_use_is_named_classes_first() -> None:
    text = "LIMIT = 1\ndef capture(): ...\ndef _hidden(): ...\nclass Till:\n    def open(self): ...\n"
    assert _file("a.py", text) == "Defines class Till; function capture; constant LIMIT."


def test_a_long_list_is_counted() -> None:
    text = "".join(f"def part_{number}(): ...\n" for number in range(20))
    assert _file("a.py", text).endswith("part_6, part_7 and 12 more.")


def test_hidden_characters_do_not_come_along() -> None:
    assert _file("a.py", '"""Takes\u202e the\u200b money."""\n') == "Takes the money."


def test_a_document_is_its_title_and_first_prose() -> None:
    text = "# Shop\n\n![build](x.svg)\n\n- a list\n\nIt sells things to people. And more.\n"
    assert first_paragraph(text) == "Shop: It sells things to people. And more."


def test_a_directory_is_its_own_words_and_its_parts() -> None:
    parts = {f"part{number}.py": f"Part {number} pays. It is long." for number in range(10)}
    said = extract_directory({**parts, "x/": "Defines class A."}, "The shop.")
    assert said.startswith("The shop. It holds part0.py: Part 0 pays; part1.py: Part 1 pays;")
    assert said.endswith("and 3 more.")


@pytest.mark.parametrize("text", ["", '"""', "/*" * 5000, "#\n" * 5000, "\0" * 100, "-- " * 3000])
def test_strange_beginnings_say_nothing_and_take_no_time(text: str) -> None:
    assert extract_file(text, ()) == ""
    assert isinstance(first_paragraph(text), str)
