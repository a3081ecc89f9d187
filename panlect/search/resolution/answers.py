"""What a name leads to: definitions and modules, how surely and why; the values that resolving passes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from panlect.code.analysis import Definition
from panlect.search.families.layout import Module

MOST_CANDIDATES: Final = 20
MOST_FILES_OF_NAME: Final = 500  # that are looked through for one name
REMEMBERED: Final = 100_000  # answers of one kind

# How sure an answer is, by what tells it.
OWN: Final = 1.0
IMPORTED: Final = 0.95
MEMBER: Final = 0.9
PACKAGE: Final = 0.8
BY_NAME: Final = 0.5  # shared by all that bear it


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


class Site(NamedTuple):
    """A definition and its file."""

    path: str
    definition: Definition


class Bound(NamedTuple):
    """A module, package or namespace that a name stands for, as the file `importer` calls it."""

    importer: str
    name: str
    module: Module


Target = Site | Bound


class Answer(NamedTuple):
    """What a name leads to, how surely, and why. `external`: out of the repository; `local`: to no definition."""

    targets: tuple[Target, ...] = ()
    confidence: float = 0.0
    reason: str = ""
    external: bool = False
    local: bool = False


NOTHING: Final = Answer()
EXTERNAL: Final = Answer(external=True)
LOCAL: Final = Answer(local=True)
