"""A verdict as GitLab's code quality report: a list of issues that a merge request shows in its widget and diff."""

from __future__ import annotations

from typing import Any

from panlect.finding import Finding, Verdict
from panlect.review.outputs.spots import at_head, failure, said, severities

_SEVERITY = severities("blocker", "critical", "major", "info")


def code_quality(verdict: Verdict) -> list[dict[str, Any]]:
    """One issue a finding, or one for a failed review. It has no word for "not read": --strict says that."""
    failed = failure(verdict)
    whole = {
        "description": failed,
        "check_name": "not-reviewed",
        "fingerprint": f"not-reviewed-{verdict.head_sha}",
        "severity": "blocker",
        "location": {"path": ".", "lines": {"begin": 1, "end": 1}},
    }
    return [*([whole] if failed else []), *(_issue(finding) for finding in verdict.findings)]


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
