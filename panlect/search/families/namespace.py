"""Packages and namespaces that files say they belong to: Java, Kotlin, Scala, C#; also of PHP and C++."""

from __future__ import annotations

from collections.abc import Sequence

from panlect.code.languages import language_by_name
from panlect.search.families.layout import MOST_FILES, SEPARATOR, UNKNOWN, Layout, Module

_REMEMBERED = 200_000  # namespaces


class Namespaces:
    """The namespaces of one snapshot. What was found is remembered."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._files: dict[tuple[str, str], tuple[str, ...]] = {}

    def files_of(self, name: str, family: str) -> tuple[str, ...]:
        """The files of a family that open this namespace or package, by path."""
        found = self._files.get((family, name))
        if found is None:
            found = tuple(sorted(path for path in self._defining(name, family) if self._opens(path, name)))
            if len(self._files) < _REMEMBERED:
                self._files[family, name] = found
        return found

    def _defining(self, name: str, family: str) -> set[str]:
        """Files that may open a namespace: `a.b` is defined as `a.b` or, inside `a`, as `b`."""
        return {
            path
            for said in {name, name.rpartition(".")[2]}
            for path in self._layout.snapshot.files_defining(said)[:MOST_FILES]
            if language_by_name(path).family == family
        }

    def _opens(self, path: str, name: str) -> bool:
        definitions = self._layout.snapshot.definitions(path)
        return any(d.kind == "module" and d.qualified_name == name for d in definitions)

    def find(self, importer: str, module: str) -> Module:
        """A package or namespace, or a type in one: what is left of the name is `within`."""
        family = language_by_name(importer).family
        steps = [step for step in SEPARATOR.split(module) if step]
        for at in range(len(steps), 0, -1):
            files = self.files_of(".".join(steps[:at]), family)
            if files:
                return self._within(files, steps[at:])
        return UNKNOWN

    def _within(self, files: tuple[str, ...], rest: Sequence[str]) -> Module:
        """The files of a package that define a type of it, when the name goes on with one."""
        if not rest:
            return Module(files, known=True)
        own = set(files)
        holding = tuple(path for path in self._layout.snapshot.files_defining(rest[0]) if path in own)
        return Module(holding, ".".join(rest), known=True) if holding else UNKNOWN
