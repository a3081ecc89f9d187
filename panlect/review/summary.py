"""What a verdict comes to, for a person who has a minute: may it be merged, where to look, what was not looked at.

Every number follows from the stored verdict by a rule below; nothing here is a guess.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from panlect.finding import (
    Category,
    Depth,
    Finding,
    HunkCoverage,
    Place,
    Severity,
    Side,
    Verdict,
    VerdictKind,
)

CAP_STAGE = "cap"
"""The stage of the suppression ledger whose rows are listed in the summary, a line each."""

_EFFORT = ((20, 1), (100, 2), (400, 3), (1500, 4))  # up to so many changed lines; above them 5
_EFFORT_WORDS = ("", "a glance", "a short look", "a careful look", "an hour or so", "more than one sitting")
_MANY_FILES = 20  # spread over more, a change takes one step more
_MAX_EDGES = 12
_NAME = re.compile(r"`([^`]+)`")
_DRAWN = ("call-mismatch", "name-unresolved", "member-missing", "import-missing", "abstract-missing")


@dataclass(frozen=True, slots=True)
class Confidence:
    """How safe it looks to merge, 0 (do not) to 5; None where nothing was judged. Each reason is a sentence."""

    score: int | None
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "not rated" if self.score is None else f"{self.score} of 5"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One changed path: its hunks by what became of them, lines, findings and the worst of them."""

    path: str
    kind: str
    read: int
    unread: int
    excluded: int
    lines: int
    findings: int
    worst: Severity | None
    reason: str  # why something of it was not read, or needed no reading

    @property
    def state(self) -> str:
        """In two or three words."""
        if self.unread:
            return f"{self.read} of {self.read + self.unread} read"
        return "read" if self.read else "excluded"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a person needs to read the change: 1 (a glance) to 5."""

    score: int
    lines: int
    files: int

    def __str__(self) -> str:
        return f"{self.score} of 5 ({_EFFORT_WORDS[self.score]}: about {self.lines} lines in {_files(self.files)})"


@dataclass(frozen=True, slots=True)
class Calls:
    """Places of the head that rely on one changed definition and break: the edges of a diagram."""

    definition: str
    at: str
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All of it, for whichever page shows it."""

    confidence: Confidence
    files: tuple[FileRow, ...]
    effort: Effort
    checked: tuple[str, ...]
    impact: str
    calls: tuple[Calls, ...]
    rest: tuple[str, ...]  # findings that were held back for the sake of the others, a line each


def summarise(verdict: Verdict) -> Summary:
    """The summary of a verdict."""
    files = file_rows(verdict)
    return Summary(
        confidence=confidence(verdict),
        files=files,
        effort=_effort(files),
        checked=tuple(_checked(verdict)),
        impact=_impact(verdict),
        calls=tuple(_calls(verdict)),
        rest=tuple(
            f"{row.check}: {row.title} ({row.path}:{row.start_line})"
            for row in verdict.suppressed
            if row.stage == CAP_STAGE
        ),
    )


# -- confidence -----------------------------------------------------------------------------------


def confidence(verdict: Verdict) -> Confidence:
    """The least of what each rule allows, with the sentence of every rule that applies, the strictest first."""
    if verdict.kind in (VerdictKind.SKIPPED, VerdictKind.SUPERSEDED):
        return Confidence(None, (f"Nothing was judged: {verdict.reason}.",))
    if verdict.kind is VerdictKind.FAILED:
        return Confidence(0, (f"The change could not be reviewed: {verdict.reason}.",))
    rules = sorted([*_found(verdict), *_coverage(verdict), *_depth(verdict)], key=lambda rule: rule[0])
    if not rules:
        return Confidence(5, ("Everything was read and nothing was found.",))
    return Confidence(rules[0][0], tuple(sentence for _, sentence in rules))


def _found(verdict: Verdict) -> Iterator[tuple[int, str]]:
    counts = Counter(finding.severity for finding in verdict.findings)
    if counts[Severity.P0]:
        security = any(
            f.severity is Severity.P0 and f.category is Category.SECURITY for f in verdict.findings
        )
        yield 0 if security else 1, f"{_findings(counts[Severity.P0], 'P0')}: it must not be merged as it is."
    if counts[Severity.P1]:
        allowed = 2 if counts[Severity.P1] == 1 else 1
        yield allowed, f"{_findings(counts[Severity.P1], 'P1')}: something breaks for its users."
    if counts[Severity.P2]:
        yield 4 if counts[Severity.P2] < 4 else 3, f"{_findings(counts[Severity.P2], 'P2')} to look at."


def _coverage(verdict: Verdict) -> Iterator[tuple[int, str]]:
    counted, unread = len(verdict.coverage.counted), len(verdict.coverage.unread)
    if not unread:
        return
    share = 1 - unread / counted
    allowed = 4 if share >= 0.9 else 3 if share >= 0.5 else 2 if share else 1
    yield (
        allowed,
        f"{unread} of {_many(counted, 'hunk', 'hunks')} {'was' if unread == 1 else 'were'} not read.",
    )


def _depth(verdict: Verdict) -> Iterator[tuple[int, str]]:
    if verdict.depth in (Depth.CHECKS, Depth.LIGHT):
        by = (
            "checks alone; no model looked at what the code means"
            if verdict.model == "none"
            else "a light pass"
        )
        yield 4, f"The code was read by {by}."


def _findings(count: int, severity: str) -> str:
    return f"{count} {severity} finding{'' if count == 1 else 's'}"


# -- files and effort -----------------------------------------------------------------------------


def file_rows(verdict: Verdict) -> tuple[FileRow, ...]:
    """Every path of the change, those with findings first, then what was not read, then by path."""
    hunks: dict[str, list[HunkCoverage]] = defaultdict(list)
    for hunk in verdict.coverage.hunks:
        hunks[hunk.path].append(hunk)
    findings: dict[str, list[Severity]] = defaultdict(list)
    for finding in verdict.findings:
        place = finding.path or finding.evidence[0].path
        findings[place].append(finding.severity)
    rows = [_row(path, rows, findings.get(path, [])) for path, rows in hunks.items()]
    return tuple(sorted(rows, key=lambda row: (row.worst or "P9", not row.unread, row.path)))


def _row(path: str, hunks: list[HunkCoverage], severities: list[Severity]) -> FileRow:
    states = Counter(hunk.state for hunk in hunks)
    reasons = Counter(hunk.reason for hunk in hunks if hunk.state != "read" and hunk.reason)
    return FileRow(
        path=path,
        kind=hunks[0].kind,
        read=states["read"],
        unread=states["unread"],
        excluded=states["excluded"],
        lines=sum(max(1, h.end_line - h.start_line + 1) for h in hunks if h.state != "excluded"),
        findings=len(severities),
        worst=min(severities, default=None),
        reason=min(reasons, key=lambda reason: (-reasons[reason], reason), default=""),
    )


def _effort(files: tuple[FileRow, ...]) -> Effort:
    counted = [row for row in files if row.read or row.unread]
    lines = sum(row.lines for row in counted)
    score = next((step for most, step in _EFFORT if lines <= most), 5)
    return Effort(min(5, score + (len(counted) > _MANY_FILES)), lines, len(counted))


# -- what was checked, and what it touches --------------------------------------------------------


def _checked(verdict: Verdict) -> Iterator[str]:
    by_pass: Counter[str] = Counter()
    for hunk in verdict.coverage.read:
        by_pass.update(hunk.passes or ((hunk.depth.value,) if hunk.depth else ()))
    words = {"text": "marks that no reader should miss", "checks": "what the change breaks elsewhere"}
    for name, count in sorted(by_pass.items()):
        yield f"{_many(count, 'hunk', 'hunks')} by {name}" + (f" ({words[name]})" if name in words else "")
    excluded = Counter(hunk.reason for hunk in verdict.coverage.excluded)
    for reason, count in sorted(excluded.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"{_many(count, 'hunk needs', 'hunks need')} no reading: {reason}"
    dropped = Counter(row.stage for row in verdict.suppressed if row.stage != CAP_STAGE)
    for stage, count in sorted(dropped.items()):
        yield f"{_many(count, 'candidate', 'candidates')} dropped at {stage}"


def _places(finding: Finding) -> Iterator[Place]:
    """Where the head shows what a finding says."""
    yield from finding.related
    for evidence in finding.evidence:
        if evidence.side is Side.HEAD:
            yield Place(evidence.path, evidence.start_line, evidence.end_line)


def _impact(verdict: Verdict) -> str:
    """What the findings show of places outside the change, in one sentence; "" when they show none."""
    changed = {hunk.path for hunk in verdict.coverage.hunks}
    outside = {
        (place.path, place.start_line)
        for finding in verdict.findings
        for place in _places(finding)
        if place.path not in changed
    }
    if not outside:
        return ""
    files = len({path for path, _ in outside})
    return f"{_many(len(outside), 'place', 'places')} in {_files(files)} outside the change break with it."


def _calls(verdict: Verdict) -> Iterator[Calls]:
    """Changed definitions that two files or more rely on and that no longer fit; what a diagram helps with."""
    left = _MAX_EDGES
    for finding in verdict.findings:
        files = _relying(finding)
        if len(files) < 2 or left <= 0 or finding.path is None:
            continue
        callers = tuple(files[:left])
        left -= len(callers)
        named = _NAME.search(finding.title)
        name = named[1] if named else finding.title
        yield Calls(name, f"{finding.path}:{finding.start_line}", callers)


def _relying(finding: Finding) -> list[str]:
    if finding.check not in _DRAWN:
        return []
    return sorted({place.path for place in _places(finding)} - {finding.path or ""})


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _files(count: int) -> str:
    return _many(count, "file", "files")
