"""Diffs are read as git wrote them: applying what was parsed to the base gives the head, byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panlect.forge.diff import MAX_LINE_BYTES, FileDiff, Hunk, parse_diff
from panlect.git.repository import Repository
from panlect.git.run import git
from panlect.git.tree import diff_trees, patch

# Lines that look like what a diff is made of, and characters at which careless code splits lines.
_ODD_LINES = (
    b"", b" ", b"-- a", b"--- a/x", b"+++ b/x", b"-", b"+", b"@@ -1 +1 @@", b"diff --git a/x b/x", b"rename from y",
    b"\\ No newline at end of file", b"Binary files a/x and b/x differ", b"\tx\r", b"a\rb", b"\x0c", b"\x1c\x85",
    "\u2028é".encode(), b"\xff\xfe",
)  # fmt: skip
_LINE = st.one_of(st.sampled_from(_ODD_LINES), st.sampled_from(b"abcdefghij").map(lambda n: bytes([n]) * 3))
_LINES = st.lists(_LINE, max_size=12)
_NAME = st.lists(
    st.sampled_from(
        [b"a", b"-", b" ", b" b/x", b"\t", b"\n", b"\r", b'"', b"\\", "é".encode(), b"\xff", b"/a"]
    ),
    max_size=4,
).map(b"".join)


def written(lines: list[bytes], ending: bytes, final: bool) -> bytes:
    return ending.join(lines) + (ending if final and lines else b"")


_CONTENT = st.builds(written, _LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
_EDIT = st.tuples(
    st.sampled_from(["change", "rewrite", "delete", "add", "rename", "rename and change"]), _NAME, _CONTENT
)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """A base and a head of a few files each."""
    base: dict[bytes, bytes] = {}
    head: dict[bytes, bytes] = {}
    for number, (kind, name, content) in enumerate(draw(st.lists(_EDIT, min_size=4, max_size=8))):
        before, after = b"%d%s" % (number, name), b"moved/%d%s" % (number, name)
        if kind != "add":
            base[before] = content
        if kind == "add":
            head[before] = content
        elif kind == "rewrite":
            head[before] = draw(_CONTENT)
        elif kind == "rename":
            head[after] = content
        elif kind != "delete":
            head[after if kind.startswith("rename") else before] = draw(changed(content))
    return base, head


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with a run of lines replaced."""
    lines = content.split(b"\n")
    at = draw(st.integers(0, len(lines)))
    gone = draw(st.integers(0, 2))
    return b"\n".join([*lines[:at], *draw(st.lists(_LINE, max_size=3)), *lines[at + gone :]])


def tree(repository: Repository, files: dict[bytes, bytes]) -> str:
    """A commit of these files, made without a work tree; its id."""
    script = [b"reset refs/heads/x\ncommit refs/heads/x\ncommitter a <a@b> 1 +0000\ndata 0\n\n"]
    for path, content in files.items():
        quoted = b"".join(b"\\%03o" % byte for byte in path)
        script.append(b'M 100644 inline "%s"\ndata %d\n%s\n' % (quoted, len(content), content))
    repository.run("fast-import", "--quiet", "--force", stdin=b"".join(script))
    return repository.resolve("x")


@pytest.fixture(scope="module")
def bare() -> Iterator[Repository]:
    with tempfile.TemporaryDirectory() as directory:
        git("init", "--bare", "--quiet", "--template=", directory)
        yield Repository(Path(directory))


def spelled(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def lines_of(content: bytes) -> list[str]:
    lines = content.split(b"\n")
    return [line.decode("utf-8", "replace") for line in (lines[:-1] if lines[-1] == b"" else lines)]


def rebuilt(before: list[str], hunks: tuple[Hunk, ...]) -> list[str]:
    """The base with the hunks applied; every number of every line is checked on the way."""
    after: list[str] = []
    position = 0
    for hunk in hunks:
        start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        after += before[position:start]
        position = start
        for line in hunk.lines:
            if line.sign in " -":
                assert (line.old_line, line.text) == (position + 1, before[position])
                position += 1
            if line.sign in " +":
                after.append(line.text)
                assert line.new_line == len(after)
            assert (line.old_line == 0) == (line.sign == "+")
            assert (line.new_line == 0) == (line.sign == "-")
    return after + before[position:]


@given(trees())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_applying_what_was_parsed_gives_the_head(
    bare: Repository, both: tuple[dict[bytes, bytes], dict[bytes, bytes]]
) -> None:
    base, head = both
    shas = tree(bare, base), tree(bare, head)
    text, cut = patch(bare, *shas)
    files = list(parse_diff(text))
    assert not cut
    assert sorted((f.old_path or "", f.new_path or "") for f in files) == sorted(
        (c.old_path or "", c.new_path or "") for c in diff_trees(bare, *shas)
    )
    befores = {spelled(path): lines_of(content) for path, content in base.items()}
    afters = {spelled(path): lines_of(content) for path, content in head.items()}
    for file in files:
        assert file.complete
        before = befores[file.old_path] if file.old_path else []
        assert rebuilt(before, file.hunks) == (afters[file.new_path] if file.new_path else [])


@given(trees(), st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_diff_that_breaks_off_anywhere_is_read_up_to_there(
    bare: Repository, both: tuple[dict[bytes, bytes], dict[bytes, bytes]], data: st.DataObject
) -> None:
    text, _ = patch(bare, tree(bare, both[0]), tree(bare, both[1]))
    whole = list(parse_diff(text))
    part = list(parse_diff(text[: data.draw(st.integers(0, len(text)))]))
    assert part[:-1] == whole[: max(0, len(part) - 1)]


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_no_bytes_make_the_parser_fail(noise: bytes) -> None:
    head = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n"
    for text in (noise, head + noise, b"diff --git " + noise, b'--- "' + noise + b"\n+++ " + noise):
        for file in parse_diff(text):
            assert file.old_path is None or isinstance(file.old_path, str)


def only(text: bytes) -> FileDiff:
    (file,) = parse_diff(text)
    return file


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n", ("x.py", "x.py")),
        (b"--- a/x.py\t2026-01-01\n+++ b/x.py\t2026-01-01\n@@ -1 +1 @@\n-a\n+b\n", ("x.py", "x.py")),
        (b"--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+b\n", (None, "x.py")),
        (b"--- a/x.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n", ("x.py", None)),
        (b"--- a/x.py\r\n+++ b/x.py\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n", ("x.py", "x.py")),
        (b'--- "a/x \\t"\t\n+++ "b/x \\t"\t\n@@ -1 +1 @@\n-a\n+b\n', ("x \t", "x \t")),
        (b"diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n", ("x y", "x y")),
        (
            b'diff --git "a/x\\"\\303\\251" "b/x\\"\\303\\251"\nold mode 100644\nnew mode 100755\n',
            ('x"é', 'x"é'),
        ),
        (b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", ("x", "y")),
        (b'diff --git a/x "b/\\t"\nsimilarity index 100%\nrename from x\nrename to "\\t"\n', ("x", "\t")),
        (b"diff --git a/e b/e\nnew file mode 100644\nindex 0..1\n", (None, "e")),
        (b"diff --git a/e b/e\ndeleted file mode 100644\nindex 1..0\n", ("e", None)),
        (b'diff --git "a/\\377" "b/\\377"\nold mode 100644\nnew mode 100755\n', ("\\xff", "\\xff")),
    ],
)
def test_paths_are_read_from_every_kind_of_header(text: bytes, paths: tuple[str | None, str | None]) -> None:
    file = only(text)
    assert (file.old_path, file.new_path) == paths


def test_plain_diffs_follow_each_other_without_a_git_header() -> None:
    one = b"--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-a\n+b\n"
    files = list(parse_diff(one % (b"x", b"x") + one % (b"y", b"y")))
    assert [(f.new_path, len(f.hunks)) for f in files] == [("x", 1), ("y", 1)]


@pytest.mark.parametrize("said", [b"Binary files a/x and b/x differ", b"GIT binary patch"])
def test_binary_files_have_no_hunks(said: bytes) -> None:
    file = only(b"diff --git a/x b/x\nindex 1..2 100644\n" + said + b"\n")
    assert (file.binary, file.hunks) == (True, ())


@pytest.mark.parametrize(
    "header", [b"@@ -1,9 +1,9 @@", b"@@ -1,999999999 +1,999999999 @@", b"@@ -1,2 +1 @@", b"@@ -1 +1,2 @@"]
)
def test_a_hunk_shorter_than_its_header_says_is_incomplete(header: bytes) -> None:
    file = only(b"--- a/x\n+++ b/x\n" + header + b"\n-a\n+b\n")
    assert not file.complete
    assert [line.text for line in file.hunks[0].lines] == ["a", "b"]


def test_a_line_that_its_header_did_not_announce_is_not_part_of_the_hunk() -> None:
    file = only(b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+smuggled\n")
    assert [line.text for line in file.hunks[0].added] == ["b"]


def test_counts_beyond_nine_digits_are_no_hunk() -> None:
    assert only(b"--- a/x\n+++ b/x\n@@ -1,9999999999 +1 @@\n-a\n+b\n").hunks == ()


def test_a_long_line_is_cut_and_still_counts() -> None:
    hunk = only(b"--- a/x\n+++ b/x\n@@ -0,0 +1,2 @@\n+" + b"x" * 10_000 + b"\n+end\n").hunks[0]
    assert [(line.new_line, len(line.text)) for line in hunk.added] == [(1, MAX_LINE_BYTES), (2, 3)]


def test_a_null_byte_is_replaced() -> None:
    hunk = only(b"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\0b\n").hunks[0]
    assert hunk.added[0].text == "a\ufffdb"


@pytest.mark.parametrize(
    ("old", "new", "only_white"),
    [
        (b"a b", b"a  b", True),
        (b"a", b"\ta", True),
        (b"a", b"b", False),
        (b"ab", b"a b", True),
        (b"a", b"a", True),
    ],
)
def test_white_space_alone_is_told_apart(old: bytes, new: bytes, only_white: bool) -> None:
    hunk = only(b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-" + old + b"\n+" + new + b"\n").hunks[0]
    assert hunk.whitespace_only is only_white
