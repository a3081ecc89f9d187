"""Names that packages and namespaces give: to those that import them, and to their own files without an import."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from panlect.code.analysis import Reference
from panlect.code.languages import language_by_name
from panlect.search.modules import Modules
from panlect.search.names import FileNames, scopes_around
from panlect.search.resolution.answers import (
    MOST_CANDIDATES,
    MOST_FILES_OF_NAME,
    NOTHING,
    PACKAGE,
    Answer,
    Site,
)
from panlect.search.resolution.kinds import NAMESPACED
from panlect.search.resolution.sources import KEPT_FILES, Sources


class Packages:
    """The packages and namespaces of one snapshot."""

    def __init__(self, sources: Sources, modules: Modules) -> None:
        self._sources = sources
        self._modules = modules
        self._sets: OrderedDict[int, tuple[Sequence[str], frozenset[str]]] = OrderedDict()

    def in_namespace(self, files: Sequence[str], space: str, name: str) -> Iterator[Site]:
        """What these files define in a namespace under a name."""
        for path in self._of_files(files, name):
            file = self._sources.file(path)
            for parent in (space, ""):
                if parent or space in file.namespaces:
                    for one in file.members.get((parent, name), ()):
                        yield Site(path, one)

    def in_package(self, files: Sequence[str], name: str) -> Iterator[Site]:
        """What the files of one package define at their top, seen from another file."""
        for path in self._of_files(files, name):
            for one in self._sources.file(path).members.get(("", name), ()):
                if one.kind != "extension":
                    yield Site(path, one)

    def in_files(self, files: Sequence[str], qualified: str) -> list[Site]:
        """Definitions by the end of their qualified name."""
        found: list[Site] = []
        for path in files[:MOST_CANDIDATES]:
            file = self._sources.file(path)
            names = [qualified, *(f"{space}.{qualified}" for space in file.namespaces)]
            found += [
                Site(path, d) for name in names for d in file.qualified.get(name, ()) if d.kind != "module"
            ]
        return found

    def _of_files(self, files: Sequence[str], name: str) -> Sequence[str]:
        """Those of the files that define a name, at most so many."""
        if len(files) <= MOST_CANDIDATES:
            return files
        kept = self._sets.get(id(files))
        if kept is None:
            kept = (files, frozenset(files))  # holds the files, so that nothing else gets their id
            self._sets[id(files)] = kept
            if len(self._sets) > KEPT_FILES:
                self._sets.popitem(last=False)
        return [path for path in self._sources.files_defining(name) if path in kept[1]][:MOST_FILES_OF_NAME]

    def without_import(self, file: FileNames, reference: Reference, name: str) -> Answer:
        """Names of the same package, and of the files that a language shares its names with."""
        sites: list[Site] = []
        if file.family in ("go", "swift"):
            sites = list(self.in_package(self._modules.package_of(file.path), name))
        elif file.family == "jvm" or file.family in NAMESPACED:
            sites = self._in_own_namespaces(file, name)
        elif file.family == "c":
            sites = self._in_pair(file, name)
        elif file.family == "ruby" and name[:1].isupper():
            sites = self._constant(reference.enclosing, name)
        sites = [site for site in sites if site.path != file.path or site.definition.kind != "module"]
        if sites:
            return Answer(tuple(dict.fromkeys(sites)), PACKAGE, "same package")
        return NOTHING

    def _in_own_namespaces(self, file: FileNames, name: str) -> list[Site]:
        found: list[Site] = []
        for space in file.namespaces:
            steps = space.split(".") if file.family == "csharp" else [space]
            for at in range(len(steps), 0, -1):  # C# sees the namespaces around its own
                outer = ".".join(steps[:at])
                files = self._modules.files_of_namespace(outer, file.family)
                found += self.in_namespace(files, outer, name)
                if found:
                    return found
        if not file.namespaces and file.family == "jvm":
            for path in self._of_files(self._modules.package_of(file.path), name):
                if not self._sources.file(path).namespaces:
                    found += [Site(path, d) for d in self._sources.file(path).members.get(("", name), ())]
        return found

    def _in_pair(self, file: FileNames, name: str) -> list[Site]:
        """`cart.c` beside `cart.h`, and what a header in turn includes is found by the stars already."""
        stem = file.path.rpartition(".")[0]
        found: list[Site] = []
        for path in self._sources.files_defining(name)[:MOST_FILES_OF_NAME]:
            if path != file.path and path.rpartition(".")[0] == stem:
                found += [Site(path, d) for d in self._sources.file(path).named.get(name, ())]
        return found

    def _constant(self, enclosing: str, name: str) -> list[Site]:
        """A constant of Ruby, from the innermost module outwards: any file may define it."""
        wanted = [f"{scope}.{name}" for scope in scopes_around(enclosing)] + [name]
        paths = self._sources.files_defining(name)
        if len(paths) > MOST_FILES_OF_NAME:
            return []
        rows = [
            (path, self._sources.file(path).qualified)
            for path in paths
            if language_by_name(path).family == "ruby"
        ]
        for qualified in wanted:
            found = [Site(path, d) for path, own in rows for d in own.get(qualified, ())]
            if found:
                return found
        return []
