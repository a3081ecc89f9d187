"""The text around a reference: the words before its dot, and what the function around it binds for itself."""

from __future__ import annotations

from collections import OrderedDict

from panlect.code.analysis import Definition, Reference
from panlect.search.names import FileNames
from panlect.search.resolution.sources import KEPT_FILES, Sources
from panlect.search.spelling import (
    LONGEST_LINE,
    bound_names,
    chain_before,
    is_parameter,
    is_word,
    with_lines_above,
)

_LONGEST_BODY = 3_000  # lines of a function that are read for what it binds
_SUPER = ("super",)


class Around:
    """The lines around references. What a function binds is remembered."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._bound: OrderedDict[tuple[str, int], dict[str, int]] = OrderedDict()

    def chain(self, file: FileNames, reference: Reference) -> tuple[str, ...]:
        """The words before a name, outermost first; () for a bare one, "" first where no plain word begins it."""
        line = self._line(file, reference)
        found = _chains_before(line, reference) if line is not None else []
        if not found and reference.receiver:
            return (reference.receiver,)
        if not found:
            return ("",) if line is not None and reference.kind == "attribute" else ()
        if reference.kind == "attribute":
            return next((chain for chain in found if chain), ("",))
        return min(found, key=len) if reference.receiver == "" else found[0]

    def _line(self, file: FileNames, reference: Reference) -> str | None:
        """The line of a reference, with those above where it goes on with a dot; None for none that can be read."""
        lines = self._sources.lines(file.path)
        if not 0 < reference.line <= len(lines) or len(lines[reference.line - 1]) > LONGEST_LINE:
            return None
        line = lines[reference.line - 1]
        if not reference.receiver and line.lstrip().startswith((".", "?.", "->", "::")):
            return with_lines_above(lines, reference.line)
        return line

    def binds(self, file: FileNames, function: Definition, name: str, line: int) -> bool:
        """Whether a function has a parameter or variable of this name at a line, as far as its text tells."""
        if is_parameter(file.family, function.signature, name):
            return True
        key = (file.path, function.start_line)
        found = self._bound.get(key)
        if found is None:
            first, last = function.start_line, min(function.end_line, function.start_line + _LONGEST_BODY)
            found = bound_names(file.family, self._sources.lines(file.path)[first - 1 : last], first)
            self._bound[key] = found
            if len(self._bound) > KEPT_FILES:
                self._bound.popitem(last=False)
        return found.get(name, line) < line

    def says_self_path(self, file: FileNames, reference: Reference) -> bool:
        """Whether the line of a reference has a path of Rust that begins with `self::`."""
        lines = self._sources.lines(file.path)
        line = lines[reference.line - 1] if 0 < reference.line <= len(lines) else ""
        return "self::" in line


def _chains_before(line: str, reference: Reference) -> list[tuple[str, ...]]:
    """The words before each place of a line where the name stands behind the receiver of a reference."""
    found: list[tuple[str, ...]] = []
    name = reference.name
    at = line.find(name)
    while at >= 0:
        end = at + len(name)
        if not (is_word(line, at - 1) or is_word(line, end)):
            chain = chain_before(line, at)
            if (chain[-1] if chain and chain != _SUPER else "") == reference.receiver.lstrip("$"):
                found.append(chain)
        at = line.find(name, end)
    return found
