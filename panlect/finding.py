"""What journey A is about: candidates, findings with evidence, coverage, and the verdict for one head.

Imports nothing of ours, so every room can speak these words. Lines are 1-based and inclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """P0 stops the line, P3 is a note; string order is severity order."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"

    def at_least(self, threshold: Severity) -> bool:
        """Whether this is as severe as `threshold`, or more."""
        return self.value <= threshold.value


class Side(StrEnum):
    """Which revision a line or a quote is of."""

    BASE = "base"
    HEAD = "head"


class Category(StrEnum):
    """What kind of harm a finding speaks of."""

    CORRECTNESS = "correctness"
    SECURITY = "security"
    CONTRACT = "contract"
    DATA = "data"
    TESTS = "tests"
    DOCS = "docs"


class Depth(StrEnum):
    """How a hunk was read, shallow to deep."""

    TEXT = "text"
    CHECKS = "checks"
    LIGHT = "light"
    NORMAL = "normal"
    DEEP = "deep"


class VerdictKind(StrEnum):
    """The truth about one head commit."""

    REVIEWED = "REVIEWED"
    PARTIAL = "PARTIAL"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of one file, 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verbatim quote and where it stands; checked against that revision before anything is posted."""

    path: str
    start_line: int
    end_line: int
    side: Side
    quote: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a check (or a model) claims, before verification and selection.

    `path`/lines/`side` propose the anchor: the changed definition or call. `target` is what the claim is
    about (a name, a callable); `enclosing` the qualified name of the definition around the anchor.
    """

    check: str
    category: Category
    path: str
    start_line: int
    end_line: int
    side: Side
    title: str
    body: str
    evidence: tuple[Evidence, ...]
    related: tuple[Place, ...] = ()
    target: str = ""
    enclosing: str = ""
    in_tests: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A verified candidate that will be shown. `path` is None when no line of the diff can carry it."""

    fingerprint: str
    check: str
    severity: Severity
    category: Category
    path: str | None
    start_line: int | None
    end_line: int | None
    side: Side
    title: str
    body: str
    evidence: tuple[Evidence, ...]
    related: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A candidate that will not be shown: at which stage it fell and why."""

    stage: str
    reason: str
    check: str
    path: str
    start_line: int
    title: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class HunkCoverage:
    """One hunk in the coverage ledger: read at some depth, unread with a reason, or excluded with a reason.

    Lines are those of the head, or of the base where the hunk only deletes (`side`).
    """

    path: str
    start_line: int
    end_line: int
    side: Side
    kind: str
    state: str  # read | unread | excluded
    reason: str = ""
    depth: Depth | None = None
    passes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every hunk of a change, each exactly once."""

    hunks: tuple[HunkCoverage, ...] = ()

    @property
    def counted(self) -> tuple[HunkCoverage, ...]:
        """Hunks that have to be read: all but the excluded ones."""
        return tuple(h for h in self.hunks if h.state != "excluded")

    @property
    def read(self) -> tuple[HunkCoverage, ...]:
        """Hunks that were read."""
        return tuple(h for h in self.hunks if h.state == "read")

    @property
    def unread(self) -> tuple[HunkCoverage, ...]:
        """Hunks that should have been read and were not."""
        return tuple(h for h in self.hunks if h.state == "unread")

    @property
    def excluded(self) -> tuple[HunkCoverage, ...]:
        """Hunks that need no reading, with the reason."""
        return tuple(h for h in self.hunks if h.state == "excluded")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of one head commit, and why; immutable once stored."""

    kind: VerdictKind
    reason: str
    depth: Depth | None
    base_sha: str
    head_sha: str
    coverage: Coverage = field(default_factory=Coverage)
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    model: str = "none"
