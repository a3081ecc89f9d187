"""Packages of Go: folders below the module path that a go.mod gives, or vendored ones."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import cached_property

from panlect.search.families.layout import UNKNOWN, Layout, Module, joined

_MODULE = re.compile(r'^\s*module\s+"?([^\s"]+)', re.M)


class GoModules:
    """The Go packages of one snapshot."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, importer: str, module: str) -> Module:
        """The files of a package, those of its tests left out."""
        if module.startswith("."):
            folder = joined(posixpath.dirname(importer), module)
            return UNKNOWN if folder is None else self._package(folder)
        for prefix, folder in self._modules:
            if module == prefix or module.startswith(prefix + "/"):
                return self._package(posixpath.join(folder, module[len(prefix) + 1 :]).rstrip("/"))
        vendored = self._package(f"vendor/{module}")
        if vendored.known or self._modules or "." not in module.split("/", maxsplit=1)[0]:
            return vendored
        steps = module.split("/")[1:]  # without go.mod: the longest end of the path that is a folder
        for at in range(len(steps)):
            found = self._package("/".join(steps[at:]))
            if found.known:
                return found
        return UNKNOWN

    def _package(self, folder: str) -> Module:
        files = tuple(path for path in self._layout.in_folder("go", folder) if not is_go_test(path))
        return Module(files, known=bool(files))

    @cached_property
    def _modules(self) -> Sequence[tuple[str, str]]:
        """(module path, folder) of every go.mod, the longest path first."""
        rows = [
            (found.group(1), folder)
            for folder, text in self._layout.manifests("go.mod").items()
            if (found := _MODULE.search(text))
        ]
        return sorted(rows, key=lambda row: (-len(row[0]), row[1]))


def is_go_test(path: str) -> bool:
    """Whether a Go file is compiled for the tests of its package alone."""
    return path.endswith("_test.go")
