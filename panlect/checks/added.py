"""The lines that a change adds, file by file, as the checks of text read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panlect.checks.paths import is_foreign, is_test
from panlect.checks.view import ChangeView, FileChangeView, RepositoryView
from panlect.code.languages import kind_of
from panlect.finding import Candidate, Category, Evidence, Side

MAX_LINE = 20_000
"""Characters of a line that are read: nobody wrote what stands behind them."""
_MAX_FILES = 2000
_NOT_WRITTEN = ("binary", "generated", "lock", "vendored")


@dataclass(frozen=True, slots=True)
class AddedText:
    """One file at the head: all its lines, and the numbers of those that the change adds."""

    path: str
    old_path: str | None
    numbers: Sequence[int]
    lines: Sequence[str]

    def line(self, number: int) -> str:
        """A line by its number, cut where nobody reads on; "" beyond the end."""
        return self.lines[number - 1][:MAX_LINE] if 1 <= number <= len(self.lines) else ""

    def added(self) -> Iterator[tuple[int, str]]:
        """Number and text of every added line."""
        return ((number, self.line(number)) for number in self.numbers)


def added_numbers(file: FileChangeView) -> list[int]:
    """The lines of the head that a file's hunks add."""
    return [n for hunk in file.hunks for first, last in hunk.added for n in range(first, last + 1)]


def added_texts(change: ChangeView, head: RepositoryView) -> Iterator[AddedText]:
    """Every file that people wrote and this change adds lines to."""
    for file in change.files[:_MAX_FILES]:
        path = file.new_path
        if path is None or is_foreign(path) or kind_of(path) in _NOT_WRITTEN:
            continue
        numbers = added_numbers(file)
        if numbers:
            yield AddedText(path, file.old_path, numbers, text_lines(head, path))


def text_lines(view: RepositoryView, path: str) -> list[str]:
    """The lines of a file as git counts them; none when it is not there."""
    return view.text(path).decode("utf-8", "replace").split("\n") if view.exists(path) else []


def at_line(
    check: str,
    category: Category,
    path: str,
    number: int,
    quote: str,
    title: str,
    body: str,
    *,
    target: str = "",
    end: int | None = None,
    more: tuple[Evidence, ...] = (),
) -> Candidate:
    """A candidate about the added lines number..end, which it quotes; `more` evidence comes after."""
    last = number if end is None else end
    return Candidate(
        check=check,
        category=category,
        path=path,
        start_line=number,
        end_line=last,
        side=Side.HEAD,
        title=title,
        body=body,
        evidence=(Evidence(path, number, last, Side.HEAD, quote), *more),
        target=target,
        in_tests=is_test(path),
    )
