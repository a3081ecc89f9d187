"""Members of classes: what a class has through all its bases, and which class a written type names.

A member is called missing only where every class above is in the repository and none of them can grow names.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from panlect.checks.call_fit import misfit
from panlect.checks.resolve import ELSEWHERE, MAX_HOPS, UNKNOWN, Found, Lookup, Missing, Place, Site
from panlect.code.facts import NO_CALL, Binding, ClassFact, FileFacts, ImportFact, Use

# Bases of the standard library that add no member a class would name.
_EMPTY_BASES = frozenset({"object", "ABC", "ABCMeta", "Generic", "Protocol"})
_ABSTRACT_BASES = frozenset({"ABC", "ABCMeta", "Protocol"})


class Owner(NamedTuple):
    """A class and the file it stands in."""

    path: str
    fact: ClassFact


class Members:
    """The classes of one revision. `lookup` and `imported` are the world's own."""

    def __init__(
        self,
        files: Mapping[str, FileFacts],
        names: Callable[[str], Mapping[str, Binding]],
        lookup: Callable[[str, str], Lookup],
        imported: Callable[[ImportFact, str], Lookup],
        *,
        with_builtins: bool = True,
    ) -> None:
        self._with_builtins = with_builtins
        self._files, self._names, self._lookup, self._imported = files, names, lookup, imported
        self._attributes: dict[tuple[str, str, str], Lookup] = {}
        self._children: dict[str, list[Owner]] | None = None
        self._called: frozenset[str] | None = None

    # -- classes ------------------------------------------------------------------------------------

    def named(self, path: str, name: str) -> Owner | None:
        """The class that a file defines once under this name."""
        binding = self._names(path).get(name)
        if binding is None or binding.kind not in ("class", "type") or binding.multiple:
            return None
        fact = next((fact for fact in self._files[path].classes if fact.name == name), None)
        return Owner(path, fact) if fact is not None else None

    def owner_of(self, found: Lookup) -> Owner | None:
        """The class that a lookup found."""
        if not isinstance(found, Found) or found.binding is None or found.holder:
            return None
        return self.named(found.path, found.binding.name)

    def of_type(self, path: str, gives: str, hops: int = 0) -> Owner | None:
        """The class that a type written in `path` names (see `facts.TYPED`), None where it cannot be told."""
        if not gives or hops > 5:
            return None
        waited, dotted = gives.startswith("~"), gives.lstrip("~")
        if not dotted.endswith("()"):
            return None if waited else self.owner_of(self._dotted(path, dotted))
        found = self._dotted(path, dotted[:-2])
        owner = self.owner_of(found)
        if owner is not None:
            return None if waited or self.has_own_making(owner) else owner
        if not isinstance(found, Found) or found.binding is None or "()" in found.binding.gives:
            return None
        given = found.binding.gives
        if given.startswith("~") is not waited:
            return None
        return self.of_type(found.path, given.lstrip("~"), hops + 1)

    def has_own_making(self, owner: Owner) -> bool:
        """Whether calling the class may give something else than an instance, or take what it likes."""
        return not isinstance(self.attribute(owner, "__new__"), Missing)

    def _dotted(self, path: str, dotted: str) -> Lookup:
        """`a.b.C` from the top level of a file, through modules and classes."""
        first, *rest = dotted.split(".")
        binding = self._names(path).get(first)
        facts = self._files.get(path)
        if binding is not None and binding.source >= 0 and facts is not None:
            # A guarded import may fail, and then nothing of its type is there either.
            found = self._imported(facts.imports[binding.source], path)
        else:
            found = self._lookup(path, first)
        for part in rest:
            if not isinstance(found, Found):
                return UNKNOWN
            owner = self.owner_of(found)
            if owner is not None:
                found = self.attribute(owner, part)
            elif found.module is not None:
                found = self._lookup(found.module, part)
            else:
                return UNKNOWN
        return found

    # -- members ------------------------------------------------------------------------------------

    def attribute(self, owner: Owner, name: str) -> Lookup:
        """A member through the bases: a method with its binding, a plain attribute without, or missing."""
        key = (owner.path, owner.fact.name, name)
        known = self._attributes.get(key)
        if known is None:
            self._attributes[key] = UNKNOWN  # what a class that is its own base sees
            known = self._attributes[key] = self._search(owner, name)
        return known

    def _search(self, owner: Owner, name: str) -> Lookup:
        fact = owner.fact
        if name in fact.attributes:
            return Found(owner.path, holder=fact.name)
        for binding in fact.methods:
            if binding.name == name:
                return Found(owner.path, binding, holder=fact.name)
        if fact.opaque:
            return UNKNOWN
        for base in fact.bases:
            found = self._inherited(owner, base, name)
            if not isinstance(found, Missing):
                return found
        return Missing(Place(owner.path, f"{fact.name}.{name}"))

    def _inherited(self, owner: Owner, base: str, name: str) -> Lookup:
        nothing = Missing(Place(owner.path, f"{owner.fact.name}.{name}"))
        if base.rsplit(".", 1)[-1] in _EMPTY_BASES:
            return nothing
        above = self.base(owner.path, base)
        if above is not None:
            return self.attribute(above, name)
        builtin = getattr(builtins, base, None) if self._with_builtins and base.isidentifier() else None
        if isinstance(builtin, type) and base not in self._names(owner.path):
            return ELSEWHERE if hasattr(builtin, name) else nothing
        return UNKNOWN

    def base(self, path: str, dotted: str) -> Owner | None:
        """The class in the repository that a base names."""
        first, *rest = dotted.split(".") if dotted else ("",)
        found = self._lookup(path, first)
        for part in rest:
            if not isinstance(found, Found) or found.module is None:
                return None
            found = self._lookup(found.module, part)
        return self.owner_of(found)

    def field(self, owner: Owner, name: str) -> Owner | None:
        """The class of a field, where the class that has it says so."""
        found = self.attribute(owner, name)
        if not isinstance(found, Found) or not found.holder:
            return None
        holder = self.named(found.path, found.holder)
        gives = next((said for field, said in holder.fact.fields if field == name), "") if holder else ""
        return self.of_type(found.path, gives)

    def site(self, path: str, class_name: str, member: str) -> Site | None:
        """The lines of a method of a class, its own or an inherited one."""
        owner = self.named(path, class_name)
        found = self.attribute(owner, member) if owner is not None else UNKNOWN
        return found.site() if isinstance(found, Found) else None

    # -- subclasses ---------------------------------------------------------------------------------

    def below(self, class_name: str) -> Iterator[Owner]:
        """Every class that names this one among its bases, and so on; by name alone, which is more than there are."""
        if self._children is None:
            self._children = {}
            for path, facts in self._files.items():
                for fact in facts.classes:
                    for base in fact.bases:
                        self._children.setdefault(base.rsplit(".", 1)[-1], []).append(Owner(path, fact))
        seen, waiting = {class_name}, [class_name]
        while waiting:
            for owner in self._children.get(waiting.pop(), ()):
                yield owner
                if owner.fact.name not in seen:
                    seen.add(owner.fact.name)
                    waiting.append(owner.fact.name)

    def below_has(self, class_name: str, name: str) -> bool:
        """Whether a subclass has the member: then an instance may well be one of those."""
        return any(
            name in owner.fact.attributes or any(binding.name == name for binding in owner.fact.methods)
            for owner in self.below(class_name)
        )

    def below_fits(self, class_name: str, name: str, use: Use) -> bool:
        """Whether a subclass defines the method so that the call fits, or may do so."""
        for owner in self.below(class_name):
            if name in owner.fact.attributes:
                return True
            for binding in owner.fact.methods:
                if binding.name == name and (
                    binding.signature is None or misfit(binding.signature, use) is None
                ):
                    return True
        return False

    def is_made(self, class_name: str) -> bool:
        """Whether anything in the repository calls a class of this name."""
        if self._called is None:
            self._called = frozenset(
                _last_name(facts, use)
                for facts in self._files.values()
                for use in facts.uses
                if use.argc != NO_CALL
            )
        return class_name in self._called

    # -- abstract methods ---------------------------------------------------------------------------

    def abstract_above(self, owner: Owner) -> dict[str, tuple[Found, bool]] | None:
        """Abstract methods of all bases: where each stands, and whether something here or above defines it.

        None where the bases are not known completely, where the class is abstract itself, or where nothing
        keeps it from being made.
        """
        chain = self._chain(owner, 0)
        if (
            chain is None
            or owner.fact.abstract
            or "Protocol" in {b.rsplit(".", 1)[-1] for b in owner.fact.bases}
        ):
            return None
        if not any(b.rsplit(".", 1)[-1] in _ABSTRACT_BASES for one in chain for b in one.fact.bases):
            return None
        found: dict[str, tuple[Found, bool]] = {}
        for one in chain:
            for binding in one.fact.methods:
                if binding.name in one.fact.abstract and binding.name not in found:
                    defined = any(_defines(other.fact, binding.name) for other in chain)
                    found[binding.name] = (Found(one.path, binding, holder=one.fact.name), defined)
        return found

    def _chain(self, owner: Owner, depth: int) -> list[Owner] | None:
        """The class and all above it; None when one of them is unknown."""
        if owner.fact.opaque or depth > MAX_HOPS:
            return None
        chain = [owner]
        for base in owner.fact.bases:
            if base.rsplit(".", 1)[-1] in _EMPTY_BASES:
                continue
            above = self.base(owner.path, base)
            more = self._chain(above, depth + 1) if above is not None else None
            if more is None:
                return None
            chain += more
        return chain

    def overridden(self, owner: Owner, name: str) -> Found | None:
        """The method of a base that a method of this class takes the place of, as far as the bases are known."""
        for base in owner.fact.bases:
            above = self.base(owner.path, base)
            found = self.attribute(above, name) if above is not None else UNKNOWN
            if isinstance(found, Found):
                return found if found.binding is not None else None
            if not isinstance(found, Missing):
                return None
        return None


def _defines(fact: ClassFact, name: str) -> bool:
    if name in fact.attributes:
        return True
    return name not in fact.abstract and any(binding.name == name for binding in fact.methods)


def _last_name(facts: FileFacts, use: Use) -> str:
    if use.target:
        return use.target.rsplit(".", 1)[-1].rsplit(":", 1)[-1]
    return facts.imports[use.source].name if use.source >= 0 else ""
