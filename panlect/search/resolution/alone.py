"""What a name means that nothing explains: every definition that bears it, sharing half a certainty."""

from __future__ import annotations

from collections.abc import Sequence

from panlect.code.analysis import Definition, Reference
from panlect.code.languages import language_by_name
from panlect.search.families.layout import shared_folders
from panlect.search.modules import Modules
from panlect.search.names import FileNames, scopes_around
from panlect.search.resolution.answers import (
    BY_NAME,
    MOST_CANDIDATES,
    MOST_FILES_OF_NAME,
    REMEMBERED,
    Candidate,
    Site,
)
from panlect.search.resolution.kinds import FUNCTIONS, KIND_FIT, SCRIPTS, share_names
from panlect.search.resolution.sources import Sources

# Where a loose name can come from a file that nobody imports.
_GLOBAL_NAMES = frozenset({"c", "ruby", "php", "swift", "jvm", "csharp"})


class NamesAlone:
    """Definitions by their names alone. What bears a name is remembered."""

    def __init__(self, sources: Sources, modules: Modules) -> None:
        self._sources = sources
        self._modules = modules
        self._named: dict[tuple[str, str], Sequence[tuple[Site, bool]]] = {}

    def candidates(self, file: FileNames, reference: Reference, *, dotted: bool) -> tuple[Candidate, ...]:
        """Every definition of the name that could be meant, none when there are too many."""
        if not dotted and not self._has_global_names(file):
            return ()
        bearing = self._bearing(file.family, reference.name)
        sites = [site for site, inner in bearing if site.path == file.path or not inner]
        if dotted:
            members = [site for site in sites if site.definition.parent]
            sites = members or sites
        fitting = KIND_FIT.get(reference.kind)
        if fitting:
            sites = [site for site in sites if site.definition.kind in fitting] or sites
        if not 0 < len(sites) <= MOST_CANDIDATES:
            return ()
        sites.sort(
            key=lambda s: (s.path != file.path, -shared_folders(file.path, s.path), s.path, s.definition[3])
        )
        share = BY_NAME / len(sites)
        return tuple(Candidate(s.path, s.definition, share, "bears the name") for s in sites)

    def _bearing(self, family: str, name: str) -> Sequence[tuple[Site, bool]]:
        """Every definition of a name with whether it stands inside a function; none when there are too many."""
        family = "typescript" if family in SCRIPTS else family
        found = self._named.get((family, name))
        if found is None:
            found = self._find_bearing(family, name)
            if len(self._named) < REMEMBERED:
                self._named[family, name] = found
        return found

    def _find_bearing(self, family: str, name: str) -> Sequence[tuple[Site, bool]]:
        found: list[tuple[Site, bool]] = []
        paths = self._sources.files_defining(name)
        if len(paths) > MOST_FILES_OF_NAME:
            return ()
        for path in paths:
            if not share_names(family, language_by_name(path).family):
                continue
            file = self._sources.file(path)
            for one in file.named.get(name, ()):
                if one.kind not in ("extension", "module"):
                    found.append((Site(path, one), _is_inner(file, one)))
            if len(found) > MOST_FILES_OF_NAME:
                return ()
        return found

    def _has_global_names(self, file: FileNames) -> bool:
        """Whether a name that no import explains may still be one of this repository."""
        if file.family in SCRIPTS:
            return not file.imports
        if file.family in _GLOBAL_NAMES:
            return True
        return any(not self._modules.find(file.path, row.imported.module).known for row in file.stars)


def _is_inner(file: FileNames, definition: Definition) -> bool:
    """Whether a definition stands inside a function: other files do not see it."""
    scopes = scopes_around(definition.parent)
    return any(d.kind in FUNCTIONS for scope in scopes for d in file.qualified.get(scope, ()))
