"""Where a finding stands for programs that only know the head, and what each check is about."""

from __future__ import annotations

from collections.abc import Iterator

from panlect.finding import Evidence, Finding, Place, Severity, Side, Verdict, VerdictKind
from panlect.redact import redact

RULES = {
    "abstract-missing": "A class does not implement what its base declares abstract",
    "call-mismatch": "A call does not fit what it calls",
    "conflict-marker": "A merge conflict was committed unresolved",
    "hidden-unicode": "Invisible characters change what a line says",
    "import-missing": "Something is imported that does not exist",
    "member-missing": "A module, class or package has no member of this name",
    "migration-risk": "A migration can lose data, fail or hold a lock for long",
    "name-unresolved": "A name is used that nothing defines",
    "override-mismatch": "An override does not fit what it overrides",
    "reviewer-injection": "The change addresses the reviewer instead of the program",
    "secret": "A credential is part of the change",
    "unparsable": "A file no longer parses",
}
"""What each check is about, in one line."""


def about(check: str) -> str:
    """One line about a check, also about one that has none written down."""
    return RULES.get(check, f"Found by {check}")


def at_head(finding: Finding) -> Evidence:
    """The lines of the head that a finding stands on: its anchor, else the first proof that the head has.

    An anchor on removed lines is no place in the head; what proves the finding always has one there.
    """
    quotes = [evidence for evidence in finding.evidence if evidence.side is Side.HEAD]
    if finding.path is not None and finding.start_line is not None and finding.side is Side.HEAD:
        end = finding.end_line or finding.start_line
        quoted = (e.quote for e in quotes if (e.path, e.start_line) == (finding.path, finding.start_line))
        return Evidence(finding.path, finding.start_line, end, Side.HEAD, next(quoted, ""))
    return quotes[0] if quotes else finding.evidence[0]


def elsewhere(finding: Finding) -> Iterator[Evidence]:
    """Every other place of a finding once: the quoted ones, then those that are only named."""
    here = at_head(finding)
    seen = {(here.path, here.start_line, here.side)}
    named = (Evidence(p.path, p.start_line, p.end_line, Side.HEAD, "") for p in finding.related)
    for place in (*finding.evidence, *named):
        if (place.path, place.start_line, place.side) not in seen:
            seen.add((place.path, place.start_line, place.side))
            yield place


def said(finding: Finding) -> str:
    """Title and body as plain text, without secrets."""
    return redact(f"{finding.title}. {finding.body}".strip())


def failure(verdict: Verdict) -> str:
    """What to say where nothing was reviewed at all, or "": an empty list of findings must not pass for clean."""
    if verdict.kind not in (VerdictKind.FAILED, VerdictKind.SUPERSEDED):
        return ""
    return redact(f"{verdict.kind.value}, not reviewed: {verdict.reason}")


def where(place: Place | Evidence) -> str:
    """`path:line` or `path:first-last`."""
    many = place.end_line != place.start_line
    return f"{place.path}:{place.start_line}" + (f"-{place.end_line}" if many else "")


def severities(p0: str, p1: str, p2: str, p3: str) -> dict[Severity, str]:
    """Another program's words for ours, worst first."""
    return dict(zip(Severity, (p0, p1, p2, p3), strict=True))
