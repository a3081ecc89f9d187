"""Edges between definitions, resolved by name when they are asked for: who calls it, what does it use.

A name that many files define says little about which one is meant, so an edge weighs the name's rarity
divided by the number of its definitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log1p
from typing import NamedTuple

from panlect.code.analysis import Definition
from panlect.index.snapshot import DefinitionSite, Snapshot

_TOO_COMMON = 200  # files: a name used in more is no edge, and following it costs
_TOO_AMBIGUOUS = 20  # definitions of one name


class Edge(NamedTuple):
    """A use of a definition. `definition` is the one the use stands in, None at module level."""

    path: str
    line: int
    name: str
    kind: str
    definition: Definition | None
    weight: float


def name_weight(snapshot: Snapshot, name: str) -> float:
    """How much an edge by this name says, 0 when the name is too common to follow."""
    using = len(snapshot.files_using(name))
    if using > _TOO_COMMON:
        return 0.0
    defining = max(1, len(snapshot.files_defining(name)))
    if defining > _TOO_AMBIGUOUS:
        return 0.0
    return log1p(len(snapshot.paths()) / (1 + using)) / defining


def uses_of(snapshot: Snapshot, name: str) -> list[Edge]:
    """Every use of a name with the definition around it, by path and line."""
    weight = name_weight(snapshot, name)
    if not weight:
        return []
    return [
        Edge(path, ref.line, name, ref.kind, _named(snapshot, path, ref.enclosing, ref.line), weight)
        for path, ref in snapshot.references_to(name)
    ]


def definitions_of(snapshot: Snapshot, name: str, near: str) -> list[DefinitionSite]:
    """The definitions that a use of `name` in `near` may mean, the likeliest first; fields only if alone.

    What stands inside a function is seen by its own file alone.
    """
    sites = [
        site
        for site in snapshot.definitions_named(name)
        if site.path == near or not _is_local(snapshot, site)
    ]
    if len(sites) > _TOO_AMBIGUOUS:
        return []
    strong = [site for site in sites if site.definition.kind != "field"] or sites
    return sorted(strong, key=lambda site: (-_nearness(near, site.path), site.path))


def innermost(definitions: Iterable[Definition], line: int) -> Definition | None:
    """The smallest definition around a line that has a body to speak of: no field, no variable."""
    around = [d for d in definitions if d.start_line <= line <= d.end_line and d.kind not in _LEAVES]
    return min(around, key=lambda d: (d.end_line - d.start_line, -d.start_line), default=None)


def _is_local(snapshot: Snapshot, site: DefinitionSite) -> bool:
    parent = site.definition.parent
    return bool(parent) and any(
        d.qualified_name == parent and d.kind in ("function", "method")
        for d in snapshot.definitions(site.path)
    )


_LEAVES = frozenset({"field", "constant", "variable"})


def _named(snapshot: Snapshot, path: str, qualified: str, line: int) -> Definition | None:
    if not qualified:
        return None
    return innermost(snapshot.definitions(path), line)


def _nearness(left: str, right: str) -> int:
    """2 for the same file, 1 for the same folder."""
    if left == right:
        return 2
    return int(left.rpartition("/")[0] == right.rpartition("/")[0])


# Classes by the names of their bases


def derived_from(snapshot: Snapshot, name: str) -> list[DefinitionSite]:
    """The classes that extend or implement `name`, directly or through others of the snapshot; nearest first."""
    found: list[DefinitionSite] = []
    seen, level = {name}, [name]
    for _ in range(_MAX_DEPTH):
        below: list[str] = []
        for above in level:
            files = snapshot.files_extending(above)
            if len(files) > _TOO_COMMON:
                continue  # `Exception`: that two classes are exceptions joins nothing
            for path in files:
                for definition in snapshot.definitions(path):
                    if above in definition.bases and len(found) < _MAX_FAMILY:
                        found.append(DefinitionSite(path, definition))
                        if definition.name not in seen:
                            seen.add(definition.name)
                            below.append(definition.name)
        level = below
    return found


def bases_of(snapshot: Snapshot, definition: Definition) -> list[DefinitionSite]:
    """The classes that a class extends or implements, as far as the snapshot defines them; nearest first."""
    found: list[DefinitionSite] = []
    seen, level = {definition.name}, list(definition.bases)
    for _ in range(_MAX_DEPTH):
        above: list[str] = []
        for name in level:
            if name in seen:
                continue
            seen.add(name)
            sites = [site for site in snapshot.definitions_named(name) if site.definition.kind in _CLASSES]
            if len(sites) > _TOO_AMBIGUOUS:
                continue
            found += sites[: _MAX_FAMILY - len(found)]
            above += [base for site in sites for base in site.definition.bases]
        level = above
    return found


def member(snapshot: Snapshot, owner: DefinitionSite, name: str) -> DefinitionSite | None:
    """What a class itself defines under a name; None when it only inherits it."""
    for definition in snapshot.definitions(owner.path):
        if definition.name == name and definition.parent == owner.definition.qualified_name:
            return DefinitionSite(owner.path, definition)
    return None


_CLASSES = frozenset({"class", "interface", "type", "extension"})
_MAX_DEPTH = 5
_MAX_FAMILY = 50
