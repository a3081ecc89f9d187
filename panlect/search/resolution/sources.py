"""The files of one snapshot as resolving reads them: names, lines, references; the last ones read are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from panlect.code.analysis import Reference
from panlect.code.packed import references_of, symbols_of
from panlect.index.snapshot import Snapshot
from panlect.search.names import FileNames, read_names
from panlect.search.resolution.answers import REMEMBERED

KEPT_FILES = 4_000
KEPT_TEXTS = 256
_KEPT_BYTES = 32 * 1024 * 1024  # of text


class Sources:
    """What one snapshot says of its files. What was read is remembered within bounds."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._files: OrderedDict[str, FileNames] = OrderedDict()
        self._lines: OrderedDict[str, list[str]] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of the texts in `_lines`
        self._size = 0
        self._defining: dict[str, tuple[str, ...]] = {}

    def file(self, path: str) -> FileNames:
        """The names of a file."""
        found = self._files.get(path)
        if found is None:
            found = read_names(self.snapshot, path)
            self._files[path] = found
            if len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)
        return found

    def lines(self, path: str) -> list[str]:
        """The text of a file by lines, none for one that is not there."""
        found = self._lines.get(path)
        if found is None:
            content = self.snapshot.text(path) if self.snapshot.exists(path) else b""
            found = self._keep_lines(path, content)
        return found

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read the texts of many files at once: what is resolved in them next needs them."""
        wanted: list[str] = []
        size = 0
        for path in dict.fromkeys(paths):
            entry = self.snapshot.entry(path)
            if path not in self._lines and entry is not None and len(wanted) < KEPT_TEXTS:
                size += max(0, entry.size)
                if size > _KEPT_BYTES:
                    break
                wanted.append(path)
        if wanted:
            for path, content in self.snapshot.texts(wanted).items():
                self._keep_lines(path, content)

    def _keep_lines(self, path: str, content: bytes) -> list[str]:
        found = content.decode("utf-8", "replace").split("\n")
        self._lines[path] = found
        self._sizes[path] = len(content)
        self._size += len(content)
        while len(self._lines) > KEPT_TEXTS or (self._size > _KEPT_BYTES and len(self._lines) > 1):
            oldest, _ = self._lines.popitem(last=False)
            self._size -= self._sizes.pop(oldest)
        return found

    def files_defining(self, name: str) -> tuple[str, ...]:
        """The files that define a name, by path."""
        found = self._defining.get(name)
        if found is None:
            found = self.snapshot.files_defining(name)
            if len(self._defining) < REMEMBERED:
                self._defining[name] = found
        return found

    def references(self, path: str, name: str) -> Iterator[Reference]:
        """The references to a name in a file; none for one that is not analysed."""
        column = self.snapshot.symbols(path)
        if column is not None:
            yield from references_of(symbols_of(column)).rows(self.snapshot.definitions(path), name)
