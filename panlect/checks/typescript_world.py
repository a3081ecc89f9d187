"""TypeScript across files: relative modules, exports, re-exports, and calls of what is imported.

Only relative imports are followed. What a package name or a `paths` alias means is decided outside the
repository's text, so it stays unknown.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from panlect.checks.call_fit import misfit
from panlect.checks.members import Members, Owner
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
from panlect.code.facts import LOCAL, NO_CALL, SELF, TYPED, Binding, Export, FileFacts, Guard, ImportFact, Use

_WORD = re.compile(r"[\w$]+")
_EVERY_OBJECT = frozenset(
    {
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    }
    | {"prototype", "name", "length", "apply", "bind", "call", "arguments", "caller"}
)
_SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts")
# What a specifier may end with, and what the file may end with instead.
_WRITTEN_AS = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}


class TypeScriptWorld:
    """The TypeScript files of one revision."""

    def __init__(self, view: RepositoryView) -> None:
        self._files = {
            path: facts for path, facts in view.all_facts().items() if facts.language == "typescript"
        }
        self._paths = frozenset(view.paths())
        self._stems: set[str] = set()
        self._directories: set[str] = {""}
        self._note_paths()
        self._ambient = frozenset(name for facts in self._files.values() for name in facts.ambient)
        self._exports: dict[str, dict[str, Export]] = {}
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._lookups: dict[tuple[str, str], Lookup] = {}
        self._members = Members(self._files, self._names, self._local, self._imported, with_builtins=False)

    # -- judging ------------------------------------------------------------------------------------

    def judge(self, path: str, wanted: frozenset[str] | None) -> Iterator[Judged]:
        """Every relative import, loose name, namespace member and call that mentions one of `wanted`."""
        facts = self._files.get(path)
        if facts is None or facts.has_error or facts.generated:
            return
        yield from self._judge_imports(path, facts, wanted)
        if wanted is None and not facts.opaque:
            yield from self._judge_loose(path, facts)
        for use in facts.uses:
            if wanted is None or _mentions(facts, use, wanted):
                yield from self._judge_use(path, facts, use)

    def _judge_imports(self, path: str, facts: FileFacts, wanted: frozenset[str] | None) -> Iterator[Judged]:
        rows = [(fact.module, fact.name, fact.line) for fact in facts.imports]
        rows += [(export.module, export.local, export.line) for export in facts.exports if export.module]
        rows += [(star.module, "*", star.line) for star in facts.stars]
        for module, name, line in rows:
            if not module.startswith("."):
                continue
            if wanted is not None and name not in wanted and wanted.isdisjoint(_parts(module)):
                continue
            found = self._module(module, path)
            if isinstance(found, Found) and name not in ("", "*", "="):
                found = self._from_module(found, name)
            place = found.place if isinstance(found, Missing) else Place("", "")
            target = f"{name} from {module}" if name not in ("", "*", "=") else module
            yield Judged(IMPORT_MISSING, path, line, "", target, state_of(found), place)

    def _judge_loose(self, path: str, facts: FileFacts) -> Iterator[Judged]:
        for loose in facts.loose:
            if loose.guards & Guard.NAME or loose.name in self._ambient:
                continue
            place = Place(path, loose.name)
            yield Judged(NAME_UNRESOLVED, path, loose.line, loose.enclosing, loose.name, State.BROKEN, place)

    def _judge_use(self, path: str, facts: FileFacts, use: Use) -> Iterator[Judged]:
        if use.source in (SELF, TYPED):
            name, _, chain = use.target.partition("." if use.source == SELF else ":")
            owner = (
                self._members.named(path, name) if use.source == SELF else self._members.of_type(path, name)
            )
            if owner is not None:
                yield from self._judge_chain(path, use, owner, chain)
            return
        if use.source == LOCAL:
            first, _, member = use.target.partition(".")
            binding = self._names(path).get(first)
            local: Lookup = Found(path, binding) if binding is not None else UNKNOWN
            if member:
                yield from self._judge_below(path, use, local, member)
                return
            yield from self._judge_call(path, use, use.target, local)
            return
        fact = facts.imports[use.source]
        target = f"{fact.alias}.{use.target}" if use.target else fact.alias
        found = self._imported(fact, path)
        if fact.name == "*" and use.target and isinstance(found, Found) and found.module is not None:
            first, _, rest = use.target.partition(".")
            found = self._lookup(found.module, first)
            if not use.guards:
                place = found.place if isinstance(found, Missing) else Place("", "")
                yield Judged(MEMBER_MISSING, path, use.line, use.enclosing, target, state_of(found), place)
            if rest:
                yield from self._judge_below(path, use, found, rest)
                return
        elif use.target:
            yield from self._judge_below(path, use, found, use.target)
            return
        yield from self._judge_call(path, use, target, found)

    def _judge_below(self, path: str, use: Use, found: Lookup, rest: str) -> Iterator[Judged]:
        """Static members of a class, members of a constant with a written type."""
        owner = self._members.owner_of(found)
        if owner is not None and "." not in rest:
            if isinstance(found, Found) and found.binding is not None and found.binding.kind == "class":
                yield from self._judge_chain(path, use, owner, rest)
        elif isinstance(found, Found) and found.binding is not None and found.binding.kind == "variable":
            owner = self._members.of_type(found.path, found.binding.gives)
            if owner is not None:
                yield from self._judge_chain(path, use, owner, rest)

    def _judge_chain(self, path: str, use: Use, owner: Owner, chain: str) -> Iterator[Judged]:
        """Members of an instance: through typed fields to the last one, which is judged."""
        *fields, name = chain.split(".")
        for field in fields:
            above = self._members.field(owner, field)
            if above is None:
                return
            owner = above
        if use.guards or name in _EVERY_OBJECT:
            return
        found = self._members.attribute(owner, name)
        if isinstance(found, Missing) and self._members.below_has(owner.fact.name, name):
            found = UNKNOWN
        target = f"{owner.fact.name}.{name}"
        place = found.place if isinstance(found, Missing) else Place("", "")
        yield Judged(MEMBER_MISSING, path, use.line, use.enclosing, target, state_of(found), place)
        site = found.site() if isinstance(found, Found) else None
        if use.argc == NO_CALL or site is None or not isinstance(found, Found):
            return
        fault = misfit(site.signature, use) if site.signature is not None else None
        state = State.FINE if fault is None else State.BROKEN
        if (
            site.signature is None
            or site.kind == "property"
            or (fault is not None and self._members.below_fits(owner.fact.name, name, use))
        ):
            state = State.UNKNOWN
        place = Place(found.path, f"{found.holder}.{name}")
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, state, place, site, fault)

    def _judge_call(self, path: str, use: Use, target: str, found: Lookup) -> Iterator[Judged]:
        if use.argc == NO_CALL or use.guards or not isinstance(found, Found) or found.binding is None:
            return
        site = found.site()
        if site is None or site.kind != "function":
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

    def _module(self, specifier: str, importer: str) -> Lookup:
        """The file a relative specifier names."""
        if not specifier.startswith("."):
            return ELSEWHERE
        stem = posixpath.normpath(posixpath.join(posixpath.dirname(importer), specifier))
        if stem.startswith(".."):
            return UNKNOWN
        for path in _candidates(stem):
            if path in self._paths:
                return Found(module=path)
        folder, _, name = stem.rpartition("/")
        bare = posixpath.join(folder, name.split(".", 1)[0])
        if stem in self._paths or stem in self._directories or bare in self._stems or stem == ".":
            return UNKNOWN  # JavaScript, JSON, a component file: not read here
        return Missing(Place(stem, ""))

    # -- names --------------------------------------------------------------------------------------

    def _names(self, path: str) -> dict[str, Binding]:
        names = self._bindings.get(path)
        if names is None:
            facts = self._files.get(path)
            names = {binding.name: binding for binding in facts.bindings} if facts is not None else {}
            self._bindings[path] = names
        return names

    def _exported(self, path: str) -> dict[str, Export]:
        names = self._exports.get(path)
        if names is None:
            facts = self._files.get(path)
            names = {export.name: export for export in facts.exports} if facts is not None else {}
            self._exports[path] = names
        return names

    def _local(self, path: str, name: str) -> Lookup:
        """What a name at the top level of a file means there."""
        binding = self._names(path).get(name)
        facts = self._files.get(path)
        if binding is None or facts is None or facts.has_error:
            return UNKNOWN
        return (
            Found(path, binding)
            if binding.source < 0
            else self._imported(facts.imports[binding.source], path)
        )

    def _imported(self, fact: ImportFact, importer: str, hops: int = 0) -> Lookup:
        module = self._module(fact.module, importer)
        if not isinstance(module, Found) or fact.name in ("*", ""):
            return module
        return self._from_module(module, fact.name, hops) if fact.name != "=" else UNKNOWN

    def _from_module(self, module: Found, name: str, hops: int = 0) -> Lookup:
        return ELSEWHERE if module.module is None else self._lookup(module.module, name, hops)

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
        facts = self._files.get(module)
        if facts is None or facts.has_error or facts.opaque:
            return UNKNOWN
        export = self._exported(module).get(name)
        if export is not None:
            return self._export(module, facts, export, hops)
        if not facts.exports and not facts.stars and not facts.imports:
            return UNKNOWN  # a script or a file of declarations: what it gives is no export
        unknown = False
        for star in facts.stars if name != "default" else ():
            target = self._module(star.module, module)
            if not isinstance(target, Found) or target.module is None:
                unknown = True
                continue
            found = self._lookup(target.module, name, hops)
            if isinstance(found, Found):
                return found
            unknown = unknown or not isinstance(found, Missing)
        return UNKNOWN if unknown else Missing(Place(module, name))

    def _export(self, module: str, facts: FileFacts, export: Export, hops: int) -> Lookup:
        if export.module:
            target = self._module(export.module, module)
            if not isinstance(target, Found) or export.local == "*":
                return target
            return self._from_module(target, export.local, hops)
        binding = self._names(module).get(export.local)
        if binding is None:
            return Found(module)
        if binding.source < 0:
            return Found(module, binding)
        return self._imported(facts.imports[binding.source], module, hops)

    def site(self, place: Place) -> Site | None:
        """The definition or the export line at a place; the first line of a module."""
        if not place.name:
            file = next((path for path in _candidates(place.holder) if path in self._paths), None)
            return Site(file, 1, 1, "module") if file is not None else None
        class_name, _, member = place.name.rpartition(".")
        if class_name:
            return self._members.site(place.holder, class_name, member)
        export = self._exported(place.holder).get(place.name)
        local = export.local if export is not None and not export.module else place.name
        binding = self._names(place.holder).get(local)
        if binding is not None and (export is None or not export.module):
            return Found(place.holder, binding).site()
        if export is not None:
            return Site(place.holder, export.line, export.line, "export")
        if place.holder not in self._files:
            return None
        found = self._lookup(place.holder, place.name)
        return found.site() if isinstance(found, Found) else None


def _candidates(stem: str) -> list[str]:
    """The TypeScript files a specifier may mean, best first."""
    base, suffix = posixpath.splitext(stem)
    paths = [stem] if stem.endswith(_SUFFIXES) else []
    paths += [base + written for written in _WRITTEN_AS.get(suffix, ())]
    paths += [stem + ending for ending in _SUFFIXES]
    return paths + [posixpath.join(stem, "index" + ending) for ending in _SUFFIXES]


def _parts(module: str) -> list[str]:
    return [part.split(".", 1)[0] for part in module.split("/") if part not in (".", "..")]


def _mentions(facts: FileFacts, use: Use, wanted: frozenset[str]) -> bool:
    if not wanted.isdisjoint(_WORD.findall(use.target)):
        return True
    if use.source < 0:
        return False
    fact = facts.imports[use.source]
    return fact.name in wanted or not wanted.isdisjoint(_parts(fact.module))
