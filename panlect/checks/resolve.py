"""What a language's world answers when a name is looked up across files, and how one use is judged.

There are three answers, not two: a name is called missing only where the scope that would hold it is known
completely; everything else is unknown, and unknown is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from panlect.checks.call_fit import Misfit
from panlect.code.facts import Binding

NAME_UNRESOLVED = "name-unresolved"
MEMBER_MISSING = "member-missing"
IMPORT_MISSING = "import-missing"
CALL_MISMATCH = "call-mismatch"
ABSTRACT_MISSING = "abstract-missing"
OVERRIDE_MISMATCH = "override-mismatch"

MAX_HOPS = 40
"""Re-exports followed before a lookup gives up: real chains have two or three."""


class State(Enum):
    """Whether a use can be served."""

    FINE = "fine"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is, or should be: `holder` is a file (a directory in Go), `name` "" means the holder."""

    holder: str
    name: str


@dataclass(frozen=True, slots=True)
class Site:
    """The lines of one definition."""

    path: str
    line: int
    end_line: int
    kind: str = ""
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A name found: its binding in a file, or a module (`module` set), or neither when it needs no more.

    `holder` names the class of a method.
    """

    path: str = ""
    binding: Binding | None = None
    module: str | None = None
    holder: str = ""

    def site(self) -> Site | None:
        """The lines of the binding, None for a module."""
        if self.binding is None:
            return None
        binding = self.binding
        return Site(self.path, binding.line, binding.header_end, binding.kind, binding.signature)


@dataclass(frozen=True, slots=True)
class Missing:
    """A name that cannot be there: the place is known completely."""

    place: Place


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing can be said."""


Lookup = Found | Missing | Unknown
UNKNOWN = Unknown()
ELSEWHERE = Found()
"""Outside the repository, and taken to be there."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One use, judged. `place`: where the lookup failed, or where the called definition stands.

    `only_if_fine_before`: nothing is claimed of a use that the base has not got.
    """

    check: str
    path: str
    line: int
    enclosing: str
    target: str
    state: State
    place: Place
    callee: Site | None = None
    fault: Misfit | None = None
    only_if_fine_before: bool = False


class World(Protocol):
    """All files of one language in one revision."""

    def judge(self, path: str, wanted: frozenset[str] | None) -> Iterator[Judged]:
        """Every use in the file that mentions one of `wanted` (None: every use), judged."""
        ...

    def site(self, place: Place) -> Site | None:
        """The definition at a place, or the first line of a module; None when there is none."""
        ...


def state_of(found: Lookup) -> State:
    """How a lookup's answer judges the use."""
    if isinstance(found, Found):
        return State.FINE
    return State.BROKEN if isinstance(found, Missing) else State.UNKNOWN
