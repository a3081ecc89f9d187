"""Modules of Rust: from the crate's root, the file itself or another crate of the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from panlect.search.families.layout import UNKNOWN, Layout, Module

_ROOTS = ("lib.rs", "main.rs")
_OUTSIDE = frozenset({"std", "core", "alloc", "proc_macro", "test"})
_CARGO_NAME = re.compile(r'^\s*name\s*=\s*"([^"]+)"', re.M)


class RustModules:
    """The Rust modules of one snapshot."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def find(self, importer: str, module: str) -> Module:
        """What a path of modules means: the file, or the nearest one that defines the rest inline."""
        folder, own = self._crate(importer)
        steps = [step for step in module.split("::") if step]
        if not steps:
            return UNKNOWN
        head = steps[0]
        if head in ("self", "super"):
            here = list(own)
            while steps and steps[0] in ("self", "super"):
                if steps.pop(0) == "super":
                    if not here:
                        return UNKNOWN
                    here.pop()
            return self._at(folder, [*here, *steps])
        if head == "crate":
            return self._at(folder, steps[1:])
        child = self._at(folder, [*own, *steps])  # a module that this file declares
        if child.known and not child.within:
            return child
        if head in self._crates:
            return self._at(self._crates[head], steps[1:])
        return UNKNOWN if head in _OUTSIDE else child

    def crate_of(self, path: str) -> str:
        """The folder of a Rust file's crate root, its own folder when there is none."""
        return self._crate(path)[0]

    def _at(self, folder: str, steps: Sequence[str]) -> Module:
        """The file of a module, or the nearest one above that defines the rest inline."""
        for at in range(len(steps), -1, -1):
            base = posixpath.join(folder, *steps[:at])
            tried = [f"{base}.rs", f"{base}/mod.rs"] if at else [posixpath.join(base, r) for r in _ROOTS]
            files = tuple(path for path in tried if path in self._layout.paths)
            if not files:
                continue
            rest = steps[at:]
            if not rest:
                return Module(files, known=True)
            holding = tuple(
                p for p in files if any(d.name == rest[0] for d in self._layout.snapshot.definitions(p))
            )
            return Module(holding, ".".join(rest), known=True) if holding else UNKNOWN
        return UNKNOWN

    def _crate(self, path: str) -> tuple[str, tuple[str, ...]]:
        """(folder of the crate root, steps of the file's module below it)."""
        own = posixpath.dirname(path)
        folder = own
        while not any(posixpath.join(folder, name) in self._layout.paths for name in _ROOTS):
            if not folder:
                return own, _steps(path, own)
            folder = posixpath.dirname(folder)
        return folder, _steps(path, folder)

    @cached_property
    def _crates(self) -> Mapping[str, str]:
        """Name of a crate of this repository -> the folder of its root."""
        found: dict[str, str] = {}
        for folder, text in sorted(self._layout.manifests("Cargo.toml").items()):
            named = _CARGO_NAME.search(text)
            source = posixpath.join(folder, "src")
            if named and posixpath.join(source, "lib.rs") in self._layout.paths:
                found.setdefault(named.group(1).replace("-", "_"), source)
        return found


def _steps(path: str, folder: str) -> tuple[str, ...]:
    inner = path[len(folder) + 1 :] if folder else path
    steps = inner.removesuffix(".rs").split("/")
    if steps[-1] == "mod" or (len(steps) == 1 and steps[0] in ("lib", "main")):
        steps.pop()
    return tuple(steps)
