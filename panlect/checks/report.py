"""Breaks told to a developer: one candidate per cause, with what broke, where, and what to do."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from panlect.checks.breaks import Break, Cause, Lines
from panlect.checks.call_fit import Misfit
from panlect.checks.paths import is_test
from panlect.checks.resolve import (
    ABSTRACT_MISSING,
    CALL_MISMATCH,
    IMPORT_MISSING,
    MEMBER_MISSING,
    NAME_UNRESOLVED,
    OVERRIDE_MISMATCH,
    Judged,
)
from panlect.checks.view import ChangeView, RepositoryView
from panlect.code.facts import FileFacts
from panlect.finding import Candidate, Category, Evidence, Place, Side

MAX_RELATED = 10
"""Broken uses that a candidate lists; the rest is counted."""
_MAX_QUOTED = 3
_MAX_QUOTE_LINES = 5

_CONSEQUENCE = {
    ("python", NAME_UNRESOLVED): "It raises NameError once it is evaluated.",
    ("python", MEMBER_MISSING): "It raises AttributeError when the line runs.",
    ("python", IMPORT_MISSING): "It raises ImportError when the module is imported.",
    ("python", CALL_MISMATCH): "The call raises TypeError.",
    ("python", ABSTRACT_MISSING): "Making an instance raises TypeError.",
    ("python", OVERRIDE_MISMATCH): "Such a call raises TypeError.",
    ("go", ""): "The package does not compile.",
    ("typescript", ""): "It does not compile.",
}


class Reporter:
    """Turns breaks into candidates; reads both revisions for quotes."""

    def __init__(self, change: ChangeView, base: RepositoryView, head: RepositoryView) -> None:
        self._change, self._lines = change, Lines(change)
        self._views = {Side.BASE: base, Side.HEAD: head}
        self._texts: dict[tuple[Side, str], list[str]] = {}

    def candidates(self, found: Iterable[Break]) -> list[Candidate]:
        """One candidate per check and cause."""
        groups: dict[tuple[str, str, str, int, str], list[Break]] = {}
        for each in found:
            line, name = self._identity(each)
            key = (each.use.check, each.cause.side.value, each.cause.path, line, name)
            groups.setdefault(key, []).append(each)
        return [self._candidate(group) for group in groups.values()]

    def _identity(self, each: Break) -> tuple[int, str]:
        """What makes two breaks one: line and name of the definition, less where that would only repeat."""
        cause = each.cause
        if cause.before is None or not cause.before.kind:
            return 0, cause.name  # one name without a definition in one file
        if each.use.check == NAME_UNRESOLVED and cause.before.kind == "import":
            return self._lines.run_start(cause.path, cause.line), ""  # imports taken away together
        return cause.line, cause.name

    def _candidate(self, group: list[Break]) -> Candidate:
        causes = sorted(
            (each.cause for each in group), key=lambda cause: (cause.path, cause.line, cause.name)
        )
        cause = causes[0]
        uses = _distinct((each.use for each in group), near=posixpath.dirname(cause.path))
        names = list(dict.fromkeys(each.name for each in causes))
        side, path, first, last = self._anchor(cause)
        more = len(uses) - MAX_RELATED
        return Candidate(
            check=uses[0].check,
            category=Category.CORRECTNESS,
            path=path,
            start_line=first,
            end_line=last,
            side=side,
            title=self._title(cause, uses, names),
            body=self._body(cause, uses, names) + (f" And {more} more." if more > 0 else ""),
            evidence=self._evidence(cause, uses),
            related=tuple(Place(use.path, use.line, use.line) for use in uses[:MAX_RELATED]),
            target=cause.name,
            enclosing=cause.name if cause.before is not None and cause.before.kind else uses[0].enclosing,
            in_tests=all(is_test(use.path) for use in uses),
        )

    def _anchor(self, cause: Cause) -> tuple[Side, str, int, int]:
        """A line of the diff: the definition, or the first of its lines that the change touches."""
        touched = self._lines.changes(cause.side, cause.path, cause.line, cause.end_line)
        if cause.kind == "changed" and touched is None and cause.before is not None:
            # A parameter was only taken away: the line that held it is in the base.
            gone = self._lines.changes(Side.BASE, cause.before.path, cause.before.line, cause.before.end_line)
            if gone is not None:
                return Side.BASE, cause.before.path, gone, gone
        line = touched if touched is not None else cause.line
        return cause.side, cause.path, line, line

    # -- words --------------------------------------------------------------------------------------

    def _title(self, cause: Cause, uses: Sequence[Judged], names: Sequence[str]) -> str:
        use, count = uses[0], len(uses)
        name = (
            cause.name.rsplit(".", 1)[-1]
            if cause.before is None or cause.before.kind != "module"
            else cause.name
        )
        if use.check == CALL_MISMATCH:
            return _call_title(cause, uses, name)
        if use.check == ABSTRACT_MISSING:
            return _abstract_title(uses)
        if use.check == OVERRIDE_MISMATCH:
            do = "1 override does" if count == 1 else f"{count} overrides do"
            return f"`{name}()` changed, but {do} not take what it takes now"
        if cause.kind == "removed":
            told = (
                f"{_names(names[:2])} and {len(names) - 2} more are"
                if len(names) > 2
                else f"{_names(names)} are"
            )
            told = f"`{name}` is" if len(names) == 1 else told
            it = "it" if len(names) == 1 else "them"
            if use.check == IMPORT_MISSING:
                return f"{told} gone, but {count} {'file still imports' if count == 1 else 'imports still name'} {it}"
            return f"{told} gone, but {count} {'place still uses' if count == 1 else 'places still use'} {it}"
        if use.check == IMPORT_MISSING:
            return f"`{use.target}` does not exist, but is imported"
        if use.check == MEMBER_MISSING:
            return f"`{use.target}` does not exist"
        return f"`{name}` is not defined"

    def _body(self, cause: Cause, uses: Sequence[Judged], names: Sequence[str]) -> str:
        use = uses[0]
        where = ", ".join(f"{each.path}:{each.line}" for each in uses[:MAX_RELATED])
        if use.check == CALL_MISMATCH:
            told = _call_body(cause, use, where)
        elif use.check == ABSTRACT_MISSING:
            at = f" at {use.callee.path}:{use.callee.line}" if use.callee is not None else ""
            told = f"The method is abstract{at}, and no class between defines it: {where}."
        elif use.check == OVERRIDE_MISMATCH:
            told = f"Whoever calls it through the base passes what these refuse: {where}."
        elif cause.kind == "removed":
            told = (
                f"{_names(names)} stood at {cause.path}:{cause.line} before this change. Still used: {where}."
            )
            told += self._hint(cause)
        else:
            told = f"Nothing that the head defines or imports has this name: {where}."
        language = self._language(use.path)
        consequence = _CONSEQUENCE.get((language, use.check)) or _CONSEQUENCE.get((language, ""), "")
        return f"{told} {consequence}".strip()

    def _language(self, path: str) -> str:
        facts = self._views[Side.HEAD].facts(path)
        return facts.language if facts is not None else ""

    def _hint(self, cause: Cause) -> str:
        """Where the definition went, when the change shows one place it can have gone."""
        before = cause.before
        if before is not None and before.kind == "module":
            now = self._lines.new_path.get(before.path)
            return f" It is now {now}." if now is not None else ""
        if before is None or before.kind in ("", "import", "variable"):
            return ""
        moved, renamed = [], []
        for file in self._change.files:
            facts = self._views[Side.HEAD].facts(file.new_path) if file.new_path else None
            if facts is None or file.new_path is None:
                continue
            if any(b.name == cause.name and b.kind == before.kind for b in facts.bindings):
                moved.append(file.new_path)
            if file.old_path == before.path:
                renamed = self._new_names(file.old_path, facts, before.kind, before.signature)
        if len(moved) == 1:
            return f" It is now in {moved[0]}."
        if len(renamed) == 1:
            return f" It may be called `{renamed[0]}` now."
        return ""

    def _new_names(self, old_path: str, facts: FileFacts, kind: str, signature: str | None) -> list[str]:
        base = self._views[Side.BASE].facts(old_path)
        known = {binding.name for binding in base.bindings} if base is not None else set()
        return [
            b.name
            for b in facts.bindings
            if b.kind == kind and b.signature == signature and b.name not in known
        ]

    # -- evidence -----------------------------------------------------------------------------------

    def _evidence(self, cause: Cause, uses: Sequence[Judged]) -> tuple[Evidence, ...]:
        found = [self._quote(Side.HEAD, use.path, use.line, use.line) for use in uses[:_MAX_QUOTED]]
        if cause.after is not None:
            found.append(self._quote(Side.HEAD, cause.after.path, cause.after.line, cause.after.end_line))
        if cause.before is not None:
            found.append(self._quote(Side.BASE, cause.before.path, cause.before.line, cause.before.end_line))
        return tuple(quote for quote in found if quote is not None)

    def _quote(self, side: Side, path: str, first: int, last: int) -> Evidence | None:
        key = (side, path)
        if key not in self._texts:
            self._texts[key] = self._views[side].text(path).decode("utf-8", "replace").split("\n")
        last = min(last, first + _MAX_QUOTE_LINES - 1)
        quote = "\n".join(self._texts[key][first - 1 : last])
        return Evidence(path, first, last, side, quote) if quote.strip() else None


def _distinct(uses: Iterable[Judged], *, near: str) -> list[Judged]:
    """Product code before tests, the cause's own directory first: the order in which a reader fixes them."""

    def order(use: Judged) -> tuple[bool, bool, str, int, str]:
        return is_test(use.path), posixpath.dirname(use.path) != near, use.path, use.line, use.target

    ordered = sorted(uses, key=order)
    return list({(use.path, use.line): use for use in reversed(ordered)}.values())[::-1]


def _call_title(cause: Cause, uses: Sequence[Judged], name: str) -> str:
    fault = uses[0].fault or Misfit()
    if cause.kind == "changed":
        calls = f"{len(uses)} call still passes" if len(uses) == 1 else f"{len(uses)} calls still pass"
        if fault.missing:
            return f"`{name}()` now needs {_names(fault.missing)}; {calls} the old arguments"
        if fault.unknown:
            return (
                f"`{name}()` no longer takes the keyword {_names(fault.unknown)}; {calls} the old arguments"
            )
        return f"`{name}()` now takes fewer arguments; {calls} the old ones"
    if fault.missing:
        return f"`{name}()` is called without {_names(fault.missing)}"
    if fault.unknown:
        return f"`{name}()` takes no keyword {_names(fault.unknown)}"
    return f"`{name}()` is called with {fault.surplus} argument{'s' * (fault.surplus > 1)} too many"


def _call_body(cause: Cause, use: Judged, where: str) -> str:
    fault = use.fault or Misfit()
    parts = []
    if fault.missing:
        parts.append(f"lacks {_names(fault.missing)}")
    if fault.unknown:
        parts.append(f"passes {_names(fault.unknown)}, which is no parameter")
    if fault.surplus:
        parts.append(f"passes {fault.surplus} positional argument{'s' * (fault.surplus > 1)} too many")
    defined = cause.after
    at = f" The definition is at {defined.path}:{defined.line}." if defined is not None else ""
    return f"The call at {use.path}:{use.line} {' and '.join(parts)}.{at} Calls that do not fit: {where}."


def _abstract_title(uses: Sequence[Judged]) -> str:
    classes = list(dict.fromkeys(use.target for use in uses))
    method = uses[0].place.name.rsplit(".", 1)[-1]
    if len(classes) == 1:
        return f"`{classes[0]}` lacks the abstract method `{method}` and cannot be made any more"
    return f"{len(classes)} classes lack the abstract method `{method}` and cannot be made any more"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
