"""Python across files: package layout, imports, stars, re-exports, inherited methods."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator

from panlect.checks.call_fit import misfit
from panlect.checks.paths import is_test
from panlect.checks.resolve import (
    CALL_MISMATCH,
    ELSEWHERE,
    IMPORT_MISSING,
    MAX_HOPS,
    MEMBER_MISSING,
    NAME_UNRESOLVED,
    UNKNOWN,
    Found,
    Judged,
    Lookup,
    Missing,
    Place,
    Site,
    State,
    state_of,
)
from panlect.checks.view import RepositoryView
from panlect.code.facts import LOCAL, NO_CALL, SELF, Binding, ClassFact, FileFacts, Guard, ImportFact, Use

# Modules that a build writes, so the repository lacks them.
_BUILT = re.compile(r"_?version_?\Z|_pb2|_generated|_build_info")
# Files that say: what stands beside me is a project of its own.
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "manage.py")
# Bases of the standard library that add no method a class would call on itself with arguments.
_EMPTY_BASES = frozenset({"object", "ABC", "Generic", "Protocol"})


class PythonWorld:
    """The Python files of one revision. Lookups are remembered, so one world serves one review."""

    def __init__(self, view: RepositoryView) -> None:
        self._files = {path: facts for path, facts in view.all_facts().items() if facts.language == "python"}
        self._paths = frozenset(view.paths())
        self._stems: set[str] = set()
        self._directories: set[str] = {""}
        self._note_paths()
        self._roots = self._package_roots()
        self._injected = frozenset(name for facts in self._files.values() for name in facts.injected)
        self._replaced = frozenset(
            name for path, facts in self._files.items() if not is_test(path) for name in facts.replaced
        )
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._lookups: dict[tuple[str, str], Lookup] = {}
        self._modules: dict[tuple[str, str], Lookup] = {}
        self._ours: dict[tuple[str, str], bool] = {}
        self._by_top: dict[str, list[ImportFact]] | None = None
        self._children: dict[str, list[tuple[str, ClassFact]]] | None = None

    # -- judging ------------------------------------------------------------------------------------

    def judge(self, path: str, wanted: frozenset[str] | None) -> Iterator[Judged]:
        """Every import, loose name, member and call in the file that mentions one of `wanted`."""
        facts = self._files.get(path)
        if facts is None or facts.has_error or facts.generated:
            return
        yield from self._judge_imports(path, facts, wanted)
        yield from self._judge_loose(path, facts, wanted)
        for use in facts.uses:
            if wanted is None or self._mentions(facts, use, wanted):
                yield from self._judge_use(path, facts, use)

    def _mentions(self, facts: FileFacts, use: Use, wanted: frozenset[str]) -> bool:
        if not wanted.isdisjoint(use.target.split(".")):
            return True
        return use.source >= 0 and _import_mentions(facts.imports[use.source], wanted)

    def _judge_imports(self, path: str, facts: FileFacts, wanted: frozenset[str] | None) -> Iterator[Judged]:
        rows = [(fact.module, fact.name, fact.line, fact.enclosing, fact.guards) for fact in facts.imports]
        rows += [(star.module, "", star.line, "", 0) for star in facts.stars]
        for module, name, line, enclosing, guards in rows:
            fact = ImportFact(module, name, "", line)
            if guards & Guard.IMPORT or not (wanted is None or _import_mentions(fact, wanted)):
                continue
            found = self._module(module, path)
            if isinstance(found, Found) and name:
                found = self._from_module(found, name)
            place = found.place if isinstance(found, Missing) else Place("", "")
            target = f"{module}.{name}" if name and not module.endswith(".") else f"{module}{name}"
            yield Judged(IMPORT_MISSING, path, line, enclosing, target, state_of(found), place)

    def _judge_loose(self, path: str, facts: FileFacts, wanted: frozenset[str] | None) -> Iterator[Judged]:
        if facts.opaque:
            return
        for loose in facts.loose:
            if loose.guards & Guard.NAME or loose.name in self._injected:
                continue
            if wanted is not None and loose.name not in wanted:
                continue
            found = self._through_stars(path, facts, loose.name, 0)
            place = Place(path, loose.name)
            yield Judged(
                NAME_UNRESOLVED, path, loose.line, loose.enclosing, loose.name, state_of(found), place
            )

    def _judge_use(self, path: str, facts: FileFacts, use: Use) -> Iterator[Judged]:
        if use.source == SELF:
            yield from self._judge_self_call(path, facts, use)
            return
        if use.source == LOCAL:
            found: Lookup = self._lookup(path, use.target)
            target = use.target
        else:
            fact = facts.imports[use.source]
            found = self._imported(fact, path)
            target = f"{fact.alias}.{use.target}" if use.target else fact.alias
            if not isinstance(found, Found):
                return  # the import itself is judged
            if use.target:
                found = self._member(found, use.target)
                yield from self._judge_member(path, use, target, found)
        yield from self._judge_call(path, facts, use, target, found)

    def _judge_member(self, path: str, use: Use, target: str, found: Lookup) -> Iterator[Judged]:
        if use.guards & Guard.ATTRIBUTE:
            return
        place = found.place if isinstance(found, Missing) else Place("", "")
        yield Judged(MEMBER_MISSING, path, use.line, use.enclosing, target, state_of(found), place)

    def _judge_call(
        self, path: str, facts: FileFacts, use: Use, target: str, found: Lookup
    ) -> Iterator[Judged]:
        if use.argc == NO_CALL or use.guards & Guard.CALL or not isinstance(found, Found):
            return
        name = target.rsplit(".", 1)[-1]
        site = found.site()
        if site is None or site.kind != "function" or found.binding is None:
            return
        if name in facts.replaced or name in self._injected:  # patched here: what is called is a stand-in
            return
        place = Place(site.path, found.binding.name)
        if site.signature is None:
            yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, State.UNKNOWN, place)
            return
        fault = misfit(site.signature, use)
        state = State.FINE if fault is None else State.BROKEN
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, state, place, site, fault)

    # -- modules ------------------------------------------------------------------------------------

    def _note_paths(self) -> None:
        for path in self._paths:
            folder, _, name = path.rpartition("/")
            self._stems.add(posixpath.join(folder, name.split(".", 1)[0]))
            while folder not in self._directories:
                self._directories.add(folder)
                folder = posixpath.dirname(folder)

    def _package_roots(self) -> frozenset[str]:
        """Directories that stand on the import path: parents of top-level packages, `src`, the root."""
        roots = {"", "src"}
        for path in self._paths:
            if path.endswith("/__init__.py"):
                folder = posixpath.dirname(path)
                parent = posixpath.dirname(folder)
                if not self._is_package(parent):
                    roots.add(parent)
        return frozenset(roots)

    def _is_package(self, folder: str) -> bool:
        return f"{folder}/__init__.py" in self._paths

    def _module(self, dotted: str, importer: str) -> Lookup:
        """The module an import statement in `importer` names; the same for all files of a directory."""
        own = posixpath.dirname(importer)
        key = (own, dotted)
        found = self._modules.get(key)
        if found is None:
            found = self._modules[key] = self._find_module(dotted, own)
        return found

    def _find_module(self, dotted: str, own: str) -> Lookup:
        level = len(dotted) - len(dotted.lstrip("."))
        parts = [part for part in dotted[level:].split(".") if part]
        if level:
            folder = own
            for _ in range(level - 1):
                if not folder:
                    return UNKNOWN
                folder = posixpath.dirname(folder)
            start: Lookup = Found(module=self._module_file(folder) or folder)
        else:
            if not parts or parts[0] in sys.stdlib_module_names:
                return ELSEWHERE
            start = self._top(parts.pop(0), own)
        for part in parts:
            if not isinstance(start, Found) or start.module is None:
                return start
            start = self._submodule(start.module, part)
        return start

    def _top(self, name: str, own: str) -> Lookup:
        """The one module or package called `name` that a file in the directory `own` can mean."""
        roots = self._roots | ({own} if not self._is_package(own) else set())
        homes = [root for root in roots if self._module_file(posixpath.join(root, name)) is not None]
        around = [root for root in homes if _holds(root, own)]
        if around:
            home = max(around, key=len)
        elif len(homes) == 1:
            home = homes[0]
        else:
            return UNKNOWN if homes else ELSEWHERE
        if not self._is_ours(home, name):
            return ELSEWHERE
        return Found(module=self._module_file(posixpath.join(home, name)))

    def _is_ours(self, root: str, name: str) -> bool:
        """Whether `import name` means what stands in `root`, and not an installed package of that name.

        `examples/pydantic/` is no `pydantic`: outside a project's own root some import must bear it out.
        """
        if root in ("", "src") or any(posixpath.join(root, mark) in self._paths for mark in _PROJECT_FILES):
            return True
        known = self._ours.get((root, name))
        if known is None:
            known = any(self._bears_out(root, fact) for fact in self._absolute_imports().get(name, ()))
            self._ours[root, name] = known
        return known

    def _bears_out(self, root: str, fact: ImportFact) -> bool:
        stem = posixpath.join(root, *fact.module.split("."))
        if "." in fact.module and self._module_file(stem) is not None:
            return True
        module = self._module_file(stem)
        below = self._module_file(posixpath.join(stem, fact.name)) if fact.name else None
        return below is not None or (module is not None and fact.name in self._names(module))

    def _absolute_imports(self) -> dict[str, list[ImportFact]]:
        if self._by_top is None:
            self._by_top = {}
            for facts in self._files.values():
                for fact in facts.imports:
                    self._by_top.setdefault(fact.module.split(".", 1)[0], []).append(fact)
        return self._by_top

    def _module_file(self, stem: str) -> str | None:
        for path in (posixpath.join(stem, "__init__.py"), f"{stem}.py"):
            if path in self._paths:
                return path
        return None

    def _submodule(self, module: str, name: str) -> Lookup:
        """`name` below a package, as an import statement needs it: a file or a directory."""
        if not _is_folder(module) and not module.endswith("__init__.py"):
            return UNKNOWN
        folder = posixpath.dirname(module) if module.endswith("__init__.py") else module
        stem = posixpath.join(folder, name)
        file = self._module_file(stem)
        if file is not None:
            return Found(module=file)
        if stem in self._directories:
            return Found(module=stem)
        if stem in self._stems or _is_folder(module) or _BUILT.search(name):
            return UNKNOWN  # an extension module, a namespace package, or something a build writes
        package = self._files.get(module)
        if package is None or package.has_error or package.opaque or "__path__" in self._names(module):
            return UNKNOWN
        return Missing(Place(stem, ""))

    # -- names --------------------------------------------------------------------------------------

    def _names(self, path: str) -> dict[str, Binding]:
        names = self._bindings.get(path)
        if names is None:
            facts = self._files.get(path)
            names = {binding.name: binding for binding in facts.bindings} if facts is not None else {}
            self._bindings[path] = names
        return names

    def _imported(self, fact: ImportFact, importer: str, hops: int = 0) -> Lookup:
        """What an import binds its alias to."""
        if not fact.name:
            top = fact.module.split(".", 1)[0] if not fact.module.startswith(".") else fact.module
            return self._module(top, importer)
        module = self._module(fact.module, importer)
        return self._from_module(module, fact.name, hops) if isinstance(module, Found) else module

    def _from_module(self, module: Found, name: str, hops: int = 0) -> Lookup:
        """`from module import name`: an attribute, else a submodule."""
        if module.module is None:
            return ELSEWHERE
        return self._lookup(module.module, name, hops)

    def _member(self, start: Found, chain: str) -> Lookup:
        """Follow `a.b.c` from what is imported, as long as it leads through modules."""
        current: Lookup = start
        for part in chain.split("."):
            if not isinstance(current, Found):
                return current
            if current.module is None:
                return ELSEWHERE  # a member of a class, an instance, something outside
            current = self._lookup(current.module, part)
        return current

    def _lookup(self, module: str, name: str, hops: int = 0) -> Lookup:
        key = (module, name)
        known = self._lookups.get(key)
        if known is not None:
            return known
        if hops > MAX_HOPS:
            return UNKNOWN
        self._lookups[key] = UNKNOWN  # what a circular re-export sees
        found = self._search(module, name, hops + 1)
        self._lookups[key] = found
        return found

    def _search(self, module: str, name: str, hops: int) -> Lookup:
        if _is_folder(module):
            return self._submodule(module, name)
        facts = self._files.get(module)
        if facts is None or facts.has_error:
            return UNKNOWN
        binding = self._names(module).get(name)
        if binding is not None:
            return self._bound(module, facts, binding, hops)
        if name.startswith("__") and name.endswith("__"):
            return ELSEWHERE  # __file__, __path__ and their like come with every module
        if name in self._injected or _BUILT.search(name):
            return UNKNOWN
        if module.endswith("__init__.py"):
            below = self._submodule(module, name)
            if not isinstance(below, Missing):
                return below
        if facts.opaque:
            return UNKNOWN
        found = self._through_stars(module, facts, name, hops)
        return Missing(Place(module, name)) if isinstance(found, Missing) else found

    def _bound(self, module: str, facts: FileFacts, binding: Binding, hops: int) -> Lookup:
        if binding.source < 0:
            return Found(module, binding)
        fact = facts.imports[binding.source]
        if fact.guards & Guard.IMPORT:
            return Found(module)
        target = self._module(fact.module, module)
        itself = isinstance(target, Found) and target.module == module and fact.name == binding.name
        if itself:  # `from . import x` inside the package: the submodule x
            return self._submodule(module, binding.name)
        return self._imported(fact, module, hops)

    def _through_stars(self, path: str, facts: FileFacts, name: str, hops: int) -> Lookup:
        """The name among what star imports bring; missing only if every star is known completely."""
        unknown = False
        for star in facts.stars:
            module = self._module(star.module, path)
            if not isinstance(module, Found) or module.module is None or _is_folder(module.module):
                unknown = True
                continue
            source = self._files.get(module.module)
            if source is None:
                unknown = True
            elif not _star_brings(source, name):
                continue
            else:
                found = self._lookup(module.module, name, hops)
                if isinstance(found, Found):
                    return found
                unknown = unknown or not isinstance(found, Missing)
        return UNKNOWN if unknown else Missing(Place(path, name))

    def site(self, place: Place) -> Site | None:
        """The definition at a place; for a name that stars bring, the definition they lead to."""
        if not place.name:
            file = place.holder if place.holder in self._files else self._module_file(place.holder)
            return Site(file, 1, 1, "module") if file is not None else None
        class_name, _, method = place.name.rpartition(".")
        if class_name:
            return self._method_site(place.holder, class_name, method)
        binding = self._names(place.holder).get(place.name)
        if binding is not None:
            return Found(place.holder, binding).site()
        if place.holder not in self._files:
            return None
        found = self._lookup(place.holder, place.name)
        return found.site() if isinstance(found, Found) else None

    # -- methods ------------------------------------------------------------------------------------

    def _judge_self_call(self, path: str, facts: FileFacts, use: Use) -> Iterator[Judged]:
        class_name, _, method = use.target.partition(".")
        owner = self._class(path, class_name)
        if owner is None or use.guards & Guard.CALL or method in self._replaced or method in facts.replaced:
            return
        found = self._method(path, owner, method, 0)
        if found is None or found.binding is None:
            return
        site, place = found.site(), Place(found.path, f"{found.holder}.{method}")
        if site is None or site.signature is None:
            yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, use.target, State.UNKNOWN, place)
            return
        fault = misfit(site.signature, use)
        if fault is not None and self._some_override_fits(class_name, method, use):
            yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, use.target, State.UNKNOWN, place)
            return
        state = State.FINE if fault is None else State.BROKEN
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, use.target, state, place, site, fault)

    def _method_site(self, path: str, class_name: str, method: str) -> Site | None:
        owner = self._class(path, class_name)
        found = next((b for b in owner.methods if b.name == method), None) if owner is not None else None
        return Found(path, found).site() if found is not None else None

    def _class(self, path: str, name: str) -> ClassFact | None:
        binding = self._names(path).get(name)
        if binding is None or binding.kind != "class" or binding.multiple:
            return None
        return next((fact for fact in self._files[path].classes if fact.name == name), None)

    def _method(self, path: str, owner: ClassFact, method: str, depth: int) -> Found | None:
        """The method that `self.method` finds, if the classes up to it are known completely."""
        if depth > MAX_HOPS or method in owner.attributes:
            return None
        for binding in owner.methods:
            if binding.name == method:
                return Found(path, binding, holder=owner.name)
        if owner.opaque:
            return None
        for base in owner.bases:
            if base.rsplit(".", 1)[-1] in _EMPTY_BASES:
                continue
            above = self._base(path, base)
            if above is None:
                return None
            found = self._method(above[0], above[1], method, depth + 1)
            if found is not None or not self._complete(above[0], above[1], 0):
                return found
        return None

    def _base(self, path: str, dotted: str) -> tuple[str, ClassFact] | None:
        first, _, rest = dotted.partition(".")
        found: Lookup = self._lookup(path, first)
        if rest and isinstance(found, Found):
            found = self._member(found, rest)
        if not isinstance(found, Found) or found.binding is None:
            return None
        owner = self._class(found.path, found.binding.name)
        return (found.path, owner) if owner is not None else None

    def _complete(self, path: str, owner: ClassFact, depth: int) -> bool:
        """Whether every class above is in the repository, so that nothing unseen can define a method."""
        if owner.opaque or depth > MAX_HOPS:
            return False
        for base in owner.bases:
            if base.rsplit(".", 1)[-1] in _EMPTY_BASES:
                continue
            above = self._base(path, base)
            if above is None or not self._complete(above[0], above[1], depth + 1):
                return False
        return True

    def _some_override_fits(self, class_name: str, method: str, use: Use) -> bool:
        """Whether a subclass defines `method` so that the call fits: then `self` may well be one of those."""
        children = self._subclasses()
        seen, waiting = {class_name}, [class_name]
        while waiting:
            for _, owner in children.get(waiting.pop(), ()):
                if method in owner.attributes:
                    return True
                for binding in owner.methods:
                    if binding.name != method:
                        continue
                    if binding.signature is None or misfit(binding.signature, use) is None:
                        return True
                if owner.name not in seen:
                    seen.add(owner.name)
                    waiting.append(owner.name)
        return False

    def _subclasses(self) -> dict[str, list[tuple[str, ClassFact]]]:
        if self._children is None:
            self._children = {}
            for path, facts in self._files.items():
                for owner in facts.classes:
                    for base in owner.bases:
                        self._children.setdefault(base.rsplit(".", 1)[-1], []).append((path, owner))
        return self._children


def _import_mentions(fact: ImportFact, wanted: frozenset[str]) -> bool:
    return fact.name in wanted or not wanted.isdisjoint(fact.module.split("."))


def _star_brings(source: FileFacts, name: str) -> bool:
    return not name.startswith("_") if source.listed is None else name in source.listed


def _is_folder(module: str) -> bool:
    return not module.endswith(".py")


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
