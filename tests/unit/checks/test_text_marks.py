"""Left-over merge conflicts and hidden characters in added lines."""

from __future__ import annotations

import pytest

from panlect.finding import Category, Side

CONFLICT = "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> feature\n"


@pytest.mark.parametrize("path", ["a.py", "a.go", "a.ts", "config.yaml", "README.md"])
def test_an_added_conflict_is_found(review, path):
    (found,) = review({path: "y = 1\n"}, {path: "y = 1\n" + CONFLICT})
    assert (found.check, found.path, found.start_line, found.side) == ("conflict-marker", path, 2, Side.HEAD)
    assert found.evidence[0].quote == "<<<<<<< HEAD"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("prompts.py", f'EXAMPLE = """\n{CONFLICT}"""\n'),
        ("README.md", f"Write it so:\n```\n{CONFLICT}```\n"),
        ("README.md", "Title\n=======\n\n>>>>>>> quoted seven times\n"),
        ("tests/fixtures/merge.py", CONFLICT),
        ("vendor/x/a.yaml", CONFLICT),
    ],
    ids=["a string of a file that parses", "a fenced example", "a heading", "a fixture", "vendored"],
)
def test_a_conflict_is_not_claimed_in(review, path, text):
    assert review({}, {path: text}) == ()


def test_a_conflict_of_the_base_is_not_this_changes(review):
    assert review({"a.yaml": CONFLICT}, {"a.yaml": CONFLICT + "z: 1\n"}) == ()


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ("a.py", "\u202e"),
        ("a.py", "\u2066"),
        ("a.py", "\u200b"),
        ("a.go", "\ufeff"),
        ("README.md", "\u202e"),
        ("README.md", "\U000e0041"),
        ("conf.yaml", "\u2060"),
    ],
)
def test_a_hidden_character_is_found(review, path, mark):
    told = review({path: "x\n"}, {path: f"x\ny{mark}z\n"})
    (found,) = (one for one in told if one.check != "unparsable")  # no language takes these in a name
    assert (found.check, found.category, found.start_line) == ("hidden-unicode", Category.SECURITY, 2)
    assert f"U+{ord(mark):04X}" in found.body
    assert mark not in found.body
    assert found.evidence[0].quote == f"y{mark}z"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "\ufeffx = 1\n"),
        ("a.py", "x = '\U0001f468\u200d\U0001f469'\n"),
        ("a.py", "x = '\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f'\n"),
        ("README.md", "a\u200bb\n"),
        ("locale/fa/messages.po", "x \u202b y\n"),
        ("tests/models/urls.json", "x \u202e y\n"),
        ("a.py", "x = 'žluťoučký'\n"),
    ],
    ids=[
        "byte order mark",
        "emoji joiner",
        "flag",
        "zero width in prose",
        "translation",
        "data of a test",
        "accents",
    ],
)
def test_an_ordinary_character_is_not_claimed(review, path, text):
    assert review({}, {path: text}) == ()


def test_a_hidden_character_of_the_base_is_not_this_changes(review):
    assert review({"a.py": "x = '\u202e'\n"}, {"a.py": "x = '\u202e'\ny = 1\n"}) == ()
