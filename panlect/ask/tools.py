"""The tools of a question: read-only, bounded, and deaf to tricks. What the model sends is a stranger's input.

Every tool answers with text: what it shows stands in a fenced block, and what is wrong with a call is said to the
model instead of raised. Lines that were shown are on the reading list; nothing else can be cited.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from panlect.ask.corpus import Corpus, Place
from panlect.ask.readers import FileText, Reader
from panlect.ask.reading import Page, ReadingList
from panlect.code.analysis import Definition
from panlect.code.languages import is_test
from panlect.code.packed import definitions_of, references_of, symbols_of
from panlect.errors import BadInputError, GitError
from panlect.llm.chat import Tool, ToolCall
from panlect.llm.outgoing import cleaned_lines, may_leave
from panlect.llm.prompts import Block, fenced
from panlect.search.filters import matches

MOST_LINES = 200  # of one read
_ROOM = 14_000  # characters of one answer: about 4000 tokens
_LONGEST_ARGUMENTS = 20_000
_LONGEST_TEXT = 500
_HIT_LINES, _DEFINITION_LINES = 40, 60
_MOST_HITS = 12
_MOST_FILES = 200  # that are looked into for one name
_MOST_DEFINITIONS, _MOST_USES, _MOST_GREPPED, _MOST_LISTED = 6, 30, 30, 200
_GREP_S, _HISTORY_S = 3.0, 6.0
_FILES_AT_ONCE = 64
_KEPT_FILES = 64


@dataclass(slots=True)
class Toolbox:
    """The tools over some repositories, with what one conversation was shown by them."""

    corpus: Corpus
    tag: str
    reading: ReadingList = field(default_factory=ReadingList)
    grep_s: float = _GREP_S
    mode: str = ""  # what the last search rested on
    _files: dict[tuple[str, str], FileText] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether a path needs its repository."""
        return len(self.corpus.names) > 1

    async def run(self, call: ToolCall) -> str:
        """What a call shows, or what is wrong with it. Raises DatabaseError when Postgres is away."""
        tool = _TOOLS.get(call.name)
        if tool is None:
            return f"error: there is no tool {call.name[:80]!r}. Use one of {', '.join(_TOOLS)}."
        try:
            return await tool.answer(self, _Arguments.of(call.arguments))
        except (BadInputError, GitError) as error:
            return f"error: {error}"

    async def places(self, query: str, k: int) -> list[Place]:
        """What search finds, without the files that are shown to no model."""
        found, self.mode = await self.corpus.search(query, k)
        return [one for one in found if may_leave(one.path)]

    async def shown(self, places: Sequence[Place]) -> str:
        """These places with their lines."""
        return await self.corpus.read(lambda readers: self._places(readers, places))

    def _places(self, readers: Sequence[Reader], places: Sequence[Place]) -> str:
        page = self._page()
        for place in places:
            reader = next((one for one in readers if place.repository in ("", one.name)), None)
            if reader is None or not reader.snapshot.exists(place.path):
                continue
            text = self._file(reader, place.path)
            last = min(place.end_line, place.start_line + _HIT_LINES - 1)
            page.say(f"=== {self._where(reader, place.path)} {place.symbol} ({place.why})")
            page.show(self._key(reader), place.path, text, place.start_line, last)
        return self._said(page, "Nothing was found.")

    def _page(self) -> Page:
        return Page(self.reading, _ROOM)

    def _said(self, page: Page, otherwise: str) -> str:
        if not page.written:
            return otherwise
        more = "\n[There is more than fits: ask for less at once.]" if page.is_full else ""
        return fenced(Block("read", "\n".join(page.written)), self.tag) + more

    def _key(self, reader: Reader) -> str:
        return reader.name if self.several else ""

    def _where(self, reader: Reader, path: str) -> str:
        return printable(f"{reader.name}:{path}" if self.several else path)

    def _file(self, reader: Reader, path: str) -> FileText:
        return self._cleaned(reader, path, None)

    def _cleaned(self, reader: Reader, path: str, text: FileText | None) -> FileText:
        """A file as it may be shown. Secrets are looked for in the whole of it: lines alone do not show them."""
        key = (reader.name, path)
        if key not in self._files:
            text = text or reader.files([path])[path]
            rows = dict(zip(text.rows, cleaned_lines(list(text.rows.values())), strict=True))
            while len(self._files) >= _KEPT_FILES:
                del self._files[next(iter(self._files))]
            self._files[key] = FileText(rows, text.lines, text.cut, text.why)
        return self._files[key]

    # Which file is meant

    def _reader(self, readers: Sequence[Reader], repository: str, path: str) -> Reader:
        """The reader of the repository that has a path. Raises BadInputError saying what there is instead."""
        chosen = _named(readers, repository)
        having = [reader for reader in chosen if reader.snapshot.exists(path)]
        if len(having) == 1:
            if not may_leave(path):
                raise BadInputError("This file is shown to no model: it may hold secrets.")
            return having[0]
        if having:
            raise BadInputError(f"Several repositories have it: say which, {_names(having)}.")
        raise BadInputError("There is no such file.", fix=self._near(chosen, path))

    def _near(self, readers: Sequence[Reader], path: str) -> str:
        """Paths that may have been meant, as a block: they are a stranger's words too."""
        last = path.rpartition("/")[2].casefold()
        stem = last.partition(".")[0]
        found: list[str] = []
        for reader in readers:
            names = [(one, one.rpartition("/")[2].casefold()) for one in reader.snapshot.paths() if stem]
            same = [one for one, name in names if name == last]
            found += [self._where(reader, one) for one in same or [o for o, n in names if stem in n]]
        return (
            "Did you mean one of these?\n" + fenced(Block("paths", "\n".join(found[:10])), self.tag)
            if found
            else ""
        )

    # The tools

    async def _search(self, asked: _Arguments) -> str:
        places = await self.places(asked.text("query"), asked.whole("k", 6, 1, _MOST_HITS))
        return await self.shown(places)

    async def _read(self, asked: _Arguments) -> str:
        repository, path = asked.text("repository", ""), _path(asked.text("path"))
        start = asked.whole("start", 1, 1, 10**7)
        end = min(asked.whole("end", start + MOST_LINES - 1, 1, 10**7), start + MOST_LINES - 1)
        if end < start:
            raise BadInputError("The last line stands before the first.")

        def read(readers: Sequence[Reader]) -> str:
            reader = self._reader(readers, repository, path)
            text = self._file(reader, path)
            if text.why:
                return f"error: nothing of this file is at hand: {text.why}."
            if start > text.lines:
                return f"error: the file has only {text.lines} lines."
            page = self._page()
            last = min(end, text.lines)
            page.say(f"=== {self._where(reader, path)} lines {start}-{last} of {text.lines}")
            page.show(self._key(reader), path, text, start, last)
            return self._said(page, "")

        return await self.corpus.read(read)

    async def _definition(self, asked: _Arguments) -> str:
        name, repository = asked.text("name"), asked.text("repository", "")
        qualifier, _, last = name.strip().removesuffix("()").rpartition(".")

        def find(readers: Sequence[Reader]) -> str:
            page = self._page()
            found = [
                (reader, path, definition)
                for reader in _named(readers, repository)
                for path, definition in _definitions(reader, last, qualifier)
            ]
            for reader, path, definition in found[:_MOST_DEFINITIONS]:
                end = min(definition.end_line, definition.start_line + _DEFINITION_LINES - 1)
                where = f"{self._where(reader, path)}:{definition.start_line}-{definition.end_line}"
                page.say(f"=== {where} {definition.kind} {definition.qualified_name}")
                page.show(self._key(reader), path, self._file(reader, path), definition.start_line, end)
            for reader, path, definition in found[_MOST_DEFINITIONS : _MOST_DEFINITIONS + _MOST_USES]:
                page.say(
                    f"also {self._where(reader, path)}:{definition.start_line} {definition.qualified_name}"
                )
            return self._said(page, "Nothing of this name is defined here. Try search or grep.")

        return await self.corpus.read(find)

    async def _references(self, asked: _Arguments) -> str:
        name, repository = asked.text("name"), asked.text("repository", "")
        last = name.strip().removesuffix("()").rpartition(".")[2]

        def find(readers: Sequence[Reader]) -> str:
            page = self._page()
            for reader in _named(readers, repository):
                self._show_uses(page, reader, last)
            return self._said(page, "Nothing here uses this name. Try grep: it may stand in a string.")

        return await self.corpus.read(find)

    def _show_uses(self, page: Page, reader: Reader, name: str) -> None:
        files = [path for path in reader.snapshot.files_using(name) if may_leave(path)]
        files.sort(key=is_test)
        chosen = files[:_MOST_FILES]
        uses = _uses(reader, chosen, name)
        if not uses:
            return
        looked = f"{len(chosen)} of the {len(files)} files that may use it"
        page.say(f"=== {printable(reader.name)}: {len(uses)} uses of {printable(name)} in {looked}")
        for path, line, within in uses[:_MOST_USES]:
            page.say(f"{self._where(reader, path)}:{line} in {printable(within) or 'the file itself'}")
            page.show(self._key(reader), path, self._file(reader, path), line, line)
        if len(uses) > _MOST_USES:
            page.say(f"[{len(uses) - _MOST_USES} more uses]")

    async def _grep(self, asked: _Arguments) -> str:
        text, glob = asked.text("text"), asked.text("path", "")
        repository = asked.text("repository", "")
        if "\n" in text or "\r" in text:
            raise BadInputError("Ask for text of one line.")
        until = time.monotonic() + self.grep_s
        likely, _ = await self.corpus.search(text, 50)
        first = {(place.repository, place.path) for place in likely}

        def candidates(readers: Sequence[Reader]) -> list[tuple[str, str]]:
            found = [
                (reader.name, entry.path)
                for reader in _named(readers, repository)
                for entry in reader.snapshot.analysable()
                if may_leave(entry.path) and (not glob or matches(entry.path, glob))
            ]
            key = {(name, path): (name, path) in first or ("", path) in first for name, path in found}
            return sorted(found, key=lambda one: not key[one])

        files = await self.corpus.read(candidates)
        page, done, hits = self._page(), 0, 0
        while done < len(files) and hits < _MOST_GREPPED and (done == 0 or time.monotonic() < until):
            batch = files[done : done + _FILES_AT_ONCE]
            hits += await self.corpus.read(
                partial(self._lines_with, files=batch, text=text, page=page, before=hits)
            )
            done += len(batch)
        if hits >= _MOST_GREPPED:
            page.say(f"[stopped at {_MOST_GREPPED} lines]")
        note = (
            ""
            if done >= len(files) or hits >= _MOST_GREPPED
            else f" Only {done} of {len(files)} files were looked at: narrow the path."
        )
        return self._said(page, f"No line of {done} files has it.") + note

    def _lines_with(
        self, readers: Sequence[Reader], files: Sequence[tuple[str, str]], text: str, page: Page, before: int
    ) -> int:
        """Show the lines of these files that have `text`; how many there were."""
        hits = 0
        for reader in readers:
            texts = reader.files([path for name, path in files if name == reader.name])
            for path, whole in texts.items():
                if not any(text in row for row in whole.rows.values()):
                    continue
                shown = self._cleaned(reader, path, whole)
                numbers = [number for number, row in shown.rows.items() if text in row]
                numbers = numbers[: _MOST_GREPPED - before - hits]
                if numbers:
                    page.say(self._where(reader, path))
                for number in numbers:
                    page.show(self._key(reader), path, shown, number, number)
                hits += len(numbers)
        return hits

    async def _history(self, asked: _Arguments) -> str:
        repository, what = asked.text("repository", ""), asked.text("path_or_words")
        path = _path(what)

        def tell(readers: Sequence[Reader]) -> str:
            page, until = self._page(), time.monotonic() + _HISTORY_S
            for reader in _named(readers, repository):
                if time.monotonic() > until:
                    page.say("[Stopped here: name a repository.]")
                    break
                known = any(one == path or one.startswith(f"{path}/") for one in reader.snapshot.paths())
                said = reader.history(path, "") if known else reader.history("", what)
                if said:
                    page.say(f"=== {printable(reader.name)}, not to be cited")
                    for row in cleaned_lines(said.split("\n")):
                        page.say(printable(row[:300]))
            return self._said(page, "The history is not at hand here.")

        # git is asked while others may search: it needs nothing of the index.
        readers = await self.corpus.read(list)
        return await asyncio.to_thread(tell, readers)

    async def _list(self, asked: _Arguments) -> str:
        repository, folder = asked.text("repository", ""), _path(asked.text("folder", "")).rstrip("/")

        def tell(readers: Sequence[Reader]) -> str:
            page = self._page()
            for reader in _named(readers, repository):
                rows = _listing(reader, folder)
                if rows:
                    page.say(f"=== {self._where(reader, folder or '.')}")
                for row in rows[:_MOST_LISTED]:
                    page.say(printable(row))
                if len(rows) > _MOST_LISTED:
                    page.say(f"[{len(rows) - _MOST_LISTED} more]")
            return self._said(page, "error: there is no such folder.")

        return await self.corpus.read(tell)


def printable(text: str) -> str:
    """`text` on one line: no control characters, no line ends."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _path(said: str) -> str:
    path = said.strip()
    while path.startswith("./"):
        path = path[2:]
    return "" if path == "." else path


def _names(readers: Sequence[Reader]) -> str:
    return ", ".join(printable(reader.name) for reader in readers[:40])


def _named(readers: Sequence[Reader], repository: str) -> Sequence[Reader]:
    """The readers that are meant: all of them where nothing is said."""
    chosen = [reader for reader in readers if repository in ("", reader.name)]
    if not chosen:
        raise BadInputError("There is no such repository.", fix=f"Use one of {_names(readers)}.")
    return chosen


def _definitions(reader: Reader, name: str, qualifier: str) -> list[tuple[str, Definition]]:
    """Where a name is defined, code before tests."""
    paths = [path for path in reader.snapshot.files_defining(name) if may_leave(path)][:_MOST_FILES]
    reader.snapshot.prefetch("symbols", paths)
    found = [
        (path, definition)
        for path in paths
        for definition in reader.snapshot.definitions(path)
        if definition.name == name and f".{definition.parent}".endswith(f".{qualifier}" if qualifier else "")
    ]
    return sorted(found, key=lambda one: (is_test(one[0]), one[0], one[1].start_line))


def _uses(reader: Reader, paths: Sequence[str], name: str) -> list[tuple[str, int, str]]:
    """(path, line, definition around it) of the uses of a name in these files, one a line."""
    reader.snapshot.prefetch("symbols", paths)
    found: dict[tuple[str, int], str] = {}
    for path in paths:
        column = reader.snapshot.symbols(path)
        if column is not None:
            symbols = symbols_of(column)
            for use in references_of(symbols).rows(definitions_of(symbols), name):
                found.setdefault((path, use.line), use.enclosing)
    return [(path, line, within) for (path, line), within in found.items()]


def _listing(reader: Reader, folder: str) -> list[str]:
    """What lies right below a folder: folders with how many files they hold, then files."""
    prefix = f"{folder}/" if folder else ""
    folders: dict[str, int] = {}
    files: list[str] = []
    for path in reader.snapshot.paths():
        if path.startswith(prefix):
            head, slash, _ = path[len(prefix) :].partition("/")
            if slash:
                folders[head] = folders.get(head, 0) + 1
            else:
                files.append(head)
    return [f"{name}/ ({count} files)" for name, count in folders.items()] + files


@dataclass(frozen=True, slots=True)
class _Arguments:
    """What a model sent with a call. Raises BadInputError for what cannot be meant."""

    sent: Mapping[str, Any]

    @staticmethod
    def of(text: str) -> _Arguments:
        if len(text) > _LONGEST_ARGUMENTS:
            raise BadInputError("The arguments are too long.")
        try:
            sent = json.loads(text or "{}")
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict):
            raise BadInputError("The arguments are no JSON object.")
        return _Arguments(sent)

    def text(self, name: str, otherwise: str | None = None) -> str:
        value = self.sent.get(name)
        if value is None and otherwise is not None:
            return otherwise
        if not isinstance(value, str) or (not value.strip() and otherwise is None):
            raise BadInputError(f"The argument {name} must be text.")
        if len(value) > _LONGEST_TEXT or "\0" in value:
            raise BadInputError(f"The argument {name} is longer than {_LONGEST_TEXT} characters, or binary.")
        return value.encode("utf-8", "replace").decode()

    def whole(self, name: str, otherwise: int, least: int, most: int) -> int:
        """A number, brought between its bounds."""
        value = self.sent.get(name, otherwise)
        if isinstance(value, str) and len(value) < 12 and value.strip().isdecimal():
            value = int(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(min(value, most))
        ):
            raise BadInputError(f"The argument {name} must be a number.")
        return int(max(least, min(value, most)))


def tools(*, several: bool) -> tuple[Tool, ...]:
    """The tools as a model is told of them; with several repositories each takes one's name."""
    return tuple(
        Tool(
            name,
            tool.said,
            _schema({**tool.takes, **({"repository": _REPOSITORY} if several else {})}, tool.needs),
        )
        for name, tool in _TOOLS.items()
    )


def _schema(properties: Mapping[str, Any], needs: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(needs),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class _Told:
    """A tool: what a model is told of it, and what answers."""

    said: str
    takes: Mapping[str, Any]
    needs: tuple[str, ...]
    answer: Callable[[Toolbox, _Arguments], Awaitable[str]]


_REPOSITORY = {"type": "string", "description": "Name of one repository; all of them when not given."}
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_TOOLS: Mapping[str, _Told] = {
    "search": _Told(
        "Search the code by words, names or a question; shows the best places with their lines.",
        {"query": _TEXT, "k": _NUMBER},
        ("query",),
        Toolbox._search,
    ),
    "read": _Told(
        f"Read lines of a file, at most {MOST_LINES} at once.",
        {"path": _TEXT, "start": _NUMBER, "end": _NUMBER},
        ("path",),
        Toolbox._read,
    ),
    "definition": _Told(
        "Where a function, class, constant ... is defined, with its lines. Take Class.method for a method.",
        {"name": _TEXT},
        ("name",),
        Toolbox._definition,
    ),
    "references": _Told(
        "Who calls or uses a name: each line with the definition around it.",
        {"name": _TEXT},
        ("name",),
        Toolbox._references,
    ),
    "grep": _Told(
        "Lines that hold a text literally, upper and lower case apart; `path` is a folder or a glob.",
        {"text": _TEXT, "path": _TEXT},
        ("text",),
        Toolbox._grep,
    ),
    "history": _Told(
        "Recent commits that touched a path, or whose message has words. They cannot be cited.",
        {"path_or_words": _TEXT},
        ("path_or_words",),
        Toolbox._history,
    ),
    "list": _Told("Files and folders right below a folder.", {"folder": _TEXT}, (), Toolbox._list),
}
