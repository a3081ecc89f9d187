"""A verdict as JSON, in the shape that `docs/reference/json.md` promises and its schema checks."""

from __future__ import annotations

from typing import Any

from panlect.finding import Evidence, Finding, HunkCoverage, Place, Suppressed, Verdict
from panlect.review.summary import FileRow, summarise

SCHEMA_VERSION = 1


def review_json(verdict: Verdict, *, mode: str, ms: float) -> dict[str, Any]:
    """What `panlect review --json` writes and the API answers."""
    coverage, summary = verdict.coverage, summarise(verdict)
    return {
        "schema_version": SCHEMA_VERSION,
        "mode": mode,
        "verdict": verdict.kind.value,
        "depth": verdict.depth.value if verdict.depth else None,
        "reason": verdict.reason,
        "base": verdict.base_sha,
        "head": verdict.head_sha,
        "model": verdict.model,
        "confidence": {"score": summary.confidence.score, "reasons": list(summary.confidence.reasons)},
        "effort": summary.effort.score,
        "breaks_outside": summary.impact,
        "files": [_file(row) for row in summary.files],
        "findings": [finding_json(finding) for finding in verdict.findings],
        "suppressed": [_suppressed(row) for row in verdict.suppressed],
        "coverage": {
            "hunks": len(coverage.counted),
            "read": len(coverage.read),
            "unread": [{"path": h.path, "lines": _lines(h), "reason": h.reason} for h in coverage.unread],
            "excluded": [{"path": h.path, "reason": h.reason} for h in coverage.excluded],
        },
        "ms": round(ms, 1),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "fingerprint": finding.fingerprint,
        "check": finding.check,
        "severity": finding.severity.value,
        "category": finding.category.value,
        "path": finding.path,
        "start_line": finding.start_line,
        "end_line": finding.end_line,
        "side": finding.side.value,
        "title": finding.title,
        "body": finding.body,
        "related": [_place(place) for place in finding.related],
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
    }


def _file(row: FileRow) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "lines": row.lines,
        "read": row.read,
        "unread": row.unread,
        "excluded": row.excluded,
        "findings": row.findings,
        "worst": row.worst.value if row.worst else None,
    }


def _place(place: Place) -> dict[str, Any]:
    return {"path": place.path, "start_line": place.start_line, "end_line": place.end_line}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "path": evidence.path,
        "start_line": evidence.start_line,
        "end_line": evidence.end_line,
        "side": evidence.side.value,
        "quote": evidence.quote,
    }


def _suppressed(row: Suppressed) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "reason": row.reason,
        "check": row.check,
        "path": row.path,
        "start_line": row.start_line,
        "title": row.title,
    }


def _lines(hunk: HunkCoverage) -> str:
    return f"{hunk.start_line}-{hunk.end_line}"
