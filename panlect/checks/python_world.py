"""Python across files: package layout, imports, stars, re-exports, inherited methods."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator

from panlect.checks.call_fit import misfit, stricter
from panlect.checks.members import Members, Owner
from panlect.checks.paths import is_test
from panlect.checks.resolve import (
    ABSTRACT_MISSING,
    CALL_MISMATCH,
    ELSEWHERE,
    IMPORT_MISSING,
    MAX_HOPS,
    MEMBER_MISSING,
    NAME_UNRESOLVED,
    OVERRIDE_MISMATCH,
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
from panlect.code.facts import (
    LOCAL,
    NO_CALL,
    SELF,
    TYPED,
    Binding,
    ClassFact,
    FileFacts,
    Guard,
    ImportFact,
    Use,
)

# Modules that a build writes, so the repository lacks them.
_BUILT = re.compile(r"_?version_?\Z|_pb2|_generated|_build_info")
# Files that say: what stands beside me is a project of its own.
_WORD = re.compile(r"\w+")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "manage.py")


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
        self._replaced_in_tests = frozenset(
            name for path, facts in self._files.items() if is_test(path) for name in facts.replaced
        )
        self._init_is_patched = "__init__" in self._replaced or "__init__" in self._replaced_in_tests
        self._members = Members(self._files, self._names, self._lookup, self._imported)

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
        for fact in facts.classes:
            yield from self._judge_abstract(Owner(path, fact))
            yield from self._judge_overrides(Owner(path, fact), wanted)

    def _mentions(self, facts: FileFacts, use: Use, wanted: frozenset[str]) -> bool:
        if not wanted.isdisjoint(_WORD.findall(use.target)):
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
            class_name, _, chain = use.target.partition(".")
            owner = self._members.named(path, class_name)
            if owner is not None:
                yield from self._judge_chain(path, facts, use, owner, chain)
            return
        if use.source == TYPED:
            gives, _, chain = use.target.partition(":")
            owner = self._members.of_type(path, gives)
            if owner is not None:
                yield from self._judge_chain(path, facts, use, owner, chain)
            return
        if use.source == LOCAL:
            first, _, rest = use.target.partition(".")
            found: Lookup = self._lookup(path, first)
            target = use.target
            owner = self._members.owner_of(found)
            if owner is not None and rest:
                yield from self._judge_on_class(path, facts, use, owner, rest)
                return
        else:
            fact = facts.imports[use.source]
            found = self._imported(fact, path)
            target = f"{fact.alias}.{use.target}" if use.target else fact.alias
            if not isinstance(found, Found):
                return  # the import itself is judged
            if use.target:
                found, rest = self._member(found, use.target)
                if rest:
                    yield from self._judge_below(path, facts, use, found, rest)
                    return
                yield from self._judge_member(path, use, target, found)
        yield from self._judge_call(path, facts, use, target, found)

    def _judge_below(
        self, path: str, facts: FileFacts, use: Use, found: Lookup, rest: str
    ) -> Iterator[Judged]:
        """`rest` of a chain that left the modules: members of a class, or of a variable with a written type."""
        owner = self._members.owner_of(found)
        if owner is not None:
            yield from self._judge_on_class(path, facts, use, owner, rest)
        elif isinstance(found, Found) and found.binding is not None and found.binding.kind == "variable":
            owner = self._members.of_type(found.path, found.binding.gives)
            if owner is not None:
                yield from self._judge_chain(path, facts, use, owner, rest)

    def _judge_on_class(
        self, path: str, facts: FileFacts, use: Use, owner: Owner, rest: str
    ) -> Iterator[Judged]:
        """`C.member` and `C.method(...)`: of a plain method the first argument is the instance, so no call is judged."""
        if "." in rest:
            return
        found = self._members.attribute(owner, rest)
        on_instance = (
            isinstance(found, Found) and found.binding is not None and found.binding.kind == "method"
        )
        yield from self._judge_chain(
            path, facts, use._replace(argc=NO_CALL) if on_instance else use, owner, rest
        )

    def _judge_chain(
        self, path: str, facts: FileFacts, use: Use, owner: Owner, chain: str
    ) -> Iterator[Judged]:
        """Members of an instance: through typed fields to the last one, which is judged."""
        *fields, name = chain.split(".")
        for field in fields:
            above = (
                self._members.field(owner, field) if not self._comes_and_goes(path, facts, field) else None
            )
            if above is None:
                return
            owner = above
        if _is_dunder(name) or self._comes_and_goes(path, facts, name):
            return
        found = self._members.attribute(owner, name)
        target = f"{owner.fact.name}.{name}"
        if isinstance(found, Missing) and self._members.below_has(owner.fact.name, name):
            found = UNKNOWN
        yield from self._judge_member(path, use, target, found)
        if isinstance(found, Found) and found.binding is not None:
            yield from self._judge_method(path, use, target, owner, found)

    def _judge_method(self, path: str, use: Use, target: str, owner: Owner, found: Found) -> Iterator[Judged]:
        site, binding = found.site(), found.binding
        if use.argc == NO_CALL or use.guards & Guard.CALL or site is None or binding is None:
            return
        if binding.kind not in ("method", "classmethod", "staticmethod"):
            return
        place = Place(found.path, f"{found.holder}.{binding.name}")
        fault = misfit(site.signature, use) if site.signature is not None else None
        state = State.FINE if fault is None else State.BROKEN
        if site.signature is None or (
            fault is not None and self._members.below_fits(owner.fact.name, binding.name, use)
        ):
            state = State.UNKNOWN
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, state, place, site, fault)

    def _comes_and_goes(self, path: str, facts: FileFacts, name: str) -> bool:
        """Whether a member of this name is stored, patched or looked up by string on objects of unknown type."""
        if name in self._replaced or name in facts.replaced:
            return True
        return is_test(path) and name in self._replaced_in_tests

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
        owner = self._members.owner_of(found)
        if owner is not None:
            yield from self._judge_making(path, facts, use, target, owner)
            return
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

    def _judge_making(
        self, path: str, facts: FileFacts, use: Use, target: str, owner: Owner
    ) -> Iterator[Judged]:
        """The arguments of `C(...)`, where `__init__` is written and nothing else has a hand in it."""
        if (
            target.rsplit(".", 1)[-1] in facts.replaced
            or "__init__" in self._replaced | self._replaced_in_tests
        ):
            return
        found = self._members.attribute(owner, "__init__")
        if not isinstance(found, Found) or self._members.has_own_making(owner) or owner.fact.opaque:
            return
        if found.binding is not None:
            yield from self._judge_method(path, use, target, owner._replace(fact=_leaf(owner.fact)), found)

    def _judge_abstract(self, owner: Owner) -> Iterator[Judged]:
        """Whether a class which is made, or that nothing derives from, defines all that is abstract above it."""
        fact = owner.fact
        if not fact.bases or fact.abstract:
            return
        below = next(self._members.below(fact.name), None)
        made = self._members.is_made(fact.name)
        if below is not None and not made:
            return
        above = self._members.abstract_above(owner)
        if above is None:
            return
        lacks = next((name for name, (_, defined) in above.items() if not defined), "")
        yield Judged(
            ABSTRACT_MISSING,
            owner.path,
            fact.line,
            fact.name,
            fact.name,
            State.BROKEN if lacks else State.FINE,
            Place(owner.path, f"{fact.name}.{lacks}"),
            above[lacks][0].site() if lacks else None,
            only_if_fine_before=not made,
        )

    def _judge_overrides(self, owner: Owner, wanted: frozenset[str] | None) -> Iterator[Judged]:
        """Methods that no longer take what the method they override takes."""
        for binding in owner.fact.methods:
            name = binding.name
            if binding.signature is None or _is_dunder(name) or not (wanted is None or name in wanted):
                continue
            over = self._members.overridden(owner, name)
            if over is None or over.binding is None or over.binding.kind != binding.kind:
                continue
            place = Place(over.path, f"{over.holder}.{name}")
            target = f"{owner.fact.name}.{name}"
            fault = (
                stricter(over.binding.signature, binding.signature)
                if over.binding.signature is not None
                else None
            )
            state = State.BROKEN if fault is not None else State.FINE
            if over.binding.signature is None:
                state = State.UNKNOWN
            yield Judged(
                OVERRIDE_MISMATCH,
                owner.path,
                binding.line,
                target,
                target,
                state,
                place,
                over.site(),
                fault,
                only_if_fine_before=True,
            )

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

    def _member(self, start: Found, chain: str) -> tuple[Lookup, str]:
        """Follow `a.b.c` from what is imported as long as it leads through modules; what it comes to, and the rest."""
        current: Lookup = start
        parts = chain.split(".")
        for number, part in enumerate(parts):
            if not isinstance(current, Found):
                return current, ""
            if current.module is None:
                return current, ".".join(parts[number:])
            current = self._lookup(current.module, part)
        return current, ""

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
        class_name, _, member = place.name.rpartition(".")
        if class_name:
            return self._members.site(place.holder, class_name, member)
        binding = self._names(place.holder).get(place.name)
        if binding is not None:
            return Found(place.holder, binding).site()
        if place.holder not in self._files:
            return None
        found = self._lookup(place.holder, place.name)
        return found.site() if isinstance(found, Found) else None


def _leaf(fact: ClassFact) -> ClassFact:
    """The class as one that nothing derives from: whoever writes `C(...)` makes a C and no subclass."""
    return fact._replace(name="")


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _import_mentions(fact: ImportFact, wanted: frozenset[str]) -> bool:
    return fact.name in wanted or not wanted.isdisjoint(fact.module.split("."))


def _star_brings(source: FileFacts, name: str) -> bool:
    return not name.startswith("_") if source.listed is None else name in source.listed


def _is_folder(module: str) -> bool:
    return not module.endswith(".py")


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
