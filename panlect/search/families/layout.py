"""What every language needs to find a module: the paths of a snapshot by folder and by name, its small manifests.

Nothing is executed; what a build would add is not known here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from panlect.code.languages import language_by_name
from panlect.index.snapshot import Snapshot

LONGEST_MODULE: Final = 500  # letters; a longer name is no module
MOST_STEPS: Final = 40  # of a dotted name
MOST_FILES: Final = 5_000  # of one module
SEPARATOR: Final = re.compile(r"::|[.\\/]")  # between the steps of a name
_MOST_MANIFESTS = 500
_MOST_MANIFEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Module:
    """The files of a module. `within`: the rest of the name, when that is a type or namespace in these files.

    `known`: whether the name is this repository's, which a folder without files may be.
    """

    files: tuple[str, ...] = ()
    within: str = ""
    known: bool = False


UNKNOWN: Final = Module()


class Layout:
    """The paths of one snapshot, in the tables that module names are looked up in."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path of the snapshot."""
        return frozenset(self.snapshot.paths())

    @cached_property
    def folders(self) -> Mapping[str, Mapping[str, list[str]]]:
        """Family -> folder -> its own files."""
        found: dict[str, dict[str, list[str]]] = {}
        for path in self.snapshot.paths():
            family = language_by_name(path).family
            found.setdefault(family, {}).setdefault(posixpath.dirname(path), []).append(path)
        return found

    @cached_property
    def named(self) -> Mapping[str, list[str]]:
        """File name -> the files of that name."""
        found: dict[str, list[str]] = {}
        for path in self.snapshot.paths():
            found.setdefault(posixpath.basename(path), []).append(path)
        return found

    def in_folder(self, family: str, folder: str) -> tuple[str, ...]:
        """The files of a family right in a folder, at most so many."""
        return tuple(self.folders.get(family, {}).get(folder, ())[:MOST_FILES])

    def first(self, paths: Iterable[str]) -> str:
        """The first of these paths that is a file here, "" for none."""
        return next((path for path in paths if path in self.paths), "")

    def manifests(self, name: str) -> dict[str, str]:
        """Folder -> text of the files of this name, those of a bounded size."""
        small: list[str] = []
        for path in self.named.get(name, ())[:_MOST_MANIFESTS]:
            entry = self.snapshot.entry(path)
            if entry is not None and entry.is_regular and 0 <= entry.size <= _MOST_MANIFEST_BYTES:
                small.append(path)
        texts = self.snapshot.texts(small) if small else {}
        return {posixpath.dirname(path): text.decode("utf-8", "replace") for path, text in texts.items()}

    def by_suffix(self, importer: str, wanted: str) -> str:
        """The file whose path ends like this, the one that shares most folders with the importer."""
        ending = "/" + wanted
        found = [
            path
            for path in self.named.get(posixpath.basename(wanted), ())[:MOST_FILES]
            if path == wanted or path.endswith(ending)
        ]
        return min(
            found, key=lambda path: (-shared_folders(importer, path), path.count("/"), path), default=""
        )


def shared_folders(left: str, right: str) -> int:
    """How many leading folders two paths share."""
    count = 0
    for one, other in zip(left.split("/")[:-1], right.split("/")[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count


def joined(folder: str, relative: str) -> str | None:
    """A path relative to a folder; None when it leaves the repository."""
    return normal(posixpath.join(folder, relative))


def normal(path: str) -> str | None:
    """A path without `.` and `..`; None when it leaves the repository."""
    normal = posixpath.normpath(path)
    if normal == ".":
        return ""
    return None if normal.startswith(("../", "/")) or normal == ".." else normal
