"""Evidence against the revisions: a quote that is not there, word for word, drops its candidate."""

from __future__ import annotations

from dataclasses import dataclass

from panlect.change import Change
from panlect.finding import Candidate, Evidence, Side, Suppressed
from panlect.index.snapshot import Snapshot
from panlect.redact import masked


@dataclass(frozen=True, slots=True)
class Verified:
    """Candidates whose evidence holds, and those that fell with the reason."""

    candidates: tuple[Candidate, ...]
    suppressed: tuple[Suppressed, ...] = ()


def verify(candidates: tuple[Candidate, ...], change: Change, base: Snapshot, head: Snapshot) -> Verified:
    """Keep what is proved: every quote stands where it is said to, at least one of them at the head."""
    kept: list[Candidate] = []
    fallen: list[Suppressed] = []
    for candidate in candidates:
        reason = _refutation(candidate, change, base, head)
        if reason:
            fallen.append(suppressed(candidate, "verify", reason))
        else:
            kept.append(candidate)
    return Verified(tuple(kept), tuple(fallen))


def _refutation(candidate: Candidate, change: Change, base: Snapshot, head: Snapshot) -> str:
    if not any(evidence.side is Side.HEAD for evidence in candidate.evidence):
        return "no evidence at the head"
    for evidence in candidate.evidence:
        if not quote_holds(evidence, base if evidence.side is Side.BASE else head):
            return f"quote not found at {evidence.path}:{evidence.start_line} ({evidence.side})"
    touched = {file.new_path for file in change.files} | {file.old_path for file in change.files}
    if not {candidate.path, *(e.path for e in candidate.evidence)} & touched:
        return "nothing of it is in the change"
    return ""


def quote_holds(evidence: Evidence, snapshot: Snapshot) -> bool:
    """Whether the quoted lines read exactly so, but for white space at their ends.

    A line with a credential may be quoted masked: then the line, masked in the same way, has to read so.
    """
    if not snapshot.exists(evidence.path) or not evidence.quote.strip():
        return False
    if not 1 <= evidence.start_line <= evidence.end_line:
        return False
    lines = snapshot.text(evidence.path).decode("utf-8", "replace").split("\n")
    there = lines[evidence.start_line - 1 : evidence.end_line]
    said = evidence.quote.split("\n")  # as git counts lines: a form feed or U+2028 ends none
    return len(there) == len(said) and all(_reads(a, b) for a, b in zip(there, said, strict=True))


def _reads(line: str, said: str) -> bool:
    return line.strip() == said.strip() or ("[SECRET:" in said and masked(line).strip() == said.strip())


def suppressed(candidate: Candidate, stage: str, reason: str, fingerprint: str = "") -> Suppressed:
    """The suppression ledger's row of a candidate."""
    return Suppressed(
        stage, reason, candidate.check, candidate.path, candidate.start_line, candidate.title, fingerprint
    )
