"""Which definition a reference means, with how sure that is: imports, receivers, scopes; then names alone.

A `Resolver` serves one snapshot and remembers what it learnt of files and modules. The columns tell the word
before a dot; the rest of `a.b.c` and what a function binds for itself are read from the text around the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from panlect.code.analysis import Definition, Reference
from panlect.index.snapshot import DefinitionSite, Snapshot
from panlect.search.modules import Modules
from panlect.search.names import FileNames
from panlect.search.resolution.alone import NamesAlone
from panlect.search.resolution.answers import IMPORTED, MOST_CANDIDATES, Answer, Candidate, Resolution, Site
from panlect.search.resolution.around import Around
from panlect.search.resolution.circles import Circles
from panlect.search.resolution.exports import Exports
from panlect.search.resolution.kinds import KIND_FIT
from panlect.search.resolution.members import Members
from panlect.search.resolution.packages import Packages
from panlect.search.resolution.receivers import Receivers
from panlect.search.resolution.scopes import Scopes
from panlect.search.resolution.sources import Sources
from panlect.search.resolution.uses import Uses, UsesOfDefinitions

SURE: Final = 0.8  # from this confidence on, syntax and imports tell; below, the name alone does


class Resolver:
    """Resolves the references of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._sources = sources = Sources(snapshot)
        modules, circles = Modules(snapshot), Circles()
        packages = Packages(sources, modules)
        members = Members(sources, modules, circles, self._meaning_of_base)
        self._around = Around(sources)
        self._exports = Exports(sources, modules, packages, members, circles)
        self._scopes = Scopes(sources, self._around, packages, self._exports, members)
        self._receivers = Receivers(sources, modules, self._around, self._scopes, self._exports, members)
        self._alone = NamesAlone(sources, modules)
        self._uses = UsesOfDefinitions(sources, modules, self.resolve)

    def resolve(self, path: str, reference: Reference) -> Resolution:
        """What a reference in `path` may mean; nothing where it names a local variable or is too common."""
        if not reference.name:
            return Resolution()
        file = self._sources.file(path)
        chain = self._around.chain(file, reference)
        answer = self._answer(file, reference, chain)
        sites = [target for target in answer.targets if isinstance(target, Site)]
        sites = sites or self._exports.stand_for(answer.targets)
        if sites:
            return Resolution(_candidates(sites, answer.confidence, answer.reason, reference.kind))
        if answer.external:
            return Resolution(external=True)
        if answer.local or answer.targets:
            return Resolution()
        return Resolution(self._alone.candidates(file, reference, dotted=bool(chain)))

    def _answer(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> Answer:
        importing = file.importing.get((reference.line, reference.name))
        if importing is not None and reference.kind == "name":  # Rust and C++ see uses in the import itself
            targets, external = self._exports.target(file.path, importing)
            return Answer(targets, IMPORTED, "named by this import", external, local=True)
        if chain:
            return self._receivers.dotted(file, reference, chain)
        return self._scopes.bare(file, reference, reference.name)

    def _meaning_of_base(self, file: FileNames, site: Site, name: str) -> Answer:
        return self._receivers.base(file, site, name)

    def meant(self, path: str, name: str, line: int) -> list[DefinitionSite] | None:
        """What the uses of a name on a line surely mean, [] for one from outside; None when that is not sure."""
        found: dict[DefinitionSite, None] = {}
        external = False
        for reference in self._sources.references(path, name):
            if reference.line == line:
                answer = self.resolve(path, reference)
                external = external or answer.external
                sure = [one for one in answer.candidates if one.confidence >= SURE]
                found.update(dict.fromkeys(DefinitionSite(one.path, one.definition) for one in sure))
        return list(found) if found or external else None

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read the texts of many files at once: what is resolved in them next needs them."""
        self._sources.read_ahead(paths)

    def uses_of_definition(self, path: str, definition: Definition) -> Uses:
        """Every reference that may mean this definition, also under the names that imports give it."""
        return self._uses.of(path, definition)


def _candidates(sites: Sequence[Site], confidence: float, reason: str, kind: str) -> tuple[Candidate, ...]:
    """The sites as candidates, those whose kind fits first; a kind that fits leaves out fields of the name."""
    fitting = KIND_FIT.get(kind)
    chosen = list(dict.fromkeys(sites))
    if fitting:
        chosen.sort(key=lambda site: site.definition.kind not in fitting)
    return tuple(
        Candidate(site.path, site.definition, confidence, reason) for site in chosen[:MOST_CANDIDATES]
    )
