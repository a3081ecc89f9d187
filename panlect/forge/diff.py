"""Unified diff -> files, hunks, and the lines a host accepts comments on.

Format: the output of `git diff` (git's diff-generate-patch documentation) and POSIX unified diffs.
Hostile input: every count in a hunk header is checked against the lines that follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
MAX_LINE_BYTES = 4096  # of a line's text that is kept; the line itself still counts


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a hunk. `sign`: ' ', '+' or '-'; the number on a side where it is absent is 0."""

    sign: str
    old_line: int
    new_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changes. Starts are 1-based; a side with no lines starts where it would stand."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[DiffLine, ...]

    @property
    def added(self) -> tuple[DiffLine, ...]:
        """Lines that only the head has."""
        return tuple(line for line in self.lines if line.sign == "+")

    @property
    def removed(self) -> tuple[DiffLine, ...]:
        """Lines that only the base has."""
        return tuple(line for line in self.lines if line.sign == "-")

    @property
    def whitespace_only(self) -> bool:
        """Whether only white space differs."""
        squeeze = [
            "".join("".join(line.text.split()) for line in side) for side in (self.added, self.removed)
        ]
        return squeeze[0] == squeeze[1]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file of a diff. A path is None where the file does not exist."""

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...] = ()
    binary: bool = False
    complete: bool = True  # False when the diff was cut inside this file


def parse_diff(diff: bytes) -> Iterator[FileDiff]:
    """The files of a unified diff, in its order. A hunk that breaks off marks its file incomplete."""
    lines = diff.removesuffix(b"\n").split(b"\n")
    current: FileDiff | None = None
    hunks: list[Hunk] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        header, used = _file_header(lines, index, current, bool(hunks))
        if header is not None:
            if current is not None and (hunks or line.startswith(b"diff --git ")):
                yield replace(current, hunks=tuple(hunks))
                hunks = []
            current, index = header, used
        elif current is not None and (match := _HUNK.match(line)):
            hunk, index, complete = _hunk(match, lines, index)
            hunks.append(hunk)
            current = current if complete else replace(current, complete=False)
        elif current is not None:
            current = _extended_header(current, line)
        index += 1
    if current is not None:
        yield replace(current, hunks=tuple(hunks))


def _file_header(
    lines: list[bytes], index: int, current: FileDiff | None, has_hunks: bool
) -> tuple[FileDiff | None, int]:
    """The file that starts here, or gets its paths here, and the last line that says so."""
    line = lines[index]
    if line.startswith(b"diff --git "):
        return _header_paths(line), index
    if line.startswith(b"--- ") and index + 1 < len(lines) and lines[index + 1].startswith(b"+++ "):
        # A plain diff has no `diff --git`: after hunks these two lines open the next file.
        known = FileDiff(None, None) if current is None or has_hunks else current
        old, new = _side_path(line[4:], b"a/"), _side_path(lines[index + 1][4:], b"b/")
        return replace(known, old_path=old, new_path=new), index + 1
    return None, index


def _extended_header(current: FileDiff, line: bytes) -> FileDiff:
    if line.startswith(b"new file mode"):
        return replace(current, old_path=None)
    if line.startswith(b"deleted file mode"):
        return replace(current, new_path=None)
    if line.startswith(b"rename from "):
        return replace(current, old_path=_unquote(line[12:]))
    if line.startswith(b"rename to "):
        return replace(current, new_path=_unquote(line[10:]))
    if line.startswith((b"Binary files ", b"GIT binary patch")):
        return replace(current, binary=True)
    return current


def _hunk(match: re.Match[bytes], lines: list[bytes], index: int) -> tuple[Hunk, int, bool]:
    old_start, new_start = int(match[1]), int(match[3])
    old_left, new_left = (1 if match[i] is None else int(match[i]) for i in (2, 4))
    counts = (old_left, new_left)
    old, new = old_start, new_start
    body: list[DiffLine] = []
    while (old_left or new_left) and index + 1 < len(lines):
        raw = lines[index + 1]
        sign = raw[:1].decode("latin-1") or " "
        if sign == "\\":
            index += 1
            continue
        if sign not in " +-" or (sign != "+" and not old_left) or (sign != "-" and not new_left):
            break
        text = raw[1 : 1 + MAX_LINE_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
        body.append(DiffLine(sign, old if sign != "+" else 0, new if sign != "-" else 0, text))
        if sign != "+":
            old, old_left = old + 1, old_left - 1
        if sign != "-":
            new, new_left = new + 1, new_left - 1
        index += 1
    return Hunk(old_start, counts[0], new_start, counts[1], tuple(body)), index, not (old_left or new_left)


def _header_paths(line: bytes) -> FileDiff:
    """Paths of `diff --git a/X b/X`: exact when quoted or equal, which covers what has no --- and +++."""
    rest = line[len(b"diff --git ") :]
    if rest.startswith(b'"'):
        end = _closing_quote(rest)
        old, new = _side_path(rest[: end + 1], b"a/"), _side_path(rest[end + 2 :], b"b/")
        return FileDiff(old, new)
    half = len(rest) // 2
    first, second = rest[:half], rest[half + 1 :]
    if first[2:] == second[2:]:
        return FileDiff(_side_path(first, b"a/"), _side_path(second, b"b/"))
    before, _, after = rest.partition(b" b/")
    return FileDiff(_side_path(before, b"a/"), _side_path(b"b/" + after, b"b/"))


def _closing_quote(text: bytes) -> int:
    index = 1
    while index < len(text) and text[index : index + 1] != b'"':
        index += 2 if text[index : index + 1] == b"\\" else 1
    return index


def _side_path(name: bytes, prefix: bytes) -> str | None:
    # What follows a tab is no part of the name: a date, or nothing (git ends names with spaces so).
    name = name[: _closing_quote(name) + 1] if name.startswith(b'"') else name.split(b"\t")[0].rstrip(b"\r")
    path = _unquote(name)
    if path == "/dev/null":
        return None
    return path.removeprefix(prefix.decode())


def _unquote(name: bytes) -> str:
    """Undo git's C-style quoting; bytes that are not UTF-8 are written \\\\xNN, as in `git.tree`."""
    name = name.rstrip(b"\r")
    if not (name.startswith(b'"') and name.endswith(b'"') and len(name) > 1):
        return name.decode("utf-8", "backslashreplace")
    text, out, index = name[1:-1].decode("latin-1"), bytearray(), 0
    while index < len(text):
        if text[index] != "\\" or index + 1 == len(text):
            out.append(ord(text[index]))
            index += 1
        elif text[index + 1 : index + 4].isdigit():
            out.append(int(text[index + 1 : index + 4], 8) & 0xFF)
            index += 4
        else:
            out.append(_ESCAPES.get(text[index + 1], ord(text[index + 1]) & 0xFF))
            index += 2
    return out.decode("utf-8", "backslashreplace")
