"""What to say: identity, severity, one finding a cause, a legal anchor, a total order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from panlect.change import Change
from panlect.finding import Candidate, Evidence, Finding, Severity, Suppressed
from panlect.review.verify import suppressed

FINGERPRINT_VERSION = 1
_NOTES = frozenset({"hidden-unicode"})  # one step lower: proof that it is there, none that it harms


@dataclass(frozen=True, slots=True)
class Selection:
    """Findings in the order they are shown, and what was left out with the reason."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()


def select(candidates: tuple[Candidate, ...], change: Change) -> Selection:
    """Findings of `candidates`: each cause once, most severe first, whatever the input's order."""
    ordered = sorted(candidates, key=_order)
    seen: dict[str, Finding] = {}
    fallen: list[Suppressed] = []
    for candidate in ordered:
        print_ = fingerprint(candidate)
        if print_ in seen:
            fallen.append(suppressed(candidate, "select", "the same finding twice", print_))
        else:
            seen[print_] = _finding(candidate, print_, change)
    return Selection(tuple(sorted(seen.values(), key=_shown_order)), tuple(fallen))


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


def severity(candidate: Candidate) -> Severity:
    """P1 in product code, P2 in tests; notes are one step lower."""
    level = 2 if candidate.in_tests else 1
    return Severity(f"P{level + (candidate.check in _NOTES)}")


def _finding(candidate: Candidate, print_: str, change: Change) -> Finding:
    legal = change.shows(candidate.path, candidate.side, candidate.start_line, candidate.end_line)
    return Finding(
        fingerprint=print_,
        check=candidate.check,
        severity=severity(candidate),
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
        severity(candidate),
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
