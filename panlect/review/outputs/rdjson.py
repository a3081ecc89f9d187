"""A verdict as rdjson, the diagnostics that reviewdog takes (`reviewdog -f=rdjson`)."""

from __future__ import annotations

from typing import Any

from panlect.finding import Evidence, Finding, Side, Verdict
from panlect.redact import redact
from panlect.review.outputs.spots import at_head, elsewhere, said, severities, where

_SEVERITY = severities("ERROR", "ERROR", "WARNING", "INFO")
_MAX_NAMED = 10


def rdjson(verdict: Verdict) -> dict[str, Any]:
    """Findings, then what was not read: a reader of this file alone must not take silence for a review."""
    unread = [
        _diagnostic(f"Not read: {hunk.reason}.", "INFO", "unread", hunk.path, hunk.start_line, hunk.end_line)
        for hunk in verdict.coverage.unread
        if hunk.side is Side.HEAD
    ]
    return {
        "source": {"name": "panlect"},
        "diagnostics": [*(_finding(finding) for finding in verdict.findings), *unread],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    place = at_head(finding)
    others = [_named(other) for other in elsewhere(finding)]
    more = f" and {len(others) - _MAX_NAMED} more" if len(others) > _MAX_NAMED else ""
    also = f" Also: {', '.join(others[:_MAX_NAMED])}{more}." if others else ""
    severity = _SEVERITY[finding.severity]
    text = f"{finding.severity} {said(finding)}{also}"
    return _diagnostic(text, severity, finding.check, place.path, place.start_line, place.end_line)


def _named(place: Evidence) -> str:
    return where(place) + (" (before)" if place.side is Side.BASE else "")


def _diagnostic(text: str, severity: str, code: str, path: str, first: int, last: int) -> dict[str, Any]:
    lines = {"start": {"line": first}, "end": {"line": max(first, last)}}  # without columns: whole lines
    return {
        "message": redact(text),
        "location": {"path": path, "range": lines},
        "severity": severity,
        "code": {"value": code},
    }
