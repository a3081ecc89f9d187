"""Modules of Swift: the targets of a package, `Sources/<target>/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from panlect.search.families.layout import MOST_FILES, Layout, Module


class SwiftModules:
    """The Swift targets of one snapshot."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, _importer: str, module: str) -> Module:
        """The files of a target."""
        files = self._targets.get(module.split(".", maxsplit=1)[0], ())
        return Module(tuple(files), known=bool(files))

    def target_of(self, path: str) -> tuple[str, ...]:
        """The files that share their names with this one: its target, without targets all of Swift."""
        target = target_name(path)
        if target:
            return tuple(self._targets.get(target, ()))
        return tuple(p for folder in self._layout.folders.get("swift", {}).values() for p in folder)[
            :MOST_FILES
        ]

    @cached_property
    def _targets(self) -> Mapping[str, list[str]]:
        """Target -> its files: Sources/<target>/ of a package."""
        found: dict[str, list[str]] = {}
        for path in self._layout.snapshot.paths():
            target = target_name(path) if path.endswith(".swift") else ""
            if target and len(found.setdefault(target, [])) < MOST_FILES:
                found[target].append(path)
        return found


def target_name(path: str) -> str:
    """The target that a file belongs to by its path, "" for none."""
    parts = path.split("/")
    for folder in ("Sources", "Tests"):
        if folder in parts[:-2]:
            return parts[parts.index(folder) + 1]
    return ""
