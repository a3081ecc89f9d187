"""A verdict as rdjson, the diagnostics that reviewdog takes (`reviewdog -f=rdjson`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from panlect.finding import Evidence, Finding, HunkCoverage, Side, Verdict
from panlect.redact import redact
from panlect.review.outputs.spots import at_head, elsewhere, failure, said, severities, where

_SEVERITY = severities("ERROR", "ERROR", "WARNING", "INFO")
_MAX_NAMED = 10


def rdjson(verdict: Verdict) -> dict[str, Any]:
    """Findings, then what was not read: a reader of this file alone must not take silence for a review."""
    return {
        "source": {"name": "panlect"},
        "diagnostics": [
            *_failure(verdict),
            *(_finding(finding) for finding in verdict.findings),
            *(_unread(hunk) for hunk in verdict.coverage.unread),
        ],
    }


def _failure(verdict: Verdict) -> Iterator[dict[str, Any]]:
    if failed := failure(verdict):
        yield {
            "message": failed,
            "location": {"path": "."},
            "severity": "ERROR",
            "code": {"value": "not-reviewed"},
        }


def _unread(hunk: HunkCoverage) -> dict[str, Any]:
    """A hunk that was not read; one that the head does not have is told by its file alone."""
    if hunk.side is Side.HEAD:
        text = f"Not read: {hunk.reason}."
        return _diagnostic(text, "INFO", "unread", hunk.path, hunk.start_line, hunk.end_line)
    text = redact(f"Not read: {hunk.reason}. It was line {hunk.start_line} before the change.")
    return {"message": text, "location": {"path": hunk.path}, "severity": "INFO", "code": {"value": "unread"}}


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
