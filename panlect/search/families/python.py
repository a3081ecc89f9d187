"""Modules of Python: relative ones from the folder, others from the roots around the file that imports."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property

from panlect.search.families.layout import UNKNOWN, Layout, Module

_SOURCE_FOLDERS = frozenset({"src", "lib", "python"})
_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg")


class PythonModules:
    """The Python modules of one snapshot."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, importer: str, module: str) -> Module:
        """What a dotted name means; a folder without files of its own is known too."""
        dots = len(module) - len(module.lstrip("."))
        steps = [step for step in module[dots:].split(".") if step]
        if dots:
            folder = posixpath.dirname(importer)
            for _ in range(dots - 1):
                if not folder:
                    return UNKNOWN
                folder = posixpath.dirname(folder)
            return self._at(folder, steps)
        if not steps:
            return UNKNOWN
        for root in self._roots_for(importer, steps[0]):
            found = self._at(root, steps)
            if found.known:
                return found
        return UNKNOWN

    def _at(self, folder: str, steps: Sequence[str]) -> Module:
        base = posixpath.join(folder, *steps)
        tried = [f"{base}/__init__.py", f"{base}/__init__.pyi"] if base else ["__init__.py"]
        if steps:
            tried += [f"{base}.py", f"{base}.pyi"]
        found = self._layout.first(tried)
        if found:
            return Module((found,), known=True)
        return Module(known=bool(steps) and base in self._folders)

    def _roots_for(self, importer: str, first: str) -> list[str]:
        """Roots that have this first step: those around the importer before others, the nearest first.

        A script sees what stands beside it. What the standard library has comes from there unless a root
        around the importer has it too.
        """
        own = posixpath.dirname(importer)
        around = {own[:at] for at, letter in enumerate(own) if letter == "/"} | {"", own}
        roots = self._roots.get(first, [])
        near = sorted((root for root in roots if root in around), key=len, reverse=True)
        if not self._is_package(own) and own not in near and first in self._children.get(own, ()):
            near.insert(0, own)
        if first in sys.stdlib_module_names:
            return near
        return near + [root for root in roots if root not in around]

    def _is_package(self, folder: str) -> bool:
        return f"{folder}/__init__.py" in self._layout.paths or f"{folder}/__init__.pyi" in self._layout.paths

    @cached_property
    def _roots(self) -> Mapping[str, list[str]]:
        """First step of a module -> the roots that have it: folders that are no packages themselves."""
        packages = {folder for folder in self._folders if self._is_package(folder)}
        roots = {"", *(posixpath.dirname(f) for f in packages if posixpath.dirname(f) not in packages)}
        roots.update(f for f in self._folders if posixpath.basename(f) in _SOURCE_FOLDERS)
        for name in _PROJECTS:
            roots.update(posixpath.dirname(path) for path in self._layout.named.get(name, ()))
        found: dict[str, list[str]] = {}
        for root in sorted(roots - packages, key=lambda folder: (folder.count("/"), folder)):
            for step in self._children.get(root, ()):
                found.setdefault(step, []).append(root)
        return found

    @cached_property
    def _folders(self) -> frozenset[str]:
        """Folders with Python in or below them: a package may have no file of its own."""
        found: set[str] = set()
        for own in self._layout.folders.get("python", {}):
            folder = own
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(found)

    @cached_property
    def _children(self) -> Mapping[str, set[str]]:
        """Folder -> the modules and folders right in it."""
        found: dict[str, set[str]] = {}
        for folder, paths in self._layout.folders.get("python", {}).items():
            stems = {posixpath.basename(path).rpartition(".")[0] for path in paths}
            found.setdefault(folder, set()).update(stems - {"__init__", "setup", "conftest"})
        for folder in self._folders:
            found.setdefault(posixpath.dirname(folder), set()).add(posixpath.basename(folder))
        return found
