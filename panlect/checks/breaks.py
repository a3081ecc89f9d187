"""What a change breaks: uses that the base could serve and the head cannot, each with its cause.

A problem that stood in the base already is not this change's, and neither is code that merely moved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from panlect.checks.go_world import GoWorld
from panlect.checks.python_world import PythonWorld
from panlect.checks.resolve import (
    ABSTRACT_MISSING,
    CALL_MISMATCH,
    IMPORT_MISSING,
    NAME_UNRESOLVED,
    OVERRIDE_MISMATCH,
    Judged,
    Place,
    Site,
    State,
    World,
)
from panlect.checks.typescript_world import TypeScriptWorld
from panlect.checks.view import ChangeView, FileChangeView, RepositoryView
from panlect.code.facts import Binding, FileFacts
from panlect.finding import Side

_WORLDS: dict[str, Callable[[RepositoryView], World]] = {
    "go": GoWorld,
    "python": PythonWorld,
    "typescript": TypeScriptWorld,
}
MAX_ALIASES = 5
"""Renamings followed from a definition to its uses: real code has one or two."""
_SUFFIX = re.compile(r"\.(?:d\.)?[cm]?[a-z]+\Z")


@dataclass(frozen=True, slots=True)
class Cause:
    """What this change did: a definition taken away (side BASE), one changed (HEAD), or the use itself.

    `before` and `after` are the definition's lines in the two revisions, where it has them.
    """

    kind: str  # removed, changed, use
    side: Side
    path: str
    line: int
    end_line: int
    name: str
    before: Site | None = None
    after: Site | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """One use that no longer works, and why."""

    use: Judged
    cause: Cause


class Lines:
    """Which lines of which file a change adds and removes."""

    def __init__(self, change: ChangeView) -> None:
        self._added = {f.new_path: _numbers(f, Side.HEAD) for f in change.files if f.new_path}
        self._removed = {f.old_path: _numbers(f, Side.BASE) for f in change.files if f.old_path}
        self.old_path = {f.new_path: f.old_path for f in change.files if f.new_path and f.old_path}
        self.new_path = {old: new for new, old in self.old_path.items()}
        self.added_files = frozenset(f.new_path for f in change.files if f.new_path and not f.old_path)

    def changes(self, side: Side, path: str, first: int, last: int) -> int | None:
        """The first line of first..last that the change adds (or removes), None when it touches none."""
        numbers = (self._removed if side is Side.BASE else self._added).get(path, ())
        return next((number for number in numbers if first <= number <= last), None)

    def run_start(self, path: str, line: int) -> int:
        """The first line of the removed run that `line` of the base stands in."""
        numbers = set(self.removed(path))
        while line - 1 in numbers:
            line -= 1
        return line

    def removed(self, path: str) -> tuple[int, ...]:
        """The removed lines of a file of the base, in order."""
        return self._removed.get(path, ())


def breaks(change: ChangeView, base: RepositoryView, head: RepositoryView) -> Iterator[Break]:
    """Every use that `head` breaks, language by language."""
    lines = Lines(change)
    for language, make_world in sorted(_WORLDS.items()):
        touched = [file for file in change.files if _speaks(file, language, base, head)]
        if touched:
            yield from _Comparison(language, make_world, touched, lines, base, head).breaks()


def _speaks(file: FileChangeView, language: str, base: RepositoryView, head: RepositoryView) -> bool:
    before = base.facts(file.old_path) if file.old_path else None
    after = head.facts(file.new_path) if file.new_path else None
    return any(facts is not None and facts.language == language for facts in (before, after))


class _Comparison:
    """One language's uses in both revisions."""

    def __init__(
        self,
        language: str,
        make_world: Callable[[RepositoryView], World],
        touched: list[FileChangeView],
        lines: Lines,
        base: RepositoryView,
        head: RepositoryView,
    ) -> None:
        self._language, self._touched, self._lines = language, touched, lines
        self._base_view, self._head_view = base, head
        self._base, self._head = make_world(base), make_world(head)

    def breaks(self) -> Iterator[Break]:
        wanted = affected_names(self._touched, self._base_view, self._head_view)
        before = list(self._judged(self._base, self._base_view, wanted, Side.BASE))
        after = list(self._judged(self._head, self._head_view, wanted, Side.HEAD))
        states: dict[tuple[str, str, str, str], set[State]] = {}
        for use in before:
            states.setdefault(self._key(use, Side.BASE), set()).add(use.state)
        count_before = Counter((use.check, use.target) for use in before if use.state is State.BROKEN)
        count_after = Counter((use.check, use.target) for use in after if use.state is State.BROKEN)
        for use in after:
            if use.state is not State.BROKEN:
                continue
            if count_after[use.check, use.target] <= count_before[use.check, use.target]:
                continue  # it was as broken before, perhaps elsewhere
            known = states.get(self._key(use, Side.HEAD), set())
            if not known and use.only_if_fine_before:
                continue
            if known <= {State.FINE} and self._may_claim(use):
                yield Break(use, self._cause(use))

    def _judged(
        self, world: World, view: RepositoryView, wanted: frozenset[str], side: Side
    ) -> Iterator[Judged]:
        """Every use in changed files; elsewhere those that mention a name whose meaning changed."""
        changed = {file.old_path if side is Side.BASE else file.new_path for file in self._touched}
        for path, facts in view.all_facts().items():
            if facts.language == self._language:
                yield from world.judge(path, None if path in changed else wanted)

    def _key(self, use: Judged, side: Side) -> tuple[str, str, str, str]:
        path = self._lines.new_path.get(use.path, use.path) if side is Side.BASE else use.path
        return use.check, path, use.enclosing, use.target

    def _may_claim(self, use: Judged) -> bool:
        """Whether the base is known well enough to blame the change."""
        old_path = self._lines.old_path.get(use.path, use.path)
        before = self._base_view.facts(old_path) if use.path not in self._lines.added_files else None
        if before is not None and before.has_error:
            return False
        if use.check == OVERRIDE_MISMATCH:
            return self._is_left_behind(use)
        if self._language == "typescript" and use.check == NAME_UNRESOLVED:
            # Ambient names have no declaration here: only a name that lost its binding is a claim.
            known = before is not None and use.target in before.bound
            return known and before is not None and all(row.name != use.target for row in before.loose)
        after = self._head_view.facts(use.path)
        if self._language == "go" and use.check == NAME_UNRESOLVED and after is not None and after.stars:
            # A dot import may bring any name, save what the package itself declared beside it: those clash.
            same = before is not None and _stars(before) == _stars(after)
            return same and self._base.site(use.place) is not None
        if use.check == IMPORT_MISSING and not use.place.name and self._language != "python":
            return self._base.site(use.place) is not None
        return True

    def _is_left_behind(self, use: Judged) -> bool:
        """Whether it is the overridden method that changed, and the override does not see to it by itself."""
        holder = self._lines.old_path.get(use.place.holder, use.place.holder)
        before = self._base.site(Place(holder, use.place.name))
        if before is None or use.callee is None or before.signature in (None, use.callee.signature):
            return False
        method = use.target.rsplit(".", 1)[-1].encode()
        return (
            re.search(rb"\bsuper\([^)]*\)\." + re.escape(method) + rb"\b", self._head_view.text(use.path))
            is None
        )

    # -- causes -------------------------------------------------------------------------------------

    def _cause(self, use: Judged) -> Cause:
        if use.check in (CALL_MISMATCH, OVERRIDE_MISMATCH):
            return self._cause_of_misfit(use)
        holder = self._lines.old_path.get(use.place.holder, use.place.holder)
        before = self._base.site(Place(holder, use.place.name))
        if before is not None:
            name = use.place.name or before.path
            return Cause("removed", Side.BASE, before.path, before.line, before.end_line, name, before)
        if use.check == ABSTRACT_MISSING and use.callee is not None:
            after = use.callee
            return Cause(
                "changed", Side.HEAD, after.path, after.line, after.end_line, use.target, None, after
            )
        return self._cause_at_use(use)

    def _cause_of_misfit(self, use: Judged) -> Cause:
        after = use.callee
        holder = self._lines.old_path.get(use.place.holder, use.place.holder)
        before = self._base.site(Place(holder, use.place.name))
        if after is None:
            return self._cause_at_use(use)
        edited = self._lines.changes(Side.HEAD, use.path, use.line, use.line) is not None
        same = before is not None and before.signature == after.signature
        if same or (before is None and edited):
            cause = self._cause_at_use(use)
            return Cause(
                cause.kind, cause.side, cause.path, cause.line, cause.end_line, cause.name, before, after
            )
        name = use.place.name
        return Cause("changed", Side.HEAD, after.path, after.line, after.end_line, name, before, after)

    def _cause_at_use(self, use: Judged) -> Cause:
        """The use, where the change wrote it; else the removed line nearby that last spoke of the name."""
        name = use.target
        edited = self._lines.changes(Side.HEAD, use.path, use.line, use.line) is not None
        removed = None if edited else self._removed_mention(use)
        if removed is None:
            return Cause("use", Side.HEAD, use.path, use.line, use.line, name)
        path, line = removed
        return Cause("removed", Side.BASE, path, line, line, name, Site(path, line, line))

    def _removed_mention(self, use: Judged) -> tuple[str, int] | None:
        path = self._lines.old_path.get(use.path, use.path)
        numbers = self._lines.removed(path)
        if not numbers:
            return None
        text = self._base_view.text(path).split(b"\n")
        word = re.compile(rb"\b" + re.escape(use.target.rsplit(".", 1)[-1].encode()) + rb"\b")
        found = [n for n in numbers if n <= len(text) and word.search(text[n - 1])]
        return (path, min(found, key=lambda n: (abs(n - use.line), n))) if found else None


def affected_names(
    touched: Iterable[FileChangeView], base: RepositoryView, head: RepositoryView
) -> frozenset[str]:
    """Names whose meaning differs between the two revisions: defined, imported, exported or file names."""
    names: set[str] = set()
    for file in touched:
        before = base.facts(file.old_path) if file.old_path else None
        after = head.facts(file.new_path) if file.new_path else None
        names.update(name for name, _ in _meanings(before) ^ _meanings(after))
        if file.old_path != file.new_path:
            names.update(_own_names(file.old_path), _own_names(file.new_path))
        if _stars(before) != _stars(after):
            names.update(_reachable(before, base), _reachable(after, head))
    names.discard("")
    _follow_aliases(names, base)
    _follow_aliases(names, head)
    return frozenset(names)


def _follow_aliases(names: set[str], view: RepositoryView) -> None:
    """Add what affected names are called where a file passes them on under another name or derives from them."""
    pairs = {
        pair
        for facts in view.all_facts().values()
        for pair in (
            *((fact.name, fact.alias) for fact in facts.imports if fact.name != fact.alias),
            *((base.rsplit(".", 1)[-1], fact.name) for fact in facts.classes for base in fact.bases),
            *((export.local, export.name) for export in facts.exports if export.local != export.name),
        )
    }
    for _ in range(MAX_ALIASES):
        fresh = {alias for name, alias in pairs if name in names} - names - {"", "*"}
        if not fresh:
            return
        names.update(fresh)


def _own_names(path: str | None) -> set[str]:
    """What imports call a file: its stem, or its directory where that is the module."""
    return set(_SUFFIX.sub("", path).split("/")[-2:]) if path else set()


def _meanings(facts: FileFacts | None) -> set[tuple[str, object]]:
    if facts is None:
        return set()
    found: set[tuple[str, object]] = {(binding.name, _meaning(facts, binding)) for binding in facts.bindings}
    for owner in facts.classes:
        found.update((method.name, (owner.name, method.signature, method.gives)) for method in owner.methods)
        made = [method.signature for method in owner.methods if method.name in ("__init__", "__new__")]
        found.add((owner.name, ("made", *made)))
        found.update((name, (owner.name, "abstract")) for name in owner.abstract)
        found.update((name, (owner.name, "attribute")) for name in owner.attributes)
        found.update((name, (owner.name, gives)) for name, gives in owner.fields)
        found.add((owner.name, owner.bases))
    local = {binding.name: _meaning(facts, binding) for binding in facts.bindings}
    found.update((e.name, ("export", e.module, e.local, local.get(e.local))) for e in facts.exports)
    found.update((name, "listed") for name in facts.listed or ())
    return found


def _meaning(facts: FileFacts, binding: Binding) -> object:
    source = facts.imports[binding.source] if binding.source >= 0 else None
    origin = (source.module, source.name) if source is not None else None
    return facts.package, binding.kind, binding.signature, binding.multiple, binding.gives, origin


def _stars(facts: FileFacts | None) -> tuple[str, ...]:
    return tuple(star.module for star in facts.stars) if facts is not None else ()


def _reachable(facts: FileFacts | None, view: RepositoryView) -> set[str]:
    """When stars come or go, whatever a module of that name defines may be meant."""
    stems = {part for module in _stars(facts) for part in re.split(r"[./]", module)}
    found: set[str] = set()
    for path, other in view.all_facts().items():
        if not stems.isdisjoint(_SUFFIX.sub("", path).split("/")[-2:]):
            found.update(binding.name for binding in other.bindings)
            found.update(export.name for export in other.exports)
    return found


def _numbers(file: FileChangeView, side: Side) -> tuple[int, ...]:
    runs = [run for hunk in file.hunks for run in (hunk.removed if side is Side.BASE else hunk.added)]
    return tuple(number for first, last in sorted(runs) for number in range(first, last + 1))
