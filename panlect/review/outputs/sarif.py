"""A verdict as SARIF 2.1.0, for code scanning. What was not read is a notification, so silence never looks clean."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from panlect import __version__
from panlect.finding import Evidence, Finding, HunkCoverage, Side, Verdict
from panlect.redact import redact
from panlect.review.outputs.spots import about, at_head, elsewhere, failure, said, severities
from panlect.review.select import FINGERPRINT_VERSION

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = severities("error", "error", "warning", "note")
_SCORE = severities("9.5", "8.0", "5.0", "2.0")  # the scale by which code scanning ranks security results
_MAX_NOTES = 500


def sarif(verdict: Verdict) -> dict[str, Any]:
    """One run: findings as results, by rule; unread hunks and a failed review as notifications."""
    rules = sorted({finding.check for finding in verdict.findings})
    run = {
        "tool": {"driver": _driver(verdict, rules)},
        "automationDetails": {"id": "panlect/review/"},
        "invocations": [_invocation(verdict)],
        "results": [_result(finding, rules) for finding in verdict.findings],
        "properties": {
            "verdict": verdict.kind.value,
            "reason": redact(verdict.reason),
            "base": verdict.base_sha,
            "head": verdict.head_sha,
            "model": verdict.model,
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(verdict: Verdict, rules: list[str]) -> dict[str, Any]:
    return {"name": "Panlect", "version": __version__, "rules": [_rule(verdict, rule) for rule in rules]}


def _rule(verdict: Verdict, check: str) -> dict[str, Any]:
    found = [finding for finding in verdict.findings if finding.check == check]
    worst = min(finding.severity for finding in found)
    properties: dict[str, Any] = {"tags": sorted({finding.category.value for finding in found})}
    if "security" in properties["tags"]:
        properties["security-severity"] = _SCORE[worst]
    return {
        "id": check,
        "shortDescription": {"text": about(check)},
        "defaultConfiguration": {"level": _LEVEL[worst]},
        "properties": properties,
    }


def _invocation(verdict: Verdict) -> dict[str, Any]:
    unread = verdict.coverage.unread
    notes = [_note(hunk) for hunk in unread[:_MAX_NOTES]]
    if len(unread) > _MAX_NOTES:
        notes.append(_message(f"{len(unread) - _MAX_NOTES} more hunks were not read.", "warning"))
    failed = failure(verdict)
    if failed:
        notes.append(_message(failed, "error"))
    return {
        "executionSuccessful": not failed,
        "toolExecutionNotifications": notes,
    }


def _message(text: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _note(hunk: HunkCoverage) -> dict[str, Any]:
    note = _message(f"Not read: {redact(hunk.reason)}.", "warning")
    if hunk.side is Side.HEAD:
        place = Evidence(hunk.path, hunk.start_line, max(hunk.start_line, hunk.end_line), hunk.side, "")
        note["locations"] = [_location(place)]
    else:
        note["message"]["text"] += f" It was {hunk.path}:{hunk.start_line} before the change."
    return note


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    result = {
        "ruleId": finding.check,
        "ruleIndex": rules.index(finding.check),
        "level": _LEVEL[finding.severity],
        "message": {"text": said(finding)},
        "locations": [_location(at_head(finding))],
        "partialFingerprints": {f"panlect/v{FINGERPRINT_VERSION}": finding.fingerprint},
        "properties": {"severity": finding.severity.value, "category": finding.category.value},
    }
    related = [_related(number, place) for number, place in enumerate(elsewhere(finding), start=1)]
    return {**result, "relatedLocations": related} if related else result


def _related(number: int, place: Evidence) -> dict[str, Any]:
    before = place.side is Side.BASE
    return {
        "id": number,
        **_location(place),
        "message": {"text": "Before this change" if before else "Also here"},
    }


def _location(place: Evidence) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": place.start_line, "endLine": place.end_line}
    if place.quote:
        region["snippet"] = {"text": redact(place.quote)}
    uri = quote(place.path.encode("utf-8", "surrogatepass"), safe="/")
    artifact = {"uri": uri, "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
