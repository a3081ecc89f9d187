"""A file that the change breaks for every parser; silence where only ours cannot read it."""

from __future__ import annotations

import pytest

from panlect.checks.syntax import fault

GOOD = "def f(x):\n    return x\n\n\ny = f(1)\n"
GO = "package a\n\nfunc F() int {\n\treturn 1\n}\n"
TS = "export function f(x: number) {\n  return x;\n}\n"

BROKEN = {
    "a statement cut short": ("a.py", GOOD, GOOD.replace("f(1)", "# ai!"), 5),
    "a bracket left open": ("a.py", GOOD, GOOD.replace("f(1)", "f(1"), 5),
    "a body taken away": ("a.py", GOOD, GOOD.replace("    return x\n", ""), 4),
    "Go": ("a.go", GO, GO.replace("return 1", "return 1 +"), 4),
    "TypeScript": ("a.ts", TS, TS.replace("return x;", "return (x;"), 2),
    "JSON": ("a.json", '{"a": 1}', '{"a": 1,}', 1),
    "TOML": ("a.toml", "a = 1\nb = 2\n", "a = 1\nb =\n", 2),
}
SILENT = {
    "it did not parse before": ("a.py", "print 1\n", "print 1\nprint 2\n"),
    "a new file": ("a.py", None, "def f(:\n"),
    "a file made to fail": ("tests/fixtures/bad.py", GOOD, "def f(:\n"),
    "copied in": ("vendor/a.py", GOOD, "def f(:\n"),
    "JSON with comments": ("tsconfig.json", "{}", "{ // strict\n}"),
    "newer than the grammar, not than Python": ("a.py", GOOD, GOOD + "print(f'{x!r:>{10}}')\n"),
    "still fine": ("a.py", GOOD, GOOD + "z = 1\n"),
    "a conflict, which is told as one": ("a.yaml", "a: 1\n", "<<<<<<< a\na: 1\n=======\na: 2\n>>>>>>> b\n"),
}


def only(found):
    """What this check claims."""
    return [one for one in found if one.check == "unparsable"]


@pytest.mark.parametrize(("path", "before", "after", "line"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_no_longer_parses_is_found(review, path, before, after, line):
    (found,) = only(review({path: before}, {path: after}))
    assert (found.path, found.start_line) == (path, line)
    assert found.evidence[0].quote == after.split("\n")[line - 1]


@pytest.mark.parametrize(("path", "before", "after"), SILENT.values(), ids=SILENT)
def test_what_cannot_be_blamed_on_the_change_is_not_claimed(review, path, before, after):
    assert only(review({} if before is None else {path: before}, {path: after})) == []


def test_a_conflict_in_code_is_told_once(review):
    after = GOOD + "<<<<<<< a\nz = 1\n=======\nz = 2\n>>>>>>> b\n"
    assert [found.check for found in review({"a.py": GOOD}, {"a.py": after})] == ["conflict-marker"]


@pytest.mark.parametrize(
    ("language", "source"),
    [("python", b"(" * 5000), ("json", b"[" * 200_000), ("toml", b"\xff"), ("python", b"\0")],
)
def test_no_text_is_too_hostile(language, source):
    line, _ = fault([language, source])
    assert line != 0
