"""A verdict as GitLab's code quality report: a list of issues that a merge request shows in its widget and diff."""

from __future__ import annotations

from typing import Any

from panlect.finding import Finding, Verdict
from panlect.review.outputs.spots import at_head, said, severities

_SEVERITY = severities("blocker", "critical", "major", "info")


def code_quality(verdict: Verdict) -> list[dict[str, Any]]:
    """One issue a finding. The format has no word for "not read": the exit code of --strict says it."""
    return [_issue(finding) for finding in verdict.findings]


def _issue(finding: Finding) -> dict[str, Any]:
    place = at_head(finding)
    return {
        "description": f"{finding.severity} {said(finding)}",
        "check_name": finding.check,
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITY[finding.severity],
        "location": {
            "path": place.path,
            "lines": {"begin": place.start_line, "end": max(place.start_line, place.end_line)},
        },
    }
