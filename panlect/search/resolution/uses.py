"""Who uses a definition: the files that name it, also under the names that imports give it, each use resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from panlect.code.analysis import Definition, Reference
from panlect.code.languages import language_by_name
from panlect.search.families.layout import shared_folders
from panlect.search.modules import Modules
from panlect.search.resolution.answers import Resolution
from panlect.search.resolution.kinds import SCRIPTS
from panlect.search.resolution.sources import KEPT_TEXTS, Sources

MOST_EXAMINED: Final = 2_000  # references of one name


class ResolvedUse(NamedTuple):
    """A reference that means the definition asked for, as surely as `confidence` says."""

    path: str
    line: int
    enclosing: str
    kind: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Uses:
    """The uses of a definition, by path and line. `cut`: there are more references than were examined."""

    sites: tuple[ResolvedUse, ...]
    examined: int
    cut: bool


class UsesOfDefinitions:
    """The uses of the definitions of one snapshot, as `resolve` sees them."""

    def __init__(
        self, sources: Sources, modules: Modules, resolve: Callable[[str, Reference], Resolution]
    ) -> None:
        self._sources = sources
        self._modules = modules
        self._resolve = resolve
        self._aliases: dict[str, dict[str, set[str]]] | None = None

    def of(self, path: str, definition: Definition) -> Uses:
        """Every reference that may mean this definition, also under the names that imports give it."""
        found: set[ResolvedUse] = set()
        examined = 0
        for used, reference in self._references_to(path, definition):
            if examined >= MOST_EXAMINED:
                return Uses(tuple(sorted(found)), examined, cut=True)
            examined += 1
            confidence = self._confidence(used, reference, path, definition)
            if confidence:
                found.add(ResolvedUse(used, reference.line, reference.enclosing, reference.kind, confidence))
        return Uses(tuple(sorted(found)), examined, cut=False)

    def _references_to(self, path: str, definition: Definition) -> Iterator[tuple[str, Reference]]:
        for batch in _batches(self._using(path, definition), KEPT_TEXTS):
            self._sources.read_ahead(used for used, _ in batch)
            for used, name in batch:
                for reference in self._sources.references(used, name):
                    yield used, reference

    def _confidence(self, used: str, reference: Reference, path: str, definition: Definition) -> float:
        """How surely a reference means a definition, 0 when it does not."""
        for one in self._resolve(used, reference).candidates:
            if one.path == path and _same(one.definition, definition):
                return one.confidence
        return 0.0

    def _using(self, path: str, definition: Definition) -> Iterator[tuple[str, str]]:
        """(file, name) that may use a definition; its own file first, then the nearest."""
        rows = {(used, definition.name) for used in self._sources.snapshot.files_using(definition.name)}
        for alias, files in self._aliases_of(definition.name).items():
            rows.update((used, alias) for used in files)
        if language_by_name(path).family in SCRIPTS:
            for alias, files in self._aliases_of("default").items():
                rows.update((used, alias) for used in files)
            for alias, files in self._aliases_of("").items():
                rows.update((used, alias) for used in files if self._may_call_module(used, alias, path))
        yield from sorted(rows, key=lambda row: (row[0] != path, -shared_folders(path, row[0]), row))

    def _may_call_module(self, used: str, alias: str, path: str) -> bool:
        bound = self._sources.file(used).imports.get(alias, ())
        return any(path in self._modules.find(used, b.imported.module).files for b in bound)

    def _aliases_of(self, name: str) -> dict[str, set[str]]:
        """Alias -> files that import `name` under it."""
        if self._aliases is None:
            self._aliases = {}
            for entry in self._sources.snapshot.analysable():
                for one in self._sources.snapshot.imports(entry.path):
                    if one.alias and one.alias not in (one.name, ".", "_"):
                        under = self._aliases.setdefault(one.name, {})
                        under.setdefault(one.alias, set()).add(entry.path)
        return self._aliases.get(name, {})


def _same(one: Definition, other: Definition) -> bool:
    return one.qualified_name == other.qualified_name and one.start_line == other.start_line


def _batches(rows: Iterable[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
