"""Code that a change reaches without calling it: overrides, interfaces, and names shared as strings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from panlect.change import Change
from panlect.context.asked import Asked, Touched, runs_of, within
from panlect.finding import Side
from panlect.index.snapshot import DefinitionSite, Snapshot
from panlect.search.graph import bases_of, derived_from, member

_TOO_SHARED = 30  # files: a string that more of them hold joins nothing
_MAX_MENTIONS = 100  # of a change that are followed
_MAX_PLACES = 5  # of one mention
_SAID = {"env": "environment variable", "feature": "feature flag", "config": "setting", "flag": "option"}


@dataclass(frozen=True, slots=True)
class Relative:
    """Lines that belong together with what is changed, and why."""

    path: str
    first: int
    last: int
    reason: str
    weight: float


def relatives(change: Change, asked: Asked, base: Snapshot, head: Snapshot) -> list[Relative]:
    """Everything of that kind outside the change, in the order of the change."""
    found = [
        *(one for touched in asked.touched for one in _of_class(touched, base, head)),
        *_of_mentions(change, base, head),
    ]
    unique = {
        (one.path, one.first, one.reason): one for one in reversed(found) if one.path not in asked.paths
    }
    return list(reversed(unique.values()))


def _of_class(touched: Touched, base: Snapshot, head: Snapshot) -> Iterator[Relative]:
    """Where a method of the same name is defined above and below its class; what extends a touched class."""
    own = touched.definition
    if own.kind == "class":
        for site in derived_from(head, own.name):
            first = site.definition.start_line
            reason = f"extends {own.qualified_name}, line {first}"
            yield Relative(site.path, first, first, reason, 0.8)
    owner = _owner(touched, base if touched.side is Side.BASE else head)
    if owner is None:
        return
    for site in derived_from(head, owner.definition.name):
        if (found := member(head, site, own.name)) is not None:
            yield _relative(found, f"overrides {own.qualified_name}")
    for site in bases_of(head, owner.definition):
        if (found := member(head, site, own.name)) is not None:
            yield _relative(found, f"interface of {own.qualified_name}")


def _relative(site: DefinitionSite, reason: str) -> Relative:
    first, last = site.definition.start_line, site.definition.end_line
    return Relative(site.path, first, last, f"{reason}, line {first}", 1.0)


def _owner(touched: Touched, snapshot: Snapshot) -> DefinitionSite | None:
    """The class that holds what is touched."""
    parent = touched.definition.parent
    if not parent:
        return None
    for definition in snapshot.definitions(touched.path):
        if definition.qualified_name == parent and definition.kind not in ("function", "method"):
            return DefinitionSite(touched.path, definition)
    return None


def _of_mentions(change: Change, base: Snapshot, head: Snapshot) -> Iterator[Relative]:
    """Who else names a route, a variable of the environment, a flag, a table that the changed lines name."""
    names: dict[tuple[str, str], None] = {}
    for file in change.files:
        for side, snapshot, path in ((Side.HEAD, head, file.new_path), (Side.BASE, base, file.old_path)):
            runs = runs_of(file, side)
            if path is None or not runs:
                continue
            for mention in snapshot.mentions(path):
                if within(mention.line, runs) and len(names) < _MAX_MENTIONS:
                    names[mention.kind, mention.name] = None
    for kind, name in names:
        files = head.files_mentioning(kind, name)
        if len(files) > _TOO_SHARED:
            continue
        for path in files:
            lines = [one.line for one in head.mentions(path) if (one.kind, one.name) == (kind, name)]
            for line in lines[:_MAX_PLACES]:
                yield Relative(
                    path,
                    line,
                    line,
                    f"names the same {_SAID.get(kind, kind)} {name}, line {line}",
                    1 / len(files),
                )
