"""What a dotted name means: `a.b` as far as imports, scopes, `self` and written types tell it, then its member."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from panlect.code.analysis import Definition, Reference
from panlect.search.modules import Modules
from panlect.search.names import FileNames, scopes_around
from panlect.search.resolution.answers import (
    EXTERNAL,
    LOCAL,
    MEMBER,
    NOTHING,
    OWN,
    PACKAGE,
    Answer,
    Bound,
    Site,
    Target,
)
from panlect.search.resolution.around import Around
from panlect.search.resolution.exports import Exports
from panlect.search.resolution.kinds import CLASSES, FUNCTIONS
from panlect.search.resolution.members import Members
from panlect.search.resolution.scopes import Scopes
from panlect.search.resolution.sources import Sources
from panlect.search.spelling import go_receiver, parameter_type

_SELVES = frozenset({"self", "cls", "this", "Self", "static", "$this"})
_BASES = frozenset({"super", "parent", "base"})


class Receivers:
    """What stands before the dots of one snapshot."""

    def __init__(
        self,
        sources: Sources,
        modules: Modules,
        around: Around,
        scopes: Scopes,
        exports: Exports,
        members: Members,
    ) -> None:
        self._sources = sources
        self._modules = modules
        self._around = around
        self._scopes = scopes
        self._exports = exports
        self._members = members

    def dotted(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> Answer:
        """`a.b.name`: what `a.b` is, then its member."""
        head = chain[0]
        if head in _SELVES | _BASES or self._is_receiver(file, reference, head):
            return self._of_self(file, reference, chain)
        if not head:
            return NOTHING
        if file.family == "rust" and head == "crate":
            return self._of_rust_path(file, chain, reference.name)
        answer = self._scopes.bare(file, Reference(head, "name", reference.line, reference.enclosing), head)
        if answer.external:
            return EXTERNAL
        if answer.local or not answer.targets:
            typed = self._typed(file, reference, head) if len(chain) == 1 else NOTHING
            return typed if typed.targets else self._whole_path(file, reference, chain, answer)
        return self._member_of(answer, chain[1:], reference.name)

    def _member_of(self, answer: Answer, words: Sequence[str], name: str) -> Answer:
        """The member that words and a name lead to from what a head means."""
        targets = answer.targets
        for word in words:
            step = self._step(targets, word)
            if not step.targets:
                return step if step.external else NOTHING
            targets = step.targets
        found = self._step(targets, name)
        if found.targets:
            return found._replace(confidence=min(MEMBER, found.confidence, max(answer.confidence, PACKAGE)))
        if found.external:
            return EXTERNAL
        return LOCAL if all(isinstance(one, Bound) for one in targets) else NOTHING

    def base(self, file: FileNames, site: Site, name: str) -> Answer:
        """What the name of a base means where a class names it."""
        definition = site.definition
        answer = self._scopes.bare(
            file, Reference(name, "type", definition.start_line, definition.parent), name
        )
        if answer.targets or answer.external:
            return answer
        return self._base_in_module(file, site, name)

    def _base_in_module(self, file: FileNames, site: Site, name: str) -> Answer:
        """`class Cart(models.Model)`: the columns keep `Model`, the references of that line what stands before."""
        for reference in self._sources.references(file.path, name):
            near = site.definition.start_line <= reference.line <= site.definition.start_line + 20
            if near and reference.kind == "type" and reference.receiver:
                chain = self._around.chain(file, reference)
                if chain and chain[0] not in _SELVES | _BASES:
                    return self.dotted(file, reference, chain)
        return NOTHING

    def _whole_path(
        self, file: FileNames, reference: Reference, chain: tuple[str, ...], answer: Answer
    ) -> Answer:
        """A qualified name that needs no import: `com.shop.Cart.of`, `shop::Cart::of`."""
        if answer.local or file.family not in ("jvm", "csharp", "c", "php", "rust"):
            return NOTHING
        join = {"rust": "::", "c": "::", "php": "\\"}.get(file.family, ".")
        if file.family == "jvm" and not chain[0][:1].islower():
            return NOTHING
        whole = join.join(chain)
        module = self._modules.find(file.path, whole)
        if not module.known:
            return EXTERNAL if file.family == "rust" and chain[0] in ("std", "core", "alloc") else NOTHING
        return self._step((Bound(file.path, whole, module),), reference.name)

    def _step(self, targets: Sequence[Target], word: str) -> Answer:
        """The member `word` of modules and classes."""
        found: list[Target] = []
        external = False
        for target in targets:
            if isinstance(target, Site):
                if target.definition.kind in CLASSES or target.definition.kind == "module":
                    found += self._members.member(target, word)
            elif target.module.known:
                found += self._of_module(target, word, is_found=bool(found))
            else:
                external = True
        if found:
            return Answer(tuple(dict.fromkeys(found)), MEMBER, "member of what stands before the dot")
        return EXTERNAL if external else NOTHING

    def _of_module(self, bound: Bound, word: str, *, is_found: bool) -> Sequence[Target]:
        """What a module gives; the module beneath it or a member of its default, unless the word is found."""
        given = self._exports.from_module(bound.importer, bound.name, bound.module, word)
        if given or is_found:
            return given
        if not bound.module.within:
            beneath = self._exports.submodule(bound.importer, bound.name, word)
            if beneath is not None:
                return [beneath]
        classes = [one for one in self._exports.stand_for([bound]) if one.definition.kind in CLASSES]
        return [member for one in classes for member in self._members.member(one, word)]

    def _of_self(self, file: FileNames, reference: Reference, chain: tuple[str, ...]) -> Answer:
        """A member of the class around a reference, or of its bases alone after `super`."""
        above = chain[0] in _BASES
        if self._is_rust_path(file, reference, chain[0]):
            return self._of_rust_path(file, chain, reference.name)
        if len(chain) > 1:
            return NOTHING  # a field of ours: what it holds is not known
        owner = self._owner(file, reference)
        found: list[Site] = []
        for site in self._scopes.owners(file, owner) if owner else ():
            if above:
                found += self._members.inherited_member(site, reference.name, own=False)
            else:
                found += self._members.member(site, reference.name)
        if found:
            return Answer(tuple(dict.fromkeys(found)), OWN, "member of the class around it")
        return NOTHING

    def _of_rust_path(self, file: FileNames, chain: tuple[str, ...], name: str) -> Answer:
        path = "::".join(chain)
        return self._step((Bound(file.path, path, self._modules.find(file.path, path)),), name)

    def _is_rust_path(self, file: FileNames, reference: Reference, head: str) -> bool:
        """Whether `self` or `super` begins a path of modules: `self` is a value as well."""
        if file.family != "rust" or head not in ("self", "super"):
            return False
        return head == "super" or self._around.says_self_path(file, reference)

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
            if any(one.kind in CLASSES or (one.kind == "module" and file.family == "ruby") for one in around):
                return scope
            if any(one.kind == "method" and one.parent not in file.qualified for one in around):
                return scope.rpartition(".")[0]  # a method written outside its type
        return ""

    def _typed(self, file: FileNames, reference: Reference, word: str) -> Answer:
        """A member of the type that the function around says its parameter has."""
        for function in self._functions_around(file, reference):
            said = parameter_type(file.family, function.signature, word)
            if said:
                return self._of_written_type(file, function, said, reference.name)
        return NOTHING

    @staticmethod
    def _functions_around(file: FileNames, reference: Reference) -> Iterator[Definition]:
        for scope in scopes_around(reference.enclosing):
            for one in file.qualified.get(scope, ()):
                if one.kind in FUNCTIONS and one.start_line <= reference.line <= one.end_line:
                    yield one

    def _of_written_type(self, file: FileNames, function: Definition, said: str, name: str) -> Answer:
        answer = self._named_type(file, function, said)
        if answer.external:
            return NOTHING
        types = [t for t in answer.targets if isinstance(t, Site) and t.definition.kind in CLASSES]
        found = self._step(types, name)
        return found._replace(reason=f"member of the parameter's type {said}") if found.targets else NOTHING

    def _named_type(self, file: FileNames, function: Definition, said: str) -> Answer:
        steps = re.split(r"::|\.", said)
        at = Reference(steps[0], "type", function.start_line, function.parent)
        answer = self._scopes.bare(file, at, steps[0])
        for word in steps[1:]:
            answer = self._step(answer.targets, word)
        return answer
