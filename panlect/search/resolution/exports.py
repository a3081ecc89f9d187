"""What a module gives to those that import from it, also what it imports itself and passes on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from panlect.code.analysis import Import
from panlect.code.languages import language_by_name
from panlect.search.families.layout import Module
from panlect.search.modules import Modules
from panlect.search.names import FileNames
from panlect.search.resolution.answers import MOST_CANDIDATES, OWN, REMEMBERED, Answer, Bound, Site, Target
from panlect.search.resolution.circles import Circles
from panlect.search.resolution.kinds import NAMESPACED, SCRIPTS
from panlect.search.resolution.members import Members
from panlect.search.resolution.packages import Packages
from panlect.search.resolution.sources import Sources
from panlect.search.spelling import LONGEST_LINE, exported_as

_MAX_HOPS = 5  # from file to file
_MOST_STEPS = 400  # looked at for one name that files pass on: a star may lead everywhere


class Exports:
    """What the modules of one snapshot export. Answers that no circle cut short are remembered."""

    def __init__(
        self, sources: Sources, modules: Modules, packages: Packages, members: Members, circles: Circles
    ) -> None:
        self._sources = sources
        self._modules = modules
        self._packages = packages
        self._members = members
        self._circles = circles
        self._exports: dict[tuple[str, str], tuple[Target, ...]] = {}

    def target(self, path: str, imported: Import) -> tuple[tuple[Target, ...], bool]:
        """What an import binds, and whether that is outside the repository."""
        if not imported.name:
            return self._whole_module(path, imported)
        module = self._modules.find(path, imported.module)
        found = self.from_module(path, imported.module, module, imported.name) if module.known else ()
        if found:
            return found, False
        beneath = self.submodule(path, imported.module, imported.name)
        if beneath is not None:
            return (beneath,), False
        return (), not module.known

    def _whole_module(self, path: str, imported: Import) -> tuple[tuple[Target, ...], bool]:
        bound = imported.module
        family = language_by_name(path).family
        if family == "python" and not imported.alias and "." in bound.lstrip("."):
            bound = bound.partition(".")[0]  # `import a.b` binds a
        module = self._modules.find(path, bound)
        if module.within:
            sites = self._packages.in_files(module.files, module.within)
            if sites or family != "rust":
                return tuple(sites), False
        return ((Bound(path, bound, module),), False) if module.known else ((), True)

    def star(self, path: str, imported: Import, name: str) -> tuple[Target, ...]:
        """What an import of everything gives under a name."""
        module = self._modules.find(path, imported.module)
        if not module.known:
            return ()
        return self.from_module(path, imported.module, module, name, as_star=True)

    def submodule(self, path: str, module: str, name: str) -> Bound | None:
        """The module of this name beneath another; None where a language has no such thing."""
        family = language_by_name(path).family
        if family in SCRIPTS or family in ("go", "ruby", "swift"):
            return None
        join = {"python": ".", "rust": "::", "c": "::", "php": "\\"}.get(family, ".")
        whole = module + name if module.endswith(".") else f"{module}{join}{name}"
        found = self._modules.find(path, whole)
        return Bound(path, whole, found) if found.known and not found.within else None

    def declared_module(self, file: FileNames, name: str) -> Answer | None:
        """`mod name;` of Rust: the file of that module."""
        if file.family != "rust" or not any(d.kind == "module" for d in file.members.get(("", name), ())):
            return None
        module = self._modules.find(file.path, f"self::{name}")
        return Answer((Bound(file.path, f"self::{name}", module),), OWN, "module of this file")

    def from_module(
        self, importer: str, name_of_module: str, module: Module, name: str, *, as_star: bool = False
    ) -> tuple[Target, ...]:
        """What a module's files give under a name, also through what they import themselves."""
        family = language_by_name(importer).family
        if module.within:
            sites = self._packages.in_files(module.files, module.within)
            return tuple(
                dict.fromkeys(member for site in sites for member in self._members.member(site, name))
            )
        if family in NAMESPACED or (family == "c" and self._is_space(module, name_of_module)):
            space = ".".join(step for step in re.split(r"::|[.\\]", name_of_module) if step)
            return tuple(self._packages.in_namespace(module.files, space, name))
        targets: list[Target] = []
        if family in ("go", "swift"):
            return tuple(self._packages.in_package(module.files, name))
        for path in module.files[:MOST_CANDIDATES]:
            targets += self._export(path, name, as_star=as_star)
        return tuple(dict.fromkeys(targets))

    @staticmethod
    def _is_space(module: Module, name: str) -> bool:
        """Whether a module of C++ is a namespace, not a header."""
        return "::" in name or (bool(module.files) and "." not in name and "/" not in name)

    def stand_for(self, targets: Sequence[Target]) -> list[Site]:
        """What a module means when it is used itself: its default export; else nothing."""
        found: list[Site] = []
        for target in targets:
            if isinstance(target, Bound) and language_by_name(target.importer).family in SCRIPTS:
                for path in target.module.files:
                    found += [site for site in self._export(path, "default") if isinstance(site, Site)]
        return found

    def _export(self, path: str, name: str, *, as_star: bool = False) -> tuple[Target, ...]:
        """What one file gives to those that import `name` from it; remembered."""
        if as_star and name.startswith("_") and self._sources.file(path).family == "python":
            return ()
        key = (path, name)
        found = self._exports.get(key)
        if found is None:
            with self._circles.finding(("export", *key)) as may_go_on:
                before = self._circles.cut
                found = self._exported(path, name, 0, set()) if may_go_on else ()
                if may_go_on and self._circles.cut == before and len(self._exports) < REMEMBERED:
                    self._exports[key] = found
        return found

    def _exported(self, path: str, name: str, hops: int, seen: set[tuple[str, str]]) -> tuple[Target, ...]:
        if hops > _MAX_HOPS or (path, name) in seen or len(seen) >= _MOST_STEPS:
            return ()
        seen.add((path, name))
        file = self._sources.file(path)
        own = self._own_export(file, name)
        if own:
            return tuple(dict.fromkeys(own))
        if file.family == "rust" and (declared := self.declared_module(file, name)) is not None:
            return declared.targets
        passed: list[Target] = []
        for row in file.imports.get(name, ()):
            if not row.scope:
                passed += self._passed_on(file, row.imported, row.imported.name, hops, seen)
        if passed:
            return tuple(dict.fromkeys(passed))
        if file.family == "python" and name.startswith("_") and hops:
            return ()
        return self._passed_by_star(file, name, hops, seen)

    def _own_export(self, file: FileNames, name: str) -> list[Target]:
        """What a file defines and gives away under a name."""
        own: list[Target] = [
            Site(file.path, d)
            for d in file.members.get(("", name), ())
            if d.kind not in ("extension", "module") or file.family == "ruby"
        ]
        if file.family == "c":
            own += [Site(file.path, d) for s in file.namespaces for d in file.members.get((s, name), ())]
        if file.family in SCRIPTS and not own:
            own += self._script_export(file, name)
        return own

    def _passed_by_star(
        self, file: FileNames, name: str, hops: int, seen: set[tuple[str, str]]
    ) -> tuple[Target, ...]:
        for row in file.stars:
            if not row.scope and row.imported.name in ("*", ""):
                found = self._passed_on(file, row.imported, name, hops, seen)
                if found:
                    return found
        return ()

    def _passed_on(
        self, file: FileNames, imported: Import, name: str, hops: int, seen: set[tuple[str, str]]
    ) -> tuple[Target, ...]:
        """What a file that is imported from imports itself under a name."""
        if not name or name == "*" or file.family in NAMESPACED:
            return self.target(file.path, imported)[0] if not name else ()
        module = self._modules.find(file.path, imported.module)
        if module.within:
            return self.from_module(file.path, imported.module, module, name)
        targets: list[Target] = []
        for path in module.files[:MOST_CANDIDATES]:
            targets += self._exported(path, name, hops + 1, seen)
        if not targets and imported.name == name:
            beneath = self.submodule(file.path, imported.module, name)
            if beneath is not None:
                return (beneath,)
        return tuple(targets)

    def _script_export(self, file: FileNames, name: str) -> list[Target]:
        """`export default cart`, `export {cart as basket}`, `module.exports = cart`: read from the text."""
        text = "\n".join(self._sources.lines(file.path))
        if len(text) > LONGEST_LINE * 500:
            return []
        local = exported_as(text, name)
        if not local or local == name:
            return []
        sites: list[Target] = [Site(file.path, d) for d in file.members.get(("", local), ())]
        if sites:
            return sites
        for row in file.imports.get(local, ()):
            sites += self.target(file.path, row.imported)[0] if row.imported.name != name else ()
        return sites
