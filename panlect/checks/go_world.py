"""Go across files: a directory is a package, go.mod says which import paths are ours.

Files of one directory are united whatever their build tags: more is bound than in any one build, which
can only keep a check silent.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from panlect.checks.call_fit import misfit
from panlect.checks.paths import is_foreign, is_sample
from panlect.checks.resolve import (
    CALL_MISMATCH,
    ELSEWHERE,
    IMPORT_MISSING,
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
from panlect.code.facts import LOCAL, NO_CALL, TYPED, Binding, ClassFact, FileFacts, Guard, Use

_MAX_EMBEDDED = 8
_WORD = re.compile(r"\w+")
_MODULE = re.compile(rb"^module\s+\"?([^\s\"/][^\s\"]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Module:
    path: str  # as imports write it
    folder: str
    text: bytes


class _Owner(NamedTuple):
    """A type and the file that declares it. `in_tests`: asked for by a test, which sees what test files add."""

    home: str
    name: str
    in_tests: bool


class GoWorld:
    """The Go files of one revision."""

    def __init__(self, view: RepositoryView) -> None:
        everything = view.all_facts()
        self._files = {path: facts for path, facts in everything.items() if facts.language == "go"}
        paths = view.paths()
        self._unread = {posixpath.dirname(p) for p in paths if p.endswith(".go") and p not in self._files}
        self._folders: dict[str, list[str]] = {}
        for path in sorted(self._files):
            self._folders.setdefault(posixpath.dirname(path), []).append(path)
        self._workspace = any(posixpath.basename(path) == "go.work" for path in paths)
        self._modules = self._read_modules(view)
        self._scopes: dict[tuple[str, str, bool], dict[str, list[tuple[str, Binding]]] | None] = {}

    def _read_modules(self, view: RepositoryView) -> tuple[_Module, ...]:
        found = []
        for path in view.paths():
            if posixpath.basename(path) != "go.mod" or is_foreign(path) or is_sample(path):
                continue
            text = view.text(path)
            named = _MODULE.search(text)
            if named is not None:
                found.append(
                    _Module(named.group(1).decode("utf-8", "replace"), posixpath.dirname(path), text)
                )
        return tuple(sorted(found, key=lambda module: (-len(module.path), module.folder)))

    # -- judging ------------------------------------------------------------------------------------

    def judge(self, path: str, wanted: frozenset[str] | None) -> Iterator[Judged]:
        """Every import of ours, loose name, `pkg.Name` and call that mentions one of `wanted`."""
        facts = self._files.get(path)
        if facts is None or facts.has_error or facts.generated or is_foreign(path) or is_sample(path):
            return
        yield from self._judge_imports(path, facts, wanted)
        yield from self._judge_loose(path, facts, wanted)
        for use in facts.uses:
            if wanted is None or _mentions(facts, use, wanted):
                yield from self._judge_use(path, facts, use)

    def _judge_imports(self, path: str, facts: FileFacts, wanted: frozenset[str] | None) -> Iterator[Judged]:
        for fact in facts.imports:
            if wanted is not None and wanted.isdisjoint(fact.module.split("/")):
                continue
            folder = self._folder(fact.module, path)
            found: Lookup = ELSEWHERE if folder is None else Found(module=folder)
            if folder is not None and folder not in self._folders and folder not in self._unread:
                found = Missing(Place(folder, ""))
            place = found.place if isinstance(found, Missing) else Place("", "")
            yield Judged(IMPORT_MISSING, path, fact.line, "", fact.module, state_of(found), place)

    def _judge_loose(self, path: str, facts: FileFacts, wanted: frozenset[str] | None) -> Iterator[Judged]:
        scope = self._visible(path, facts)
        for loose in facts.loose:
            if loose.guards & Guard.NAME or (wanted is not None and loose.name not in wanted):
                continue
            if scope is None:
                state = State.UNKNOWN
            else:
                state = State.FINE if loose.name in scope else self._through_dots(path, facts, loose.name)
            place = Place(posixpath.dirname(path), loose.name)
            yield Judged(NAME_UNRESOLVED, path, loose.line, loose.enclosing, loose.name, state, place)

    def _through_dots(self, path: str, facts: FileFacts, name: str) -> State:
        """Whether dot imports of our own packages bring the name; what is outside is weighed by the caller."""
        state = State.BROKEN
        for star in facts.stars:
            folder = self._folder(star.module, path)
            if folder is None:
                continue
            scope = self._package(folder)
            if scope is not None and name in scope:
                return State.FINE
            state = State.UNKNOWN if scope is None else state
        return state

    def _judge_use(self, path: str, facts: FileFacts, use: Use) -> Iterator[Judged]:
        if use.source == TYPED:
            yield from self._judge_typed(path, facts, use)
            return
        if use.source == LOCAL:
            scope = self._visible(path, facts)
            if scope is not None and use.target in scope:
                yield from self._judge_call(path, use, use.target, scope[use.target])
            return
        fact = facts.imports[use.source]
        folder = self._folder(fact.module, path)
        if folder is None or not use.target[:1].isupper():
            return
        target = f"{fact.alias}.{use.target}"
        scope = self._package(folder)
        if scope is None:
            state, place = State.UNKNOWN, Place("", "")
        elif use.target in scope:
            state, place = State.FINE, Place("", "")
        else:
            state, place = State.BROKEN, Place(folder, use.target)
        yield Judged(MEMBER_MISSING, path, use.line, use.enclosing, target, state, place)
        if scope is not None and use.target in scope:
            yield from self._judge_call(path, use, target, scope[use.target])

    def _judge_call(
        self, path: str, use: Use, target: str, bindings: list[tuple[str, Binding]]
    ) -> Iterator[Judged]:
        if use.argc == NO_CALL or any(binding.kind != "function" for _, binding in bindings):
            return
        home, binding = bindings[0]
        place = Place(posixpath.dirname(home), binding.name)
        if binding.signature is None or len({other.signature for _, other in bindings}) > 1:
            yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, State.UNKNOWN, place)
            return
        fault = misfit(binding.signature, use)
        state = State.FINE if fault is None else State.BROKEN
        site = Found(home, binding).site()
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, state, place, site, fault)

    # -- members ------------------------------------------------------------------------------------

    def _judge_typed(self, path: str, facts: FileFacts, use: Use) -> Iterator[Judged]:
        """A field or method of something whose type is written down, through fields to the last one."""
        gives, _, chain = use.target.partition(":")
        owner = self._of_type(path, facts, gives)
        *fields, name = chain.split(".")
        for field in fields:
            owner = self._field(owner, field) if owner is not None else None
        if owner is None:
            return
        found = self._member(owner, name, 0)
        target = f"{owner.name}.{name}"
        place = found.place if isinstance(found, Missing) else Place("", "")
        yield Judged(MEMBER_MISSING, path, use.line, use.enclosing, target, state_of(found), place)
        site = found.site() if isinstance(found, Found) else None
        if use.argc == NO_CALL or site is None or site.signature is None or not isinstance(found, Found):
            return
        fault = misfit(site.signature, use)
        state = State.FINE if fault is None else State.BROKEN
        place = Place(posixpath.dirname(found.path), f"{found.holder}.{name}")
        yield Judged(CALL_MISMATCH, path, use.line, use.enclosing, target, state, place, site, fault)

    def _of_type(self, path: str, facts: FileFacts, gives: str, hops: int = 0) -> _Owner | None:
        """The type that is written in a file, or that calling a function of ours gives."""
        called = gives.endswith("()")
        qualifier, _, name = gives.removesuffix("()").rpartition(".")
        if hops > 3 or not name:
            return None
        if qualifier:
            fact = next((fact for fact in facts.imports if fact.alias == qualifier), None)
            folder = self._folder(fact.module, path) if fact is not None else None
            scope = self._package(folder) if folder is not None else None
        else:
            scope = self._visible(path, facts)
        bindings = scope.get(name, []) if scope is not None else []
        if len(bindings) != 1 or bindings[0][1].multiple:
            return None
        home, binding = bindings[0]
        if called and binding.kind == "function":
            return self._of_type(home, self._files[home], binding.gives, hops + 1)
        return (
            _Owner(home, name, path.endswith("_test.go")) if binding.kind == "type" and not called else None
        )

    def _parts(self, owner: _Owner) -> list[tuple[str, ClassFact]] | None:
        """What the files of its package say of a type; None where one of them is not known."""
        package, folder = self._files[owner.home].package, posixpath.dirname(owner.home)
        tested = owner.in_tests or owner.home.endswith("_test.go")
        if self._scope(folder, package, tested) is None:
            return None
        return [
            (path, fact)
            for path in self._folders.get(folder, ())
            if self._files[path].package == package and (tested or not path.endswith("_test.go"))
            for fact in self._files[path].classes
            if fact.name == owner.name
        ]

    def _member(self, owner: _Owner, name: str, depth: int) -> Lookup:
        """A field or method, its own or of what it embeds."""
        parts = self._parts(owner)
        if parts is None or depth > _MAX_EMBEDDED:
            return UNKNOWN
        methods = [(path, m) for path, fact in parts for m in fact.methods if m.name == name]
        if methods:
            path, method = methods[0]
            same = len({other.signature for _, other in methods}) == 1
            return Found(path, method if same else None, holder=owner.name)
        for path, fact in parts:
            if name in fact.attributes:
                return Found(path, holder=owner.name)
        for path, fact in parts:
            if fact.opaque:
                return UNKNOWN
            for base in fact.bases:
                above = self._of_type(path, self._files[path], base)
                found = self._member(above, name, depth + 1) if above is not None else UNKNOWN
                if not isinstance(found, Missing):
                    return found
        return Missing(Place(posixpath.dirname(owner.home), f"{owner.name}.{name}"))

    def _field(self, owner: _Owner, name: str) -> _Owner | None:
        for path, fact in self._parts(owner) or ():
            gives = next((said for field, said in fact.fields if field == name), "")
            if gives:
                found = self._of_type(path, self._files[path], gives)
                return found._replace(in_tests=owner.in_tests) if found is not None else None
        return None

    # -- packages -----------------------------------------------------------------------------------

    def _folder(self, import_path: str, importer: str) -> str | None:
        """The directory of an import path of ours; None outside, or where another version may be meant."""
        for module in self._modules:
            if import_path != module.path and not import_path.startswith(module.path + "/"):
                continue
            own = self._module_around(importer)
            if own is None:
                return None
            replaced = b"replace" in own.text and module.path.encode() in own.text
            if own.path != module.path and not self._workspace and not replaced:
                return None  # required at a published version, not as it stands here
            return posixpath.join(module.folder, import_path[len(module.path) + 1 :]).rstrip("/")
        return None

    def _module_around(self, path: str) -> _Module | None:
        around = [
            module for module in self._modules if not module.folder or path.startswith(module.folder + "/")
        ]
        return max(around, key=lambda module: len(module.folder), default=None)

    def _package(self, folder: str) -> dict[str, list[tuple[str, Binding]]] | None:
        """What an importer sees of a directory; None when it cannot be known."""
        names = {self._files[path].package for path in self._folders.get(folder, ())}
        names = {name for name in names if not name.endswith("_test")}
        if len(names) > 1:
            names.discard("main")
        return self._scope(folder, names.pop(), False) if len(names) == 1 else None

    def _visible(self, path: str, facts: FileFacts) -> dict[str, list[tuple[str, Binding]]] | None:
        return self._scope(posixpath.dirname(path), facts.package, path.endswith("_test.go"))

    def _scope(
        self, folder: str, package: str, with_tests: bool
    ) -> dict[str, list[tuple[str, Binding]]] | None:
        key = (folder, package, with_tests)
        if key in self._scopes:
            return self._scopes[key]
        files = [
            path
            for path in self._folders.get(folder, ())
            if self._files[path].package == package and (with_tests or not path.endswith("_test.go"))
        ]
        known = folder not in self._unread and not any(self._files[path].has_error for path in files)
        scope: dict[str, list[tuple[str, Binding]]] = {}
        for path in files:
            for binding in self._files[path].bindings:
                scope.setdefault(binding.name, []).append((path, binding))
        self._scopes[key] = scope if known else None
        return self._scopes[key]

    def site(self, place: Place) -> Site | None:
        """The definition of a name or a member in a directory; the first line of its first file."""
        type_name, _, member = place.name.rpartition(".")
        if type_name:
            return self._member_site(place.holder, type_name, member)
        for path in self._folders.get(place.holder, ()):
            if not place.name:
                return Site(path, 1, 1, "module")
            for binding in self._files[path].bindings:
                if binding.name == place.name:
                    return Found(path, binding).site()
        return None

    def _member_site(self, folder: str, type_name: str, member: str) -> Site | None:
        for path in self._folders.get(folder, ()):
            if any(binding.name == type_name for binding in self._files[path].bindings):
                found = self._member(_Owner(path, type_name, True), member, 0)
                return found.site() if isinstance(found, Found) else None
        return None


def _mentions(facts: FileFacts, use: Use, wanted: frozenset[str]) -> bool:
    if not wanted.isdisjoint(_WORD.findall(use.target)):
        return True
    return use.source >= 0 and not wanted.isdisjoint(facts.imports[use.source].module.split("/"))
