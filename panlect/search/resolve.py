"""Which definition a reference means, with how sure that is: imports, receivers, scopes; then names alone.

A `Resolver` serves one snapshot and remembers what it learnt of files and modules. The columns tell the word
before a dot; the rest of `a.b.c` and what a function binds for itself are read from the text around the line.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from panlect.code.analysis import Definition, Import, Reference
from panlect.code.languages import language_by_name
from panlect.code.packed import references_of, symbols_of
from panlect.index.snapshot import DefinitionSite, Snapshot
from panlect.search.families.layout import Module, shared_folders
from panlect.search.modules import Modules
from panlect.search.names import FileNames, is_visible, read_names, scopes_around
from panlect.search.spelling import (
    LONGEST_LINE,
    bound_names,
    chain_before,
    exported_as,
    go_receiver,
    is_parameter,
    is_word,
    parameter_type,
    with_lines_above,
)

MOST_CANDIDATES: Final = 20
SURE: Final = 0.8  # from this confidence on, syntax and imports tell; below, the name alone does
MOST_EXAMINED: Final = 2_000  # references of one name
_MAX_HOPS = 5  # from file to file, or from class to base
_MOST_STEPS = 400  # looked at for one name that files pass on: a star may lead everywhere
_MOST_PENDING = 40  # lookups that wait for one another
_MOST_FILES_OF_NAME = 500  # that are looked through for one name
_LONGEST_BODY = 3_000  # lines of a function that are read for what it binds
_KEPT_FILES = 4_000
_KEPT_BYTES = 32 * 1024 * 1024  # of text
_KEPT_TEXTS = 256
_REMEMBERED = 100_000

_OWN, _IMPORTED, _MEMBER, _PACKAGE = 1.0, 0.95, 0.9, 0.8
_BY_NAME = 0.5  # shared by all that bear it

_TYPES = frozenset({"class", "interface", "type"})
_CLASSES = _TYPES | {"extension"}
_FUNCTIONS = frozenset({"function", "method"})
_SELVES = frozenset({"self", "cls", "this", "Self", "static", "$this"})
_BASES = frozenset({"super", "parent", "base"})
# Where a member is called without naming the class around it.
_BARE_MEMBERS = frozenset({"jvm", "csharp", "swift", "c", "ruby"})
# Where a loose name can come from a file that nobody imports.
_GLOBAL_NAMES = frozenset({"c", "ruby", "php", "swift", "jvm", "csharp"})
# Where a type has members in other files than its own.
_SPREAD = frozenset({"go", "rust", "swift", "c", "csharp", "ruby", "jvm"})
_NAMESPACED = frozenset({"jvm", "csharp", "php"})
_SCRIPTS = frozenset({"typescript", "javascript"})
_SUPER = ("super",)
_KIND_FIT = {
    "call": frozenset({"function", "method", "class"}),
    "type": _TYPES,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A definition that a reference may mean. `confidence` is in (0, 1], `reason` says what tells it."""

    path: str
    definition: Definition
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a reference may mean, the likeliest first. `external`: it comes from outside the repository."""

    candidates: tuple[Candidate, ...] = ()
    external: bool = False


class ResolvedUse(NamedTuple):
    """A reference that means the definition asked for, as surely as `confidence` says."""

    path: str
    line: int
    enclosing: str
    kind: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Uses:
    """The uses of a definition, by path and line. `cut`: there are more references than were examined."""

    sites: tuple[ResolvedUse, ...]
    examined: int
    cut: bool


class _Site(NamedTuple):
    """A definition and its file."""

    path: str
    definition: Definition


class _Bound(NamedTuple):
    """A module, package or namespace that a name stands for, as the file `importer` calls it."""

    importer: str
    name: str
    module: Module


_Target = _Site | _Bound
_Mark = tuple[str, str, str]


class _Answer(NamedTuple):
    """What a name leads to, how surely, and why. `external`: out of the repository; `local`: to no definition."""

    targets: tuple[_Target, ...] = ()
    confidence: float = 0.0
    reason: str = ""
    external: bool = False
    local: bool = False


_NOTHING = _Answer()
_EXTERNAL = _Answer(external=True)
_LOCAL = _Answer(local=True)


class Resolver:
    """Resolves the references of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.modules = Modules(snapshot)
        self._snapshot = snapshot
        self._files: OrderedDict[str, FileNames] = OrderedDict()
        self._lines: OrderedDict[str, list[str]] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of the texts in `_lines`
        self._size = 0
        self._defining: dict[str, tuple[str, ...]] = {}
        self._sets: OrderedDict[int, tuple[Sequence[str], frozenset[str]]] = OrderedDict()
        self._named: dict[tuple[str, str], Sequence[tuple[_Site, bool]]] = {}
        self._exports: dict[tuple[str, str], tuple[_Target, ...]] = {}
        self._inherited: dict[tuple[str, str, str, bool], tuple[_Site, ...]] = {}
        self._bound: OrderedDict[tuple[str, int], dict[str, int]] = OrderedDict()
        self._bases_of: dict[_Mark, list[_Site]] = {}
        self._pending: set[_Mark] = set()  # what is being found: asked again, it is a cycle
        self._cycles = 0  # what was found while this grew is not the whole answer, and not remembered
        self._aliases: dict[str, dict[str, set[str]]] | None = None

    # What it is asked

    def resolve(self, path: str, reference: Reference) -> Resolution:
        """What a reference in `path` may mean; nothing where it names a local variable or is too common."""
        if not reference.name:
            return Resolution()
        file = self._file(path)
        chain = self._chain(file, reference)
        importing = file.importing.get((reference.line, reference.name))
        if importing is not None and reference.kind == "name":  # Rust and C++ see uses in the import itself
            targets, external = self._target(path, importing)
            answer = _Answer(targets, _IMPORTED, "named by this import", external, local=True)
        elif chain:
            answer = self._dotted(file, reference, chain)
        else:
            answer = self._bare(file, reference, reference.name)
        sites = [target for target in answer.targets if isinstance(target, _Site)]
        if answer.targets and not sites:
            sites = self._stand_for(answer.targets, reference.name)
        if sites:
            return Resolution(_candidates(sites, answer.confidence, answer.reason, reference.kind))
        if answer.external:
            return Resolution(external=True)
        if answer.local or answer.targets:
            return Resolution()
        return Resolution(self._by_name(file, reference, dotted=bool(chain)))

    def meant(self, path: str, name: str, line: int) -> list[DefinitionSite] | None:
        """What the uses of a name on a line surely mean, [] for one from outside; None when that is not sure."""
        found: dict[DefinitionSite, None] = {}
        external = False
        for reference in self._references(path, name):
            if reference.line == line:
                answer = self.resolve(path, reference)
                external = external or answer.external
                sure = [one for one in answer.candidates if one.confidence >= SURE]
                found.update(dict.fromkeys(DefinitionSite(one.path, one.definition) for one in sure))
        return list(found) if found or external else None

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read the texts of many files at once: what is resolved in them next needs them."""
        wanted: list[str] = []
        size = 0
        for path in dict.fromkeys(paths):
            entry = self._snapshot.entry(path)
            if path not in self._lines and entry is not None and len(wanted) < _KEPT_TEXTS:
                size += max(0, entry.size)
                if size > _KEPT_BYTES:
                    break
                wanted.append(path)
        if wanted:
            for path, content in self._snapshot.texts(wanted).items():
                self._keep_lines(path, content)

    def uses_of_definition(self, path: str, definition: Definition) -> Uses:
        """Every reference that may mean this definition, also under the names that imports give it."""
        found: list[ResolvedUse] = []
        examined = 0
        cut = False
        for batch in _batches(self._using(path, definition), _KEPT_TEXTS):
            self.read_ahead(used for used, _ in batch)
            for used, name in batch:
                for reference in self._references(used, name):
                    if examined >= MOST_EXAMINED:
                        cut = True
                        break
                    examined += 1
                    for one in self.resolve(used, reference).candidates:
                        if one.path == path and _same(one.definition, definition):
                            row = (used, reference.line, reference.enclosing, reference.kind, one.confidence)
                            found.append(ResolvedUse(*row))
                            break
            if cut:
                break
        return Uses(tuple(sorted(set(found))), examined, cut)

    def _using(self, path: str, definition: Definition) -> Iterator[tuple[str, str]]:
        """(file, name) that may use a definition; its own file first, then the nearest."""
        rows = {(used, definition.name) for used in self._snapshot.files_using(definition.name)}
        for alias, files in self._aliases_of(definition.name).items():
            rows.update((used, alias) for used in files)
        if language_by_name(path).family in _SCRIPTS:
            for alias, files in self._aliases_of("default").items():
                rows.update((used, alias) for used in files)
            for alias, files in self._aliases_of("").items():
                rows.update((used, alias) for used in files if self._may_call_module(used, alias, path))
        yield from sorted(rows, key=lambda row: (row[0] != path, -shared_folders(path, row[0]), row))

    def _may_call_module(self, used: str, alias: str, path: str) -> bool:
        bound = self._file(used).imports.get(alias, ())
        return any(path in self.modules.find(used, b.imported.module).files for b in bound)

    def _references(self, path: str, name: str) -> Iterator[Reference]:
        column = self._snapshot.symbols(path)
        if column is not None:
            yield from references_of(symbols_of(column)).rows(self._snapshot.definitions(path), name)

    def _aliases_of(self, name: str) -> dict[str, set[str]]:
        """Alias -> files that import `name` under it."""
        if self._aliases is None:
            self._aliases = {}
            for entry in self._snapshot.analysable():
                for one in self._snapshot.imports(entry.path):
                    if one.alias and one.alias not in (one.name, ".", "_"):
                        under = self._aliases.setdefault(one.name, {})
                        under.setdefault(one.alias, set()).add(entry.path)
        return self._aliases.get(name, {})

    # Files

    def _file(self, path: str) -> FileNames:
        found = self._files.get(path)
        if found is None:
            found = read_names(self._snapshot, path)
            self._files[path] = found
            if len(self._files) > _KEPT_FILES:
                self._files.popitem(last=False)
        return found

    def _text_lines(self, path: str) -> list[str]:
        found = self._lines.get(path)
        if found is None:
            content = self._snapshot.text(path) if self._snapshot.exists(path) else b""
            found = self._keep_lines(path, content)
        return found

    def _keep_lines(self, path: str, content: bytes) -> list[str]:
        found = content.decode("utf-8", "replace").split("\n")
        self._lines[path] = found
        self._sizes[path] = len(content)
        self._size += len(content)
        while len(self._lines) > _KEPT_TEXTS or (self._size > _KEPT_BYTES and len(self._lines) > 1):
            oldest, _ = self._lines.popitem(last=False)
            self._size -= self._sizes.pop(oldest)
        return found

    def _files_defining(self, name: str) -> tuple[str, ...]:
        found = self._defining.get(name)
        if found is None:
            found = self._snapshot.files_defining(name)
            if len(self._defining) < _REMEMBERED:
                self._defining[name] = found
        return found

    # The text around a reference

    def _chain(self, file: FileNames, reference: Reference) -> tuple[str, ...]:
        """The words before a name, outermost first; () for a bare one, "" first where no plain word begins it."""
        lines = self._text_lines(file.path)
        known = (reference.receiver,) if reference.receiver else ()
        if not 0 < reference.line <= len(lines) or len(lines[reference.line - 1]) > LONGEST_LINE:
            return known
        line, name = lines[reference.line - 1], reference.name
        if not reference.receiver and line.lstrip().startswith((".", "?.", "->", "::")):
            line = with_lines_above(lines, reference.line)
        found: list[tuple[str, ...]] = []
        at = line.find(name)
        while at >= 0:
            end = at + len(name)
            if not (is_word(line, at - 1) or is_word(line, end)):
                chain = chain_before(line, at)
                if (chain[-1] if chain and chain != _SUPER else "") == reference.receiver.lstrip("$"):
                    found.append(chain)
            at = line.find(name, end)
        if not found:
            return known or (("",) if reference.kind == "attribute" else ())
        if reference.kind == "attribute":
            return next((chain for chain in found if chain), ("",))
        return min(found, key=len) if reference.receiver == "" else found[0]

    def _is_bound_locally(self, file: FileNames, function: Definition, name: str, line: int) -> bool:
        """Whether a function has a parameter or variable of this name at a line, as far as its text tells."""
        if is_parameter(file.family, function.signature, name):
            return True
        key = (file.path, function.start_line)
        found = self._bound.get(key)
        if found is None:
            first, last = function.start_line, min(function.end_line, function.start_line + _LONGEST_BODY)
            found = bound_names(file.family, self._text_lines(file.path)[first - 1 : last], first)
            self._bound[key] = found
            if len(self._bound) > _KEPT_FILES:
                self._bound.popitem(last=False)
        return found.get(name, line) < line

    # Bare names

    def _bare(self, file: FileNames, reference: Reference, name: str) -> _Answer:
        """A name without a receiver: scopes from the inside out, imports, then what needs no import."""
        prefixes = scopes_around(reference.enclosing)
        for scope in prefixes:
            answer = self._in_scope(file, reference, scope, name)
            if answer is not None:
                return answer
        own = file.members.get(("", name), [])
        for space in file.namespaces:
            if space not in prefixes and file.family in _NAMESPACED:
                own = own + file.members.get((space, name), [])
        bound = self._imported(file, reference, name)
        if own:
            sites = tuple(_Site(file.path, one) for one in own)
            plain = [site for site in sites if site.definition.kind not in ("extension", "module")]
            if plain or file.family not in ("rust", "swift", "c") or not bound.targets:
                if plain:
                    return _Answer(tuple(plain), _OWN, "defined in this file")
                module = self._declared_module(file, name)
                if module is not None:
                    return module
                if file.family not in ("rust", "swift", "go", "c"):
                    return _Answer(sites, _OWN, "defined in this file")
        if bound.targets or bound.external or bound.local:
            return bound
        return self._without_import(file, reference, name)

    def _in_scope(self, file: FileNames, reference: Reference, scope: str, name: str) -> _Answer | None:
        """What one scope around a reference says of a name; None when it says nothing."""
        around = file.qualified.get(scope, ())
        is_class = any(d.kind in _CLASSES for d in around)
        inside = [d for d in around if d.start_line <= reference.line <= d.end_line]
        if any(d.kind in _FUNCTIONS for d in around):
            own = file.members.get((scope, name))
            if own:
                return _Answer(
                    tuple(_Site(file.path, d) for d in own), _OWN, "defined in the function around it"
                )
            if reference.kind != "type":
                holding = [d for d in inside if d.kind in _FUNCTIONS]
                nearest = min(holding, key=lambda d: d.end_line - d.start_line, default=None)
                if nearest is not None and self._is_bound_locally(file, nearest, name, reference.line):
                    return _LOCAL
            owner = scope.rpartition(".")[0]
            if owner and not file.qualified.get(owner) and file.family in _BARE_MEMBERS:
                return self._bare_member(file, owner, name)  # `Cart::total` outside its class
            return None
        if is_class:
            if file.family in _BARE_MEMBERS:
                return self._bare_member(file, scope, name)
            own = file.members.get((scope, name), [])
            seen = reference.enclosing == scope or (file.family == "php" and reference.kind == "type")
            if own and seen:
                return _Answer(
                    tuple(_Site(file.path, d) for d in own), _OWN, "defined in the class around it"
                )
            return None
        own = file.members.get((scope, name), [])
        if own:
            return _Answer(
                tuple(_Site(file.path, d) for d in own), _OWN, "defined in the namespace around it"
            )
        return None

    def _bare_member(self, file: FileNames, owner: str, name: str) -> _Answer | None:
        found: list[_Site] = []
        for site in self._owners(file, owner):
            found += self._member(site, name)
        return _Answer(tuple(dict.fromkeys(found)), _OWN, "member of the class around it") if found else None

    def _declared_module(self, file: FileNames, name: str) -> _Answer | None:
        """`mod name;` of Rust: the file of that module."""
        if file.family != "rust" or not any(d.kind == "module" for d in file.members.get(("", name), ())):
            return None
        module = self.modules.find(file.path, f"self::{name}")
        return _Answer((_Bound(file.path, f"self::{name}", module),), _OWN, "module of this file")

    def _imported(self, file: FileNames, reference: Reference, name: str) -> _Answer:
        """What the imports of a file bind a name to, its stars last."""
        rows = [row for row in file.imports.get(name, ()) if is_visible(row.scope, reference.enclosing)]
        targets: list[_Target] = []
        outside = False
        for row in rows[:MOST_CANDIDATES]:
            found, external = self._target(file.path, row.imported)
            targets += found
            outside = outside or external
        if targets:
            return _Answer(tuple(dict.fromkeys(targets)), _IMPORTED, "imported by name")
        if outside:
            return _EXTERNAL
        if rows:
            return _LOCAL  # imported from a module that is here and does not define it as far as is known
        if file.family == "c" and not self._files_defining(name):
            return _NOTHING  # includes give no name a second one: no need to walk them all
        outside = False
        for row in file.stars:
            if not is_visible(row.scope, reference.enclosing):
                continue
            found, external = self._star(file.path, row.imported, name)
            targets += found
            outside = outside or external
            if found:
                break
        if targets:
            how = _MEMBER if file.family == "c" else _IMPORTED
            return _Answer(tuple(dict.fromkeys(targets)), how, "imported with all of its module")
        return _NOTHING

    def _star(self, path: str, imported: Import, name: str) -> tuple[tuple[_Target, ...], bool]:
        module = self.modules.find(path, imported.module)
        if not module.known:
            return (), True
        return self._from_module(path, imported.module, module, name, as_star=True), False

    def _target(self, path: str, imported: Import) -> tuple[tuple[_Target, ...], bool]:
        """What an import binds, and whether that is outside the repository."""
        module = self.modules.find(path, imported.module)
        bound = imported.module
        family = language_by_name(path).family
        if family == "python" and not imported.name and not imported.alias and "." in bound.lstrip("."):
            bound = bound.partition(".")[0]  # `import a.b` binds a
            module = self.modules.find(path, bound)
        if not imported.name:
            if module.within and family != "rust":
                sites = self._in_files(module.files, module.within)
                return (tuple(sites), False) if sites else ((), False)
            if module.within and (sites := self._in_files(module.files, module.within)):
                return tuple(sites), False
            return ((_Bound(path, bound, module),), False) if module.known else ((), True)
        found = self._from_module(path, imported.module, module, imported.name) if module.known else ()
        if found:
            return found, False
        beneath = self._submodule(path, imported.module, imported.name)
        if beneath is not None:
            return (beneath,), False
        return (), not module.known

    def _submodule(self, path: str, module: str, name: str) -> _Bound | None:
        family = language_by_name(path).family
        if family in _SCRIPTS or family in ("go", "ruby", "swift"):
            return None
        join = {"python": ".", "rust": "::", "c": "::", "php": "\\"}.get(family, ".")
        whole = module + name if module.endswith(".") else f"{module}{join}{name}"
        found = self.modules.find(path, whole)
        return _Bound(path, whole, found) if found.known and not found.within else None

    # What modules give

    def _from_module(
        self, importer: str, name_of_module: str, module: Module, name: str, *, as_star: bool = False
    ) -> tuple[_Target, ...]:
        """What a module's files give under a name, also through what they import themselves."""
        family = language_by_name(importer).family
        if module.within:
            sites = self._in_files(module.files, module.within)
            return tuple(dict.fromkeys(member for site in sites for member in self._member(site, name)))
        if family in _NAMESPACED or (family == "c" and self._is_space(module, name_of_module)):
            space = ".".join(step for step in re.split(r"::|[.\\]", name_of_module) if step)
            return tuple(self._in_namespace(module.files, space, name))
        targets: list[_Target] = []
        if family in ("go", "swift"):
            return tuple(self._in_package(module.files, name))
        for path in module.files[:MOST_CANDIDATES]:
            targets += self._export(path, name, as_star=as_star)
        return tuple(dict.fromkeys(targets))

    @staticmethod
    def _is_space(module: Module, name: str) -> bool:
        """Whether a module of C++ is a namespace, not a header."""
        return "::" in name or (bool(module.files) and "." not in name and "/" not in name)

    def _in_namespace(self, files: Sequence[str], space: str, name: str) -> Iterator[_Site]:
        for path in self._of_files(files, name):
            file = self._file(path)
            for parent in (space, ""):
                if parent or space in file.namespaces:
                    for one in file.members.get((parent, name), ()):
                        yield _Site(path, one)

    def _in_package(self, files: Sequence[str], name: str) -> Iterator[_Site]:
        """What the files of one package define at their top, seen from another file."""
        for path in self._of_files(files, name):
            for one in self._file(path).members.get(("", name), ()):
                if one.kind != "extension":
                    yield _Site(path, one)

    def _of_files(self, files: Sequence[str], name: str) -> Sequence[str]:
        """Those of the files that define a name, at most so many."""
        if len(files) <= MOST_CANDIDATES:
            return files
        kept = self._sets.get(id(files))
        if kept is None:
            kept = (files, frozenset(files))  # holds the files, so that nothing else gets their id
            self._sets[id(files)] = kept
            if len(self._sets) > _KEPT_FILES:
                self._sets.popitem(last=False)
        return [path for path in self._files_defining(name) if path in kept[1]][:_MOST_FILES_OF_NAME]

    def _in_files(self, files: Sequence[str], qualified: str) -> list[_Site]:
        """Definitions by the end of their qualified name."""
        found: list[_Site] = []
        for path in files[:MOST_CANDIDATES]:
            file = self._file(path)
            names = [qualified, *(f"{space}.{qualified}" for space in file.namespaces)]
            found += [
                _Site(path, d) for name in names for d in file.qualified.get(name, ()) if d.kind != "module"
            ]
        return found

    def _export(self, path: str, name: str, *, as_star: bool = False) -> tuple[_Target, ...]:
        """What one file gives to those that import `name` from it; remembered."""
        if as_star and name.startswith("_") and self._file(path).family == "python":
            return ()
        key = (path, name)
        found = self._exports.get(key)
        if found is None:
            with self._finding(("export", *key)) as may_go_on:
                before = self._cycles
                found = self._exported(path, name, 0, set()) if may_go_on else ()
                if may_go_on and self._cycles == before and len(self._exports) < _REMEMBERED:
                    self._exports[key] = found
        return found

    @contextmanager
    def _finding(self, mark: _Mark) -> Iterator[bool]:
        """Whether something may be looked for: not when it is looked for already, or the path there is too long."""
        if mark in self._pending or len(self._pending) >= _MOST_PENDING:
            self._cycles += 1
            yield False
            return
        self._pending.add(mark)
        try:
            yield True
        finally:
            self._pending.discard(mark)

    def _exported(self, path: str, name: str, hops: int, seen: set[tuple[str, str]]) -> tuple[_Target, ...]:
        if hops > _MAX_HOPS or (path, name) in seen or len(seen) >= _MOST_STEPS:
            return ()
        seen.add((path, name))
        file = self._file(path)
        own: list[_Target] = [
            _Site(path, d)
            for d in file.members.get(("", name), ())
            if d.kind not in ("extension", "module") or file.family == "ruby"
        ]
        if file.family == "c":
            own += [_Site(path, d) for s in file.namespaces for d in file.members.get((s, name), ())]
        if file.family in _SCRIPTS and not own:
            own += self._script_export(file, name)
        if own:
            return tuple(dict.fromkeys(own))
        if file.family == "rust" and (declared := self._declared_module(file, name)) is not None:
            return declared.targets
        passed: list[_Target] = []
        for row in file.imports.get(name, ()):
            if not row.scope:
                passed += self._passed_on(file, row.imported, row.imported.name, hops, seen)
        if passed:
            return tuple(dict.fromkeys(passed))
        if file.family == "python" and name.startswith("_") and hops:
            return ()
        for row in file.stars:
            if not row.scope and row.imported.name in ("*", ""):
                found = self._passed_on(file, row.imported, name, hops, seen)
                if found:
                    return found
        return ()

    def _passed_on(
        self, file: FileNames, imported: Import, name: str, hops: int, seen: set[tuple[str, str]]
    ) -> tuple[_Target, ...]:
        """What a file that is imported from imports itself under a name."""
        if not name or name == "*" or file.family in _NAMESPACED:
            return self._target(file.path, imported)[0] if not name else ()
        module = self.modules.find(file.path, imported.module)
        if module.within:
            return self._from_module(file.path, imported.module, module, name)
        targets: list[_Target] = []
        for path in module.files[:MOST_CANDIDATES]:
            targets += self._exported(path, name, hops + 1, seen)
        if not targets and imported.name == name:
            beneath = self._submodule(file.path, imported.module, name)
            if beneath is not None:
                return (beneath,)
        return tuple(targets)

    def _script_export(self, file: FileNames, name: str) -> list[_Target]:
        """`export default cart`, `export {cart as basket}`, `module.exports = cart`: read from the text."""
        text = "\n".join(self._text_lines(file.path))
        if len(text) > LONGEST_LINE * 500:
            return []
        local = exported_as(text, name)
        if not local or local == name:
            return []
        sites: list[_Target] = [_Site(file.path, d) for d in file.members.get(("", local), ())]
        if sites:
            return sites
        for row in file.imports.get(local, ()):
            sites += self._target(file.path, row.imported)[0] if row.imported.name != name else ()
        return sites

    def _stand_for(self, targets: Sequence[_Target], name: str) -> list[_Site]:
        """What a module means when it is used itself: its default export; else nothing."""
        found: list[_Site] = []
        for target in targets:
            if isinstance(target, _Bound) and language_by_name(target.importer).family in _SCRIPTS:
                for path in target.module.files:
                    found += [site for site in self._export(path, "default") if isinstance(site, _Site)]
        del name
        return found

    # What needs no import

    def _without_import(self, file: FileNames, reference: Reference, name: str) -> _Answer:
        """Names of the same package, and of the files that a language shares its names with."""
        sites: list[_Site] = []
        if file.family in ("go", "swift"):
            sites = list(self._in_package(self.modules.package_of(file.path), name))
        elif file.family == "jvm" or file.family in _NAMESPACED:
            sites = self._in_own_namespaces(file, name)
        elif file.family == "c":
            sites = self._in_pair(file, name)
        elif file.family == "ruby" and name[:1].isupper():
            sites = self._constant(reference.enclosing, name)
        sites = [site for site in sites if site.path != file.path or site.definition.kind != "module"]
        if sites:
            return _Answer(tuple(dict.fromkeys(sites)), _PACKAGE, "same package")
        return _NOTHING

    def _in_own_namespaces(self, file: FileNames, name: str) -> list[_Site]:
        found: list[_Site] = []
        for space in file.namespaces:
            steps = space.split(".") if file.family == "csharp" else [space]
            for at in range(len(steps), 0, -1):  # C# sees the namespaces around its own
                outer = ".".join(steps[:at])
                files = self.modules.files_of_namespace(outer, file.family)
                found += self._in_namespace(files, outer, name)
                if found:
                    return found
        if not file.namespaces and file.family == "jvm":
            for path in self._of_files(self.modules.package_of(file.path), name):
                if not self._file(path).namespaces:
                    found += [_Site(path, d) for d in self._file(path).members.get(("", name), ())]
        return found

    def _in_pair(self, file: FileNames, name: str) -> list[_Site]:
        """`cart.c` beside `cart.h`, and what a header in turn includes is found by the stars already."""
        stem = file.path.rpartition(".")[0]
        found: list[_Site] = []
        for path in self._files_defining(name)[:_MOST_FILES_OF_NAME]:
            if path != file.path and path.rpartition(".")[0] == stem:
                found += [_Site(path, d) for d in self._file(path).named.get(name, ())]
        return found

    def _constant(self, enclosing: str, name: str) -> list[_Site]:
        """A constant of Ruby, from the innermost module outwards: any file may define it."""
        wanted = [f"{scope}.{name}" for scope in scopes_around(enclosing)] + [name]
        paths = self._files_defining(name)
        if len(paths) > _MOST_FILES_OF_NAME:
            return []
        rows = [
            (path, self._file(path).qualified) for path in paths if language_by_name(path).family == "ruby"
        ]
        for qualified in wanted:
            found = [_Site(path, d) for path, own in rows for d in own.get(qualified, ())]
            if found:
                return found
        return []

    # Dotted names

    def _dotted(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> _Answer:
        """`a.b.name`: what `a.b` is, then its member."""
        head = chain[0]
        if head in _SELVES | _BASES or self._is_receiver(file, reference, head):
            return self._of_self(file, reference, chain)
        if not head:
            return _NOTHING
        if file.family == "rust" and head == "crate":
            module = self.modules.find(file.path, "::".join(chain))
            return self._step((_Bound(file.path, "::".join(chain), module),), reference.name)
        answer = self._bare(file, _at(reference, head), head)
        if answer.external:
            return _EXTERNAL
        if answer.local or not answer.targets:
            typed = self._typed(file, reference, head) if len(chain) == 1 else _NOTHING
            return typed if typed.targets else self._whole_path(file, reference, chain, answer)
        targets = answer.targets
        for word in chain[1:]:
            step = self._step(targets, word)
            if not step.targets:
                return step if step.external else _NOTHING
            targets = step.targets
        found = self._step(targets, reference.name)
        if found.targets:
            return found._replace(confidence=min(_MEMBER, found.confidence, max(answer.confidence, _PACKAGE)))
        if found.external:
            return _EXTERNAL
        return _LOCAL if all(isinstance(one, _Bound) for one in targets) else _NOTHING

    def _whole_path(
        self, file: FileNames, reference: Reference, chain: tuple[str, ...], answer: _Answer
    ) -> _Answer:
        """A qualified name that needs no import: `com.shop.Cart.of`, `shop::Cart::of`."""
        if answer.local or file.family not in ("jvm", "csharp", "c", "php", "rust"):
            return _NOTHING
        join = {"rust": "::", "c": "::", "php": "\\"}.get(file.family, ".")
        if file.family == "jvm" and not chain[0][:1].islower():
            return _NOTHING
        whole = join.join(chain)
        module = self.modules.find(file.path, whole)
        if not module.known:
            return _EXTERNAL if file.family == "rust" and chain[0] in ("std", "core", "alloc") else _NOTHING
        return self._step((_Bound(file.path, whole, module),), reference.name)

    def _step(self, targets: Sequence[_Target], word: str) -> _Answer:
        """The member `word` of modules and classes."""
        found: list[_Target] = []
        external = False
        for target in targets:
            if isinstance(target, _Site):
                if target.definition.kind in _CLASSES or target.definition.kind == "module":
                    found += self._member(target, word)
                continue
            if target.module.known:
                found += self._from_module(target.importer, target.name, target.module, word)
                if not target.module.within and not found:
                    beneath = self._submodule(target.importer, target.name, word)
                    found += [beneath] if beneath is not None else []
                if not found:
                    defaults = self._stand_for([target], word)
                    found += [
                        m for d in defaults if d.definition.kind in _CLASSES for m in self._member(d, word)
                    ]
            else:
                external = True
        if found:
            return _Answer(tuple(dict.fromkeys(found)), _MEMBER, "member of what stands before the dot")
        return _EXTERNAL if external else _NOTHING

    # Members

    def _of_self(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> _Answer:
        """A member of the class around a reference, or of its bases alone after `super`."""
        above = chain[0] in _BASES
        if (
            file.family == "rust"
            and chain[0] in ("self", "super")
            and self._is_rust_path(file, reference, chain)
        ):
            module = self.modules.find(file.path, "::".join(chain))
            return self._step((_Bound(file.path, "::".join(chain), module),), reference.name)
        if len(chain) > 1:
            return _NOTHING  # a field of ours: what it holds is not known
        owner = self._owner(file, reference)
        found: list[_Site] = []
        for site in self._owners(file, owner) if owner else ():
            if above:
                found += self._inherited_member(site, reference.name, own=False)
            else:
                found += self._member(site, reference.name)
        if found:
            return _Answer(tuple(dict.fromkeys(found)), _OWN, "member of the class around it")
        return _NOTHING

    def _is_rust_path(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> bool:
        if chain[0] == "super":
            return True
        lines = self._text_lines(file.path)
        line = lines[reference.line - 1] if 0 < reference.line <= len(lines) else ""
        return "self::" in line

    def _is_receiver(self, file: FileNames, reference: Reference, word: str) -> bool:
        """Whether a word is what a Go method calls the value it is a method of."""
        if file.family != "go":
            return False
        for one in file.qualified.get(reference.enclosing, ()):
            if go_receiver(one.signature) == word and one.start_line <= reference.line <= one.end_line:
                return True
        return False

    @staticmethod
    def _owner(file: FileNames, reference: Reference) -> str:
        """Qualified name of the innermost class around a reference."""
        for scope in scopes_around(reference.enclosing):
            around = file.qualified.get(scope, ())
            if any(
                one.kind in _CLASSES or (one.kind == "module" and file.family == "ruby") for one in around
            ):
                return scope
            if any(one.kind == "method" and one.parent not in file.qualified for one in around):
                return scope.rpartition(".")[0]  # a method written outside its type
        return ""

    def _owners(self, file: FileNames, owner: str) -> list[_Site]:
        """The class of a qualified name as a file sees it."""
        own = [_Site(file.path, d) for d in file.qualified.get(owner, ()) if d.kind != "method"]
        if own and any(site.definition.kind != "extension" for site in own):
            return own
        last = owner.rpartition(".")[2]
        answer = self._bare(file, Reference(last, "type", 0), last) if last != owner or not own else _NOTHING
        if not own and not answer.targets:
            answer = self._whole_type(file, owner)
        elif own and not answer.targets:
            answer = self._bare(file, Reference(owner, "type", 0), owner)
        types = [t for t in answer.targets if isinstance(t, _Site) and t.definition.kind in _CLASSES]
        return [*own, *(site for site in types if site not in own)]

    def _whole_type(self, file: FileNames, owner: str) -> _Answer:
        """A class by its whole qualified name, wherever it stands: `void Cart::total()` in another file."""
        last = owner.rpartition(".")[2]
        paths = self._files_defining(last)
        if len(paths) > _MOST_FILES_OF_NAME:
            return _NOTHING
        found = [
            _Site(path, d)
            for path in paths
            if language_by_name(path).family == file.family
            for d in self._file(path).qualified.get(owner, ())
            if d.kind in _CLASSES
        ]
        return _Answer(tuple(found[:MOST_CANDIDATES]), _PACKAGE, "")

    def _typed(self, file: FileNames, reference: Reference, word: str) -> _Answer:
        """A member of the type that the function around says its parameter has."""
        for scope in scopes_around(reference.enclosing):
            for one in file.qualified.get(scope, ()):
                if one.kind not in _FUNCTIONS or not one.start_line <= reference.line <= one.end_line:
                    continue
                said = parameter_type(file.family, one.signature, word)
                if not said:
                    continue
                answer = self._named_type(file, one, said)
                if answer.external:
                    return _NOTHING
                types = [t for t in answer.targets if isinstance(t, _Site) and t.definition.kind in _CLASSES]
                found = self._step(types, reference.name)
                if found.targets:
                    return found._replace(reason=f"member of the parameter's type {said}")
                return _NOTHING
        return _NOTHING

    def _named_type(self, file: FileNames, function: Definition, said: str) -> _Answer:
        steps = re.split(r"::|\.", said)
        at = Reference(steps[0], "type", function.start_line, function.parent)
        answer = self._bare(file, at, steps[0])
        for word in steps[1:]:
            answer = self._step(answer.targets, word)
        return answer

    def _member(self, site: _Site, name: str) -> tuple[_Site, ...]:
        """What a class defines or inherits under a name."""
        return self._inherited_member(site, name, own=True)

    def _inherited_member(self, site: _Site, name: str, *, own: bool) -> tuple[_Site, ...]:
        key = (site.path, f"{site.definition.qualified_name}:{site.definition.start_line}", name, own)
        found = self._inherited.get(key)
        if found is None:
            before = self._cycles
            found = self._search_bases(site, name, own=own)
            if self._cycles == before and len(self._inherited) < _REMEMBERED:
                self._inherited[key] = found
        return found

    def _search_bases(self, site: _Site, name: str, *, own: bool) -> tuple[_Site, ...]:
        """Level by level: the class, its bases, theirs. A cycle ends where it began."""
        level, seen = [site], {(site.path, site.definition.qualified_name)}
        for hop in range(_MAX_HOPS + 1):
            found: list[_Site] = []
            if hop or own:
                for one in level:
                    found += self._own_members(one, name)
            if found:
                return tuple(dict.fromkeys(found))[:MOST_CANDIDATES]
            above: list[_Site] = []
            for one in level:
                for base in self._bases(one):
                    mark = (base.path, base.definition.qualified_name)
                    if mark not in seen and len(seen) < _MOST_STEPS:
                        seen.add(mark)
                        above.append(base)
            if not above:
                return ()
            level = above
        return ()

    def _own_members(self, site: _Site, name: str) -> list[_Site]:
        file = self._file(site.path)
        owner = site.definition.qualified_name
        found = [_Site(site.path, d) for d in file.members.get((owner, name), ())]
        if site.definition.kind == "module" or file.family not in _SPREAD:
            return found
        if found and file.family not in ("c", "csharp"):
            return found
        last = site.definition.name
        paths = self._files_defining(name)
        if len(paths) > _MOST_FILES_OF_NAME:
            return found
        for path in paths:
            if path == site.path or language_by_name(path).family != file.family:
                continue
            if not self._shares_types(file, path):
                continue
            other = self._file(path)
            for parent in dict.fromkeys((owner, last)):
                if parent in other.qualified and file.family in ("jvm",):
                    continue  # a class of the same name, not members added to this one
                if parent in other.qualified and not any(
                    d.kind in ("extension", "method") or file.family in ("c", "csharp", "ruby")
                    for d in other.qualified[parent]
                ):
                    continue
                found += [_Site(path, d) for d in other.members.get((parent, name), ())]
        return found[:MOST_CANDIDATES]

    def _shares_types(self, file: FileNames, other: str) -> bool:
        """Whether members of a type of `file` may stand in another file."""
        if file.family == "go":
            return file.path.rpartition("/")[0] == other.rpartition("/")[0]
        if file.family == "rust":
            return self.modules.crate_of(file.path) == self.modules.crate_of(other)
        if file.family == "csharp":
            return set(file.namespaces) == set(self._file(other).namespaces)
        return True

    def _bases(self, site: _Site) -> list[_Site]:
        """The classes of the repository that a class names as its bases."""
        key = (site.path, site.definition.qualified_name, str(site.definition.start_line))
        found = self._bases_of.get(key)
        if found is None:
            with self._finding(key) as may_go_on:
                before = self._cycles
                found = self._find_bases(site) if may_go_on else []
                if may_go_on and self._cycles == before and len(self._bases_of) < _REMEMBERED:
                    self._bases_of[key] = found
        return found

    def _find_bases(self, site: _Site) -> list[_Site]:
        file = self._file(site.path)
        definition = site.definition
        names = dict.fromkeys(definition.bases)
        if definition.kind == "extension" or file.family in ("rust", "swift", "ruby", "csharp"):
            for other in file.qualified.get(definition.qualified_name, ()):
                names.update(dict.fromkeys(other.bases))
        found: list[_Site] = []
        for name in list(names)[:MOST_CANDIDATES]:
            at = Reference(name, "type", definition.start_line, definition.parent)
            answer = self._bare(file, at, name)
            if not answer.targets and not answer.external:
                answer = self._base_in_module(file, site, name)
            found += [
                target
                for target in answer.targets
                if isinstance(target, _Site) and (target.definition.kind in _CLASSES or file.family == "ruby")
            ]
        return found

    def _base_in_module(self, file: FileNames, site: _Site, name: str) -> _Answer:
        """`class Cart(models.Model)`: the columns keep `Model`, the references of that line what stands before."""
        for reference in self._references(file.path, name):
            near = site.definition.start_line <= reference.line <= site.definition.start_line + 20
            if near and reference.kind == "type" and reference.receiver:
                chain = self._chain(file, reference)
                if chain and chain[0] not in _SELVES | _BASES:
                    return self._dotted(file, reference, chain)
        return _NOTHING

    # Names alone

    def _by_name(self, file: FileNames, reference: Reference, *, dotted: bool) -> tuple[Candidate, ...]:
        """Every definition of the name that could be meant, none when there are too many."""
        if not dotted and not self._has_global_names(file):
            return ()
        bearing = self._bearing(file.family, reference.name)
        sites = [site for site, inner in bearing if site.path == file.path or not inner]
        if dotted:
            members = [site for site in sites if site.definition.parent]
            sites = members or sites
        fitting = _KIND_FIT.get(reference.kind)
        if fitting:
            sites = [site for site in sites if site.definition.kind in fitting] or sites
        if not 0 < len(sites) <= MOST_CANDIDATES:
            return ()
        sites.sort(
            key=lambda s: (s.path != file.path, -shared_folders(file.path, s.path), s.path, s.definition[3])
        )
        share = _BY_NAME / len(sites)
        return tuple(Candidate(s.path, s.definition, share, "bears the name") for s in sites)

    def _bearing(self, family: str, name: str) -> Sequence[tuple[_Site, bool]]:
        """Every definition of a name with whether it stands inside a function; none when there are too many."""
        family = "typescript" if family in _SCRIPTS else family
        found = self._named.get((family, name))
        if found is None:
            found = self._find_bearing(family, name)
            if len(self._named) < _REMEMBERED:
                self._named[family, name] = found
        return found

    def _find_bearing(self, family: str, name: str) -> Sequence[tuple[_Site, bool]]:
        found: list[tuple[_Site, bool]] = []
        paths = self._files_defining(name)
        if len(paths) > _MOST_FILES_OF_NAME:
            return ()
        for path in paths:
            if not _speak(family, language_by_name(path).family):
                continue
            file = self._file(path)
            for one in file.named.get(name, ()):
                if one.kind not in ("extension", "module"):
                    found.append((_Site(path, one), _is_inner(file, one)))
            if len(found) > _MOST_FILES_OF_NAME:
                return ()
        return found

    def _has_global_names(self, file: FileNames) -> bool:
        """Whether a name that no import explains may still be one of this repository."""
        if file.family in _SCRIPTS:
            return not file.imports
        if file.family in _GLOBAL_NAMES:
            return True
        return any(not self.modules.find(file.path, row.imported.module).known for row in file.stars)


def _candidates(sites: Sequence[_Site], confidence: float, reason: str, kind: str) -> tuple[Candidate, ...]:
    """The sites as candidates, those whose kind fits first; a kind that fits leaves out fields of the name."""
    fitting = _KIND_FIT.get(kind)
    chosen = list(dict.fromkeys(sites))
    if fitting:
        chosen.sort(key=lambda site: site.definition.kind not in fitting)
    return tuple(
        Candidate(site.path, site.definition, confidence, reason) for site in chosen[:MOST_CANDIDATES]
    )


def _same(one: Definition, other: Definition) -> bool:
    return one.qualified_name == other.qualified_name and one.start_line == other.start_line


def _at(reference: Reference, name: str) -> Reference:
    return Reference(name, "name", reference.line, reference.enclosing)


def _speak(one: str, other: str) -> bool:
    """Whether two families share names."""
    return one == other or (one in _SCRIPTS and other in _SCRIPTS)


def _is_inner(file: FileNames, definition: Definition) -> bool:
    """Whether a definition stands inside a function: other files do not see it."""
    scopes = scopes_around(definition.parent)
    return any(d.kind in _FUNCTIONS for scope in scopes for d in file.qualified.get(scope, ()))


def _batches(rows: Iterable[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
