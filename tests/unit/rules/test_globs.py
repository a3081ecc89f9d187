"""Globs of paths and words."""

from __future__ import annotations

import pytest

from panlect.rules.globs import path_matches, word_matches


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*.md", "docs/a.md", True),
        ("*.md", "docs/a.mdx", False),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/deep/a.md", False),
        ("docs/**", "docs/deep/er/a.md", True),
        ("docs/", "docs/deep/a.md", True),
        ("docs/", "other/docs/a.md", False),
        ("**/gen/*.py", "gen/a.py", True),
        ("**/gen/*.py", "a/b/gen/a.py", True),
        ("a/**/z.py", "a/z.py", True),
        ("a/**/z.py", "a/b/z.pyc", False),
        ("./src/?.py", "src/a.py", True),
        ("src/?.py", "src/ab.py", False),
        ("**", "any/where", True),
        ("a[bc].py", "ab.py", False),  # brackets are letters
    ],
)
def test_a_glob_holds_the_paths_that_its_stars_reach(glob: str, path: str, expected: bool) -> None:
    assert path_matches(glob, path) is expected


def test_a_pattern_made_to_explode_is_answered_in_few_comparisons() -> None:
    assert not path_matches("*a" * 200 + "b", "a" * 4000)
    assert not path_matches("**/a/" * 100 + "b", "a/" * 2000 + "c")


def test_a_word_matches_whatever_its_case() -> None:
    assert word_matches("Release/*", "release/1.2/hotfix")
    assert not word_matches("wip", "wip: more")
