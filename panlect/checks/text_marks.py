"""Marks in added lines that no reader should miss: left-over merge conflicts, characters that hide text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from panlect.checks.added import added_numbers, at_line, text_lines
from panlect.checks.paths import is_foreign, is_prose, is_sample, is_translation
from panlect.checks.view import ChangeView, FileChangeView, RepositoryView
from panlect.finding import Candidate, Category
from panlect.hidden import DIRECTION, JOINERS, TAGS, ZERO_WIDTH

_OPENS = re.compile(r"<{7} \S")
_DIVIDES = re.compile(r"={7}\s*\Z")
_CLOSES = re.compile(r">{7} \S")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+")  # the flags of England, Scotland, Wales
_IN_CODE = re.compile(f"[{DIRECTION}{TAGS}{ZERO_WIDTH}]|(?<=[0-9A-Za-z_])[{JOINERS}](?=[0-9A-Za-z_])")
_IN_PROSE = re.compile(f"[{DIRECTION}{TAGS}]")
_IN_TRANSLATION = re.compile(f"[{TAGS}]")
_MAX_LINE = 4000
_MAX_FILES = 2000


def text_marks(change: ChangeView, base: RepositoryView, head: RepositoryView) -> Iterator[Candidate]:
    """Conflict markers and hidden characters that the change adds, at most one of each kind a file."""
    for file in change.files[:_MAX_FILES]:
        if file.new_path is None or is_foreign(file.new_path) or is_sample(file.new_path):
            continue
        added = added_numbers(file)
        if not added:
            continue
        lines = text_lines(head, file.new_path)
        yield from _conflict(file, file.new_path, added, lines, base, head)
        yield from _hidden(file.new_path, added, lines)


def _conflict(
    file: FileChangeView,
    path: str,
    added: Sequence[int],
    lines: Sequence[str],
    base: RepositoryView,
    head: RepositoryView,
) -> Iterator[Candidate]:
    """An added opening marker with its divider and its end below it."""
    facts = head.facts(path)
    if facts is not None and not facts.has_error:
        return  # it parses: the marks stand in a string or a comment
    before = base.facts(file.old_path) if file.old_path else None
    if before is not None and before.has_error:
        return
    for number in added:
        if number > len(lines) or not _OPENS.match(lines[number - 1]):
            continue
        below = lines[number:]
        divider = next((n for n, line in enumerate(below) if _DIVIDES.match(line)), None)
        end = next((n for n, line in enumerate(below) if _CLOSES.match(line)), None)
        if divider is None or end is None or end < divider or _is_fenced(lines, number):
            continue
        yield at_line(
            "conflict-marker",
            Category.CORRECTNESS,
            path,
            number,
            lines[number - 1],
            "A merge conflict was committed unresolved",
            f"The conflict that opens here ends at line {number + end + 1}. Keep one side and remove the markers.",
        )
        return


def _is_fenced(lines: Sequence[str], number: int) -> bool:
    return sum(bool(_FENCE.match(line)) for line in lines[: number - 1]) % 2 == 1


def _hidden(path: str, added: Sequence[int], lines: Sequence[str]) -> Iterator[Candidate]:
    pattern = _IN_CODE
    if is_translation(path):
        pattern = _IN_TRANSLATION
    elif is_prose(path):
        pattern = _IN_PROSE
    hits = []
    for number in added:
        line = lines[number - 1][:_MAX_LINE] if number <= len(lines) else ""
        if line.isascii():
            continue
        seen = _FLAG.sub("", line.lstrip("\ufeff") if number == 1 else line)
        hits += [(number, mark) for mark in pattern.findall(seen)]
    if not hits:
        return
    marks = sorted({mark for _, mark in hits})
    number = hits[0][0]
    named = ", ".join(f"U+{ord(mark):04X} {unicodedata.name(mark, 'tag')}" for mark in marks[:5])
    places = ", ".join(str(n) for n in sorted({n for n, _ in hits})[:10])
    yield at_line(
        "hidden-unicode",
        Category.SECURITY,
        path,
        number,
        lines[number - 1],
        "Invisible characters change what this line says",
        f"Line {places}: {named}. What is shown is not what is read by the machine; write an escape instead.",
    )
