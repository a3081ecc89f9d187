"""Members of classes: their own, those that other files add to them, and those of their bases."""

from __future__ import annotations

from collections.abc import Callable

from panlect.code.languages import language_by_name
from panlect.search.modules import Modules
from panlect.search.names import FileNames
from panlect.search.resolution.answers import (
    MOST_CANDIDATES,
    MOST_FILES_OF_NAME,
    REMEMBERED,
    Answer,
    Site,
)
from panlect.search.resolution.circles import Circles
from panlect.search.resolution.kinds import CLASSES
from panlect.search.resolution.sources import Sources

_MAX_HOPS = 5  # from class to base
_MOST_STEPS = 400  # bases looked at for one name
# Where a type has members in other files than its own.
_SPREAD = frozenset({"go", "rust", "swift", "c", "csharp", "ruby", "jvm"})

# What the name of a base means where a class names it.
MeaningOfBase = Callable[[FileNames, Site, str], Answer]


class Members:
    """The members of the classes of one snapshot.

    What a base's name means is found by those who ask for members themselves: so it comes as a function.
    """

    def __init__(
        self, sources: Sources, modules: Modules, circles: Circles, meaning_of_base: MeaningOfBase
    ) -> None:
        self._sources = sources
        self._modules = modules
        self._circles = circles
        self._meaning_of_base = meaning_of_base
        self._inherited: dict[tuple[str, str, str, bool], tuple[Site, ...]] = {}
        self._bases_of: dict[tuple[str, str, str], list[Site]] = {}

    def member(self, site: Site, name: str) -> tuple[Site, ...]:
        """What a class defines or inherits under a name."""
        return self.inherited_member(site, name, own=True)

    def inherited_member(self, site: Site, name: str, *, own: bool) -> tuple[Site, ...]:
        """The same; without `own` from its bases alone."""
        key = (site.path, f"{site.definition.qualified_name}:{site.definition.start_line}", name, own)
        found = self._inherited.get(key)
        if found is None:
            before = self._circles.cut
            found = self._search_bases(site, name, own=own)
            if self._circles.cut == before and len(self._inherited) < REMEMBERED:
                self._inherited[key] = found
        return found

    def _search_bases(self, site: Site, name: str, *, own: bool) -> tuple[Site, ...]:
        """Level by level: the class, its bases, theirs. A cycle ends where it began."""
        level, seen = [site], {(site.path, site.definition.qualified_name)}
        for hop in range(_MAX_HOPS + 1):
            found: list[Site] = []
            if hop or own:
                for one in level:
                    found += self._own_members(one, name)
            if found:
                return tuple(dict.fromkeys(found))[:MOST_CANDIDATES]
            level = self._bases_above(level, seen)
            if not level:
                return ()
        return ()

    def _bases_above(self, level: list[Site], seen: set[tuple[str, str]]) -> list[Site]:
        """The bases of these classes that were not seen yet."""
        above: list[Site] = []
        for one in level:
            for base in self._bases(one):
                mark = (base.path, base.definition.qualified_name)
                if mark not in seen and len(seen) < _MOST_STEPS:
                    seen.add(mark)
                    above.append(base)
        return above

    def _own_members(self, site: Site, name: str) -> list[Site]:
        file = self._sources.file(site.path)
        owner = site.definition.qualified_name
        found = [Site(site.path, d) for d in file.members.get((owner, name), ())]
        if site.definition.kind == "module" or file.family not in _SPREAD:
            return found
        if found and file.family not in ("c", "csharp"):
            return found
        paths = self._sources.files_defining(name)
        if len(paths) > MOST_FILES_OF_NAME:
            return found
        for path in paths:
            if path == site.path or language_by_name(path).family != file.family:
                continue
            if self._shares_types(file, path):
                found += self._added_members(path, (owner, site.definition.name), name)
        return found[:MOST_CANDIDATES]

    def _added_members(self, path: str, owners: tuple[str, str], name: str) -> list[Site]:
        """What a file adds to a class of another file, by its whole name and by its last word."""
        file = self._sources.file(path)
        return [
            Site(path, d)
            for owner in dict.fromkeys(owners)
            if _adds_to(file, owner)
            for d in file.members.get((owner, name), ())
        ]

    def _shares_types(self, file: FileNames, other: str) -> bool:
        """Whether members of a type of `file` may stand in another file."""
        if file.family == "go":
            return file.path.rpartition("/")[0] == other.rpartition("/")[0]
        if file.family == "rust":
            return self._modules.crate_of(file.path) == self._modules.crate_of(other)
        if file.family == "csharp":
            return set(file.namespaces) == set(self._sources.file(other).namespaces)
        return True

    def _bases(self, site: Site) -> list[Site]:
        """The classes of the repository that a class names as its bases."""
        key = (site.path, site.definition.qualified_name, str(site.definition.start_line))
        found = self._bases_of.get(key)
        if found is None:
            with self._circles.finding(key) as may_go_on:
                before = self._circles.cut
                found = self._find_bases(site) if may_go_on else []
                if may_go_on and self._circles.cut == before and len(self._bases_of) < REMEMBERED:
                    self._bases_of[key] = found
        return found

    def _find_bases(self, site: Site) -> list[Site]:
        file = self._sources.file(site.path)
        definition = site.definition
        names = dict.fromkeys(definition.bases)
        if definition.kind == "extension" or file.family in ("rust", "swift", "ruby", "csharp"):
            for other in file.qualified.get(definition.qualified_name, ()):
                names.update(dict.fromkeys(other.bases))
        found: list[Site] = []
        for name in list(names)[:MOST_CANDIDATES]:
            answer = self._meaning_of_base(file, site, name)
            found += [
                target
                for target in answer.targets
                if isinstance(target, Site) and (target.definition.kind in CLASSES or file.family == "ruby")
            ]
        return found


def _adds_to(file: FileNames, owner: str) -> bool:
    """Whether members that a file has under this name are added to a class, not those of one of its own."""
    own = file.qualified.get(owner)
    if own is None or file.family in ("c", "csharp", "ruby"):
        return True
    return file.family != "jvm" and any(d.kind in ("extension", "method") for d in own)
