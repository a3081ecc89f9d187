"""What a bare name means where it stands: scopes from the inside out, imports, then what needs no import."""

from __future__ import annotations

from collections.abc import Sequence

from panlect.code.analysis import Definition, Reference
from panlect.code.languages import language_by_name
from panlect.search.names import FileNames, is_visible, scopes_around
from panlect.search.resolution.answers import (
    EXTERNAL,
    IMPORTED,
    LOCAL,
    MEMBER,
    MOST_CANDIDATES,
    MOST_FILES_OF_NAME,
    NOTHING,
    OWN,
    PACKAGE,
    Answer,
    Site,
    Target,
)
from panlect.search.resolution.around import Around
from panlect.search.resolution.exports import Exports
from panlect.search.resolution.kinds import CLASSES, FUNCTIONS, NAMESPACED
from panlect.search.resolution.members import Members
from panlect.search.resolution.packages import Packages
from panlect.search.resolution.sources import Sources

# Where a member is called without naming the class around it.
_BARE_MEMBERS = frozenset({"jvm", "csharp", "swift", "c", "ruby"})


class Scopes:
    """The scopes of the files of one snapshot."""

    def __init__(
        self, sources: Sources, around: Around, packages: Packages, exports: Exports, members: Members
    ) -> None:
        self._sources = sources
        self._around = around
        self._packages = packages
        self._exports = exports
        self._members = members

    def bare(self, file: FileNames, reference: Reference, name: str) -> Answer:
        """A name without a receiver: scopes from the inside out, imports, then what needs no import."""
        prefixes = scopes_around(reference.enclosing)
        for scope in prefixes:
            answer = self._in_scope(file, reference, scope, name)
            if answer is not None:
                return answer
        bound = self._imported(file, reference, name)
        answer = self._in_file(file, prefixes, name, is_imported=bool(bound.targets))
        if answer is not None:
            return answer
        if bound.targets or bound.external or bound.local:
            return bound
        return self._packages.without_import(file, reference, name)

    def _in_file(
        self, file: FileNames, prefixes: Sequence[str], name: str, *, is_imported: bool
    ) -> Answer | None:
        """What a file defines at its top under a name; None when something else tells what it means."""
        own = file.members.get(("", name), [])
        for space in file.namespaces:
            if space not in prefixes and file.family in NAMESPACED:
                own = own + file.members.get((space, name), [])
        plain = [one for one in own if one.kind not in ("extension", "module")]
        if plain:
            return _defined(file, plain, "in this file")
        if not own or (is_imported and file.family in ("rust", "swift", "c")):
            return None
        module = self._exports.declared_module(file, name)
        if module is not None:
            return module
        return None if file.family in ("rust", "swift", "go", "c") else _defined(file, own, "in this file")

    def _in_scope(self, file: FileNames, reference: Reference, scope: str, name: str) -> Answer | None:
        """What one scope around a reference says of a name; None when it says nothing."""
        kinds = {d.kind for d in file.qualified.get(scope, ())}
        if kinds & FUNCTIONS:
            return self._in_function(file, reference, scope, name)
        if kinds & CLASSES:
            return self._in_class(file, reference, scope, name)
        own = file.members.get((scope, name))
        return _defined(file, own, "in the namespace around it") if own else None

    def _in_function(self, file: FileNames, reference: Reference, scope: str, name: str) -> Answer | None:
        own = file.members.get((scope, name))
        if own:
            return _defined(file, own, "in the function around it")
        if reference.kind != "type" and self._is_variable(file, reference, scope, name):
            return LOCAL
        owner = scope.rpartition(".")[0]
        if owner and not file.qualified.get(owner) and file.family in _BARE_MEMBERS:
            return self._bare_member(file, owner, name)  # `Cart::total` outside its class
        return None

    def _is_variable(self, file: FileNames, reference: Reference, scope: str, name: str) -> bool:
        """Whether the nearest function of this scope binds a name for itself."""
        holding = [
            d
            for d in file.qualified.get(scope, ())
            if d.kind in FUNCTIONS and d.start_line <= reference.line <= d.end_line
        ]
        nearest = min(holding, key=lambda d: d.end_line - d.start_line, default=None)
        return nearest is not None and self._around.binds(file, nearest, name, reference.line)

    def _in_class(self, file: FileNames, reference: Reference, scope: str, name: str) -> Answer | None:
        if file.family in _BARE_MEMBERS:
            return self._bare_member(file, scope, name)
        own = file.members.get((scope, name))
        seen = reference.enclosing == scope or (file.family == "php" and reference.kind == "type")
        return _defined(file, own, "in the class around it") if own and seen else None

    def _bare_member(self, file: FileNames, owner: str, name: str) -> Answer | None:
        found: list[Site] = []
        for site in self.owners(file, owner):
            found += self._members.member(site, name)
        return Answer(tuple(dict.fromkeys(found)), OWN, "member of the class around it") if found else None

    def _imported(self, file: FileNames, reference: Reference, name: str) -> Answer:
        """What the imports of a file bind a name to, its stars last."""
        rows = [row for row in file.imports.get(name, ()) if is_visible(row.scope, reference.enclosing)]
        targets: list[Target] = []
        outside = False
        for row in rows[:MOST_CANDIDATES]:
            found, external = self._exports.target(file.path, row.imported)
            targets += found
            outside = outside or external
        if targets:
            return Answer(tuple(dict.fromkeys(targets)), IMPORTED, "imported by name")
        if outside:
            return EXTERNAL
        if rows:
            return LOCAL  # imported from a module that is here and does not define it as far as is known
        if file.family == "c" and not self._sources.files_defining(name):
            return NOTHING  # includes give no name a second one: no need to walk them all
        return self._by_star(file, reference, name)

    def _by_star(self, file: FileNames, reference: Reference, name: str) -> Answer:
        """What the first import of everything gives that gives anything."""
        for row in file.stars:
            if is_visible(row.scope, reference.enclosing):
                found = self._exports.star(file.path, row.imported, name)
                if found:
                    how = MEMBER if file.family == "c" else IMPORTED
                    return Answer(tuple(dict.fromkeys(found)), how, "imported with all of its module")
        return NOTHING

    def owners(self, file: FileNames, owner: str) -> list[Site]:
        """The class of a qualified name as a file sees it."""
        own = [Site(file.path, d) for d in file.qualified.get(owner, ()) if d.kind != "method"]
        if own and any(site.definition.kind != "extension" for site in own):
            return own
        last = owner.rpartition(".")[2]
        answer = self.bare(file, Reference(last, "type", 0), last) if last != owner or not own else NOTHING
        if not own and not answer.targets:
            answer = self._whole_type(file, owner)
        elif own and not answer.targets:
            answer = self.bare(file, Reference(owner, "type", 0), owner)
        types = [t for t in answer.targets if isinstance(t, Site) and t.definition.kind in CLASSES]
        return [*own, *(site for site in types if site not in own)]

    def _whole_type(self, file: FileNames, owner: str) -> Answer:
        """A class by its whole qualified name, wherever it stands: `void Cart::total()` in another file."""
        last = owner.rpartition(".")[2]
        paths = self._sources.files_defining(last)
        if len(paths) > MOST_FILES_OF_NAME:
            return NOTHING
        found = [
            Site(path, d)
            for path in paths
            if language_by_name(path).family == file.family
            for d in self._sources.file(path).qualified.get(owner, ())
            if d.kind in CLASSES
        ]
        return Answer(tuple(found[:MOST_CANDIDATES]), PACKAGE, "")


def _defined(file: FileNames, definitions: Sequence[Definition], where: str) -> Answer:
    return Answer(tuple(Site(file.path, one) for one in definitions), OWN, f"defined {where}")
