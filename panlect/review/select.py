"""What to say: identity, severity, one finding a cause, a legal anchor, no more than a reader takes in; a total order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from panlect.change import Change
from panlect.finding import Candidate, Evidence, Finding, Place, Severity, Side, Suppressed
from panlect.review.rules import NO_RULES, Rules
from panlect.review.severity import severity
from panlect.review.summary import CAP_STAGE
from panlect.review.verify import suppressed
from panlect.rules.config import FILE, ReviewSection

FINGERPRINT_VERSION = 1
SMALL_CHANGE = 300  # changed lines
_OF_NAMES = frozenset(
    {
        "abstract-missing",
        "call-mismatch",
        "import-missing",
        "member-missing",
        "name-unresolved",
        "override-mismatch",
    }
)  # checks whose target is one thing, wherever it is used: two of them with one target have one cause
_MAX_ALSO = 20
_MAX_QUOTES = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is said. `small` and `large`: comments on lines of a change up to, and above, SMALL_CHANGE lines.

    P0 and P1 are never cut. `notes`: P3 findings, which stand in the summary. None is no limit.
    """

    minimum: Severity = Severity.P3
    small: int | None = 4
    large: int | None = 7
    notes: int | None = 10

    def inline(self, lines: int) -> int | None:
        """Comments for a change of so many lines."""
        return self.small if lines <= SMALL_CHANGE else self.large

    def under(self, review: ReviewSection) -> Limits:
        """These limits with a repository's own caps; what somebody asked for otherwise stays."""
        return Limits(
            self.minimum,
            review.inline_small if self.small == STANDARD.small else self.small,
            review.inline_large if self.large == STANDARD.large else self.large,
            review.notes if self.notes == STANDARD.notes else self.notes,
        )


STANDARD = Limits()
UNLIMITED = Limits(small=None, large=None, notes=None)
"""For measuring: everything that is found."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Findings in the order they are shown, and what was left out with the reason."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()


def select(
    candidates: tuple[Candidate, ...], change: Change, limits: Limits = STANDARD, rules: Rules = NO_RULES
) -> Selection:
    """Findings of `candidates`: each cause once, most severe first, whatever the input's order.

    What goes over a limit is in the suppression ledger at the stage `cap`, and the summary lists it.
    """
    fallen: list[Suppressed] = []
    causes: dict[object, list[Candidate]] = {}
    seen: set[str] = set()
    for candidate in sorted(candidates, key=_order):
        print_, level = fingerprint(candidate), severity(candidate)
        if print_ in seen:
            fallen.append(suppressed(candidate, "select", "the same finding twice", print_))
        elif level is None:
            fallen.append(suppressed(candidate, "select", "cosmetic", print_))
        elif not level.at_least(limits.minimum):
            fallen.append(suppressed(candidate, "select", f"below {limits.minimum}", print_))
        elif reason := rules.silenced(candidate, change):
            fallen.append(suppressed(candidate, "rules", reason, print_))
        elif not level.at_least(least := rules.least(candidate)):
            fallen.append(suppressed(candidate, "rules", f"below {least}, the least of {FILE}", print_))
        else:
            seen.add(print_)
            causes.setdefault(_cause(candidate, print_), []).append(candidate)
    found = []
    for first, *others in causes.values():
        where = f"{first.path}:{first.start_line}"
        fallen += [
            suppressed(o, "select", f"the cause of {where}, which names it", fingerprint(o)) for o in others
        ]
        finding = _finding(_joined(first, others), fingerprint(first), change)
        if rules.only_in_summary(first):
            finding = replace(finding, path=None, start_line=None, end_line=None)
        found.append(finding)
    shown, over = _capped(sorted(found, key=_shown_order), limits.under(rules.config.review), change.lines)
    return Selection(tuple(shown), (*fallen, *over))


def _cause(candidate: Candidate, print_: str) -> object:
    """What a developer repairs once: a name of one kind, as one definition had it before the change."""
    if candidate.check not in _OF_NAMES or not candidate.target:
        return print_
    before = frozenset((e.path, e.start_line) for e in candidate.evidence if e.side is Side.BASE)
    return candidate.check, candidate.target, before


def _joined(first: Candidate, others: Iterable[Candidate]) -> Candidate:
    """`first` with the places and proofs of the others of its cause."""
    related, evidence = dict.fromkeys(first.related), dict.fromkeys(first.evidence)
    for other in others:
        if other.side is Side.HEAD:
            related[Place(other.path, other.start_line, other.end_line)] = None
        related |= dict.fromkeys(other.related)
        evidence |= dict.fromkeys(other.evidence)
    quotes = tuple(evidence)[: max(_MAX_QUOTES, len(first.evidence))]
    return replace(first, related=tuple(related)[: max(_MAX_ALSO, len(first.related))], evidence=quotes)


def _capped(findings: list[Finding], limits: Limits, lines: int) -> tuple[list[Finding], list[Suppressed]]:
    """The findings that are shown, and the ledger's rows of those over the limit. `findings` are in order."""
    most, notes = limits.inline(lines), limits.notes
    shown: list[Finding] = []
    over: list[Suppressed] = []
    comments = remarks = 0
    for finding in findings:
        if finding.severity is Severity.P3:
            remarks += 1
            cut = notes is not None and remarks > notes
            reason = f"more than {notes} notes"
        elif finding.path is None:
            cut, reason = False, ""  # it takes no line; the summary has it
        else:
            comments += 1
            cut = most is not None and comments > most and not finding.severity.at_least(Severity.P1)
            reason = f"more than {most} comments on a change of {lines} lines"
        if cut:
            over.append(_over(finding, reason))
        else:
            shown.append(finding)
    return shown, over


def _over(finding: Finding, reason: str) -> Suppressed:
    where = finding.evidence[0]
    return Suppressed(
        CAP_STAGE,
        f"{finding.severity}, {reason}",
        finding.check,
        finding.path or where.path,
        finding.start_line or where.start_line,
        finding.title,
        finding.fingerprint,
    )


def fingerprint(candidate: Candidate) -> str:
    """Fingerprint v1: what it says of which definition, whatever its line number."""
    quote = next(
        (e.quote for e in candidate.evidence if e.path == candidate.path and e.side is candidate.side), ""
    )
    folded = re.sub(r"\s+", " ", quote or candidate.target).strip()
    parts = (
        str(FINGERPRINT_VERSION),
        candidate.check,
        candidate.path,
        candidate.enclosing,
        candidate.target,
        folded,
    )
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def _finding(candidate: Candidate, print_: str, change: Change) -> Finding:
    legal = change.shows(candidate.path, candidate.side, candidate.start_line, candidate.end_line)
    return Finding(
        fingerprint=print_,
        check=candidate.check,
        severity=severity(candidate) or Severity.P3,
        category=candidate.category,
        path=candidate.path if legal else None,
        start_line=candidate.start_line if legal else None,
        end_line=candidate.end_line if legal else None,
        side=candidate.side,
        title=candidate.title,
        body=candidate.body,
        evidence=tuple(sorted(candidate.evidence, key=lambda e: _distance(candidate, e))),
        related=candidate.related,
    )


def _distance(candidate: Candidate, evidence: Evidence) -> int:
    """The changed place first, as it is and as it was; then what it breaks, in the order given."""
    if (evidence.path, evidence.start_line) != (candidate.path, candidate.start_line):
        return 2
    return int(evidence.side is not candidate.side)


def _order(candidate: Candidate) -> tuple[str, str, int, str, str, str, str]:
    return (
        severity(candidate) or "P9",
        candidate.path,
        candidate.start_line,
        candidate.check,
        candidate.target,
        candidate.body,
        repr(candidate),  # whatever else differs: of two claims with one fingerprint the same one wins
    )


def _shown_order(finding: Finding) -> tuple[str, str, int, str, str]:
    where = finding.evidence[0]
    return (
        finding.severity,
        finding.path or where.path,
        finding.start_line or where.start_line,
        finding.check,
        finding.fingerprint,
    )
