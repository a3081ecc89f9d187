"""The reading list of one conversation: exactly which lines the model was shown, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from panlect.ask.readers import FileText

_LONGEST_LINE = 400


class Extract(NamedTuple):
    """Lines as they were shown. `repository` is "" where only one was asked."""

    repository: str
    path: str
    start_line: int
    end_line: int
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        """As an answer cites it."""
        prefix = f"{self.repository}:" if self.repository else ""
        return f"{prefix}{self.path}:{self.start_line}-{self.end_line}"


@dataclass(slots=True)
class ReadingList:
    """What was shown, by repository and path."""

    _shown: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)

    def add(self, repository: str, path: str, number: int, line: str) -> None:
        """A line was shown."""
        self._shown.setdefault((repository, path), {})[number] = line

    def repositories_of(self, path: str) -> list[str]:
        """The repositories of which lines of this path were shown."""
        return [repository for repository, shown in self._shown if shown == path]

    def within(self, repository: str, path: str, start: int, end: int) -> Extract | None:
        """The longest run of shown lines between two, the first of equal ones; None when none was shown."""
        rows = self._shown.get((repository, path), {})
        runs = _runs({number: row for number, row in rows.items() if start <= number <= end})
        best = max(runs, key=lambda run: run[1] - run[0], default=None)
        return None if best is None else _extract(repository, path, rows, *best)

    def extracts(self) -> Iterator[Extract]:
        """Every run of lines that was shown, in the order in which the files were."""
        for (repository, path), rows in self._shown.items():
            for first, last in _runs(rows):
                yield _extract(repository, path, rows, first, last)


def _runs(rows: Mapping[int, str]) -> list[tuple[int, int]]:
    """Runs of numbers without a gap."""
    runs: list[tuple[int, int]] = []
    for number in sorted(rows):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _extract(repository: str, path: str, rows: Mapping[int, str], first: int, last: int) -> Extract:
    return Extract(repository, path, first, last, tuple(rows[number] for number in range(first, last + 1)))


@dataclass(slots=True)
class Page:
    """What one tool shows: bounded, and each line that got onto it is on the reading list."""

    reading: ReadingList
    room: int  # characters
    written: list[str] = field(default_factory=list)
    is_full: bool = False

    def say(self, text: str) -> bool:
        """Add text, or nothing where there is no room left for it; whether it was added."""
        if self.is_full or len(text) > self.room:
            self.is_full = True
            return False
        self.room -= len(text) + 1
        self.written.append(text)
        return True

    def show(self, repository: str, path: str, text: FileText, first: int, last: int) -> None:
        """Add the lines of a file between two, and say which of them are not at hand."""
        missing: list[int] = []
        for number in range(max(1, first), min(last, text.lines) + 1):
            line = text.rows.get(number)
            if line is None:
                missing.append(number)
                continue
            short = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} [...]"
            if not self.say(f"{number:>5}| {short}"):
                return
            self.reading.add(repository, path, number, short)
        if missing:
            runs = _runs(dict.fromkeys(missing, ""))
            self.say(f"[not kept by the index, most likely blank: {_numbers(runs)}]")
        cut = sorted(number for number in text.cut if first <= number <= last)
        if cut:
            self.say(f"[cut at an end by the index: {_numbers(_runs(dict.fromkeys(cut, '')))}]")


def _numbers(runs: list[tuple[int, int]]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs[:20])
