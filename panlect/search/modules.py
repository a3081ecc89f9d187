"""Which files a module name means: the first half of resolving a reference, by language family.

A name is read as its language reads it: from the file that imports it, the layout of folders, and the few
files that say where a project's packages are (go.mod, Cargo.toml, package.json, tsconfig.json). Nothing is
executed; what a build would add is not known here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from functools import partial

from panlect.code.languages import language_by_name
from panlect.index.snapshot import Snapshot
from panlect.search.families.go import GoModules, is_go_test
from panlect.search.families.included import c_module, php_module, ruby_module
from panlect.search.families.layout import LONGEST_MODULE, MOST_STEPS, SEPARATOR, UNKNOWN, Layout, Module
from panlect.search.families.namespace import Namespaces
from panlect.search.families.python import PythonModules
from panlect.search.families.rust import RustModules
from panlect.search.families.script import ScriptModules
from panlect.search.families.swift import SwiftModules, target_name

_REMEMBERED = 200_000  # answers


def files_of_module(snapshot: Snapshot, importer: str, module: str) -> tuple[str, ...]:
    """The files that `module` means in `importer`, () for one from elsewhere. For many use `Modules`."""
    return Modules(snapshot).find(importer, module).files


class Modules:
    """The modules of one snapshot. What was found is remembered."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._layout = layout = Layout(snapshot)
        self._found: dict[tuple[str, str], Module] = {}
        self._own_packages: dict[tuple[str, str, bool], tuple[str, ...]] = {}
        self._namespaces = namespaces = Namespaces(layout)
        self._rust = RustModules(layout)
        self._swift = SwiftModules(layout)
        script = ScriptModules(layout)
        self._finders: Mapping[str, Callable[[str, str], Module]] = {
            "python": PythonModules(layout).find,
            "typescript": script.find,
            "javascript": script.find,
            "go": GoModules(layout).find,
            "jvm": namespaces.find,
            "csharp": namespaces.find,
            "php": partial(php_module, layout, namespaces),
            "rust": self._rust.find,
            "c": partial(c_module, layout, namespaces),
            "ruby": partial(ruby_module, layout),
            "swift": self._swift.find,
        }

    def find(self, importer: str, module: str) -> Module:
        """What `module` means in the file `importer`; unknown for an absurd name and a language without modules."""
        if not module or len(module) > LONGEST_MODULE:
            return UNKNOWN
        if len(SEPARATOR.findall(module)) > MOST_STEPS:
            return UNKNOWN
        finder = self._finders.get(language_by_name(importer).family)
        if finder is None:
            return UNKNOWN
        key = (_place(importer), module)
        found = self._found.get(key)
        if found is None:
            found = finder(importer, module)
            if len(self._found) < _REMEMBERED:
                self._found[key] = found
        return found

    def package_of(self, path: str) -> tuple[str, ...]:
        """The files whose names this one sees without an import, itself among them; () where there are none."""
        family = language_by_name(path).family
        place = target_name(path) or ":" if family == "swift" else posixpath.dirname(path)
        key = (family, place, family == "go" and is_go_test(path))
        found = self._own_packages.get(key)
        if found is None:
            found = self._own_packages[key] = self._find_package(family, path)
        return found

    def _find_package(self, family: str, path: str) -> tuple[str, ...]:
        if family == "swift":
            return self._swift.target_of(path)
        if family not in ("go", "jvm"):
            return ()
        found = self._layout.in_folder(family, posixpath.dirname(path))
        if family == "go" and not is_go_test(path):
            return tuple(one for one in found if not is_go_test(one))
        return found

    def files_of_namespace(self, name: str, family: str) -> tuple[str, ...]:
        """The files of a family that open this namespace or package, by path."""
        return self._namespaces.files_of(name, family)

    def crate_of(self, path: str) -> str:
        """The folder of a Rust file's crate root, its own folder when there is none."""
        return self._rust.crate_of(path)


def _place(importer: str) -> str:
    """What of the importer an answer depends on. A Rust file is a module of its own."""
    family = language_by_name(importer).family
    return importer if family in ("rust", "go") else f"{family}:{posixpath.dirname(importer)}"
