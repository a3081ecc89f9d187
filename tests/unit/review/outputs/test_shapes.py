"""The files that other programs read, held against what their formats ask for.

The schemas below are ours, in our words, and narrower than the formats: what they let through, SARIF 2.1.0's,
rdjson's and GitLab's own do too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from panlect.finding import Category, Coverage, Place, Severity, Side, Verdict, VerdictKind
from panlect.review.outputs.code_quality import code_quality
from panlect.review.outputs.rdjson import rdjson
from panlect.review.outputs.sarif import sarif

LINE = {"type": "integer", "minimum": 1}
WORDS = {"type": "string", "minLength": 1}
MESSAGE = {
    "type": "object",
    "properties": {"text": WORDS},
    "required": ["text"],
    "additionalProperties": False,
}


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def rows(schema: Any) -> dict[str, Any]:
    return {"type": "array", "items": schema}


URI = {"type": "string", "pattern": r"^(?!/)[A-Za-z0-9._~/%-]+$"}  # relative, percent-encoded
PHYSICAL = record(
    {
        "artifactLocation": record({"uri": URI, "uriBaseId": {"const": "%SRCROOT%"}}),
        "region": record({"startLine": LINE, "endLine": LINE}, snippet=MESSAGE),
    }
)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = record({"physicalLocation": PHYSICAL})
SARIF = record(
    {
        "$schema": {"const": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
        "version": {"const": "2.1.0"},
        "runs": rows(
            record(
                {
                    "tool": record(
                        {
                            "driver": record(
                                {
                                    "name": WORDS,
                                    "version": WORDS,
                                    "rules": rows(
                                        record(
                                            {
                                                "id": WORDS,
                                                "shortDescription": MESSAGE,
                                                "defaultConfiguration": record({"level": LEVEL}),
                                                "properties": record(
                                                    {"tags": rows(WORDS)},
                                                    **{"security-severity": {"type": "string", "pattern": r"^\d\.\d$"}},
                                                ),
                                            }
                                        )
                                    ),
                                }
                            )
                        }
                    ),
                    "automationDetails": record({"id": WORDS}),
                    "invocations": rows(
                        record(
                            {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": rows(
                                    record({"level": LEVEL, "message": MESSAGE}, locations=rows(LOCATION))
                                ),
                            }
                        )
                    ),
                    "results": rows(
                        record(
                            {
                                "ruleId": WORDS,
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "locations": {**rows(LOCATION), "minItems": 1},
                                "partialFingerprints": {"type": "object", "additionalProperties": WORDS},
                                "properties": {"type": "object"},
                            },
                            relatedLocations=rows(
                                record({"id": LINE, "physicalLocation": PHYSICAL, "message": MESSAGE})
                            ),
                        )
                    ),
                    "properties": {"type": "object"},
                }
            )
        ),
    }
)  # fmt: skip
POSITION = record({"line": LINE})
RDJSON = record(
    {
        "source": record({"name": WORDS}),
        "diagnostics": rows(
            record(
                {
                    "message": WORDS,
                    "location": record({"path": WORDS}, range=record({"start": POSITION, "end": POSITION})),
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": record({"value": WORDS}),
                }
            )
        ),
    }
)
CODE_QUALITY = rows(
    record(
        {
            "description": WORDS,
            "check_name": WORDS,
            "fingerprint": WORDS,
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": record({"path": WORDS, "lines": record({"begin": LINE}, end=LINE)}),
        }
    )
)
FORMATS = [(sarif, SARIF), (rdjson, RDJSON), (code_quality, CODE_QUALITY)]


def hold(verdict: Verdict) -> None:
    """Every format of `verdict`, as it is written and read again, is what its schema says."""
    for shape, schema in FORMATS:
        Draft202012Validator(schema).validate(json.loads(json.dumps(shape(verdict))))


PATHS = st.sampled_from(["pay.py", "shop/ré tail.py", "a\\xff.py", "we#ird?.py", "b%20.py"])
TEXTS = st.text(min_size=1, max_size=20)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(VerdictKind),
    severity=st.sampled_from(Severity),
    side=st.sampled_from(Side),
    path=PATHS,
    text=TEXTS,
    anchored=st.booleans(),
)
def test_whatever_a_verdict_holds_every_file_is_what_its_format_asks_for(
    words: Any, kind: VerdictKind, severity: Severity, side: Side, path: str, text: str, anchored: bool
) -> None:
    finding = words.finding(
        severity=severity,
        side=side,
        path=path if anchored else None,
        start_line=2 if anchored else None,
        end_line=3 if anchored else None,
        title=text,
        category=Category.SECURITY,
        evidence=(words.evidence(path=path, quote=text), words.evidence(side=Side.BASE, quote="")),
        related=(Place("other.py", 4, 5),),
    )
    unread = words.hunk("unread", path=path, side=side, reason=text)
    hold(words.verdict(kind=kind, reason=text, findings=(finding,), coverage=Coverage((unread,))))


def test_a_clean_review_is_a_file_without_results(words: Any) -> None:
    verdict = words.verdict()
    hold(verdict)
    assert sarif(verdict)["runs"][0]["results"] == []
    assert rdjson(verdict)["diagnostics"] == []
    assert code_quality(verdict) == []


def place(words: Any, verdict: Verdict, shape: Callable[[Verdict], Any]) -> tuple[str, int]:
    found = shape(verdict)
    if shape is sarif:
        at = found["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        return at["artifactLocation"]["uri"], at["region"]["startLine"]
    if shape is rdjson:
        at = found["diagnostics"][0]["location"]
        return at["path"], at["range"]["start"]["line"]
    at = found[0]["location"]
    return at["path"], at["lines"]["begin"]


@pytest.mark.parametrize("shape", [sarif, rdjson, code_quality])
def test_a_finding_on_removed_lines_stands_where_the_head_proves_it(words: Any, shape: Any) -> None:
    proof = words.evidence(path="retry.py", start_line=5, end_line=5)
    removed = words.finding(
        side=Side.BASE, start_line=9, end_line=9, evidence=(words.evidence(side=Side.BASE), proof)
    )
    assert place(words, words.verdict(findings=(removed,)), shape) == ("retry.py", 5)
    kept = words.finding(start_line=3, end_line=3)
    assert place(words, words.verdict(findings=(kept,)), shape) == ("pay.py", 3)


def test_what_was_not_read_is_told_in_sarif_and_rdjson_and_a_failure_is_no_success(words: Any) -> None:
    unread = words.verdict(
        kind=VerdictKind.PARTIAL,
        coverage=Coverage((words.hunk("unread", path="big.py", reason="too large"),)),
    )
    (invocation,) = sarif(unread)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"]
    assert [n["message"]["text"] for n in invocation["toolExecutionNotifications"]] == [
        "Not read: too large."
    ]
    (diagnostic,) = rdjson(unread)["diagnostics"]
    assert (diagnostic["severity"], diagnostic["location"]["path"]) == ("INFO", "big.py")
    failed = words.verdict(kind=VerdictKind.FAILED, reason="git died", coverage=Coverage())
    (invocation,) = sarif(failed)["runs"][0]["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["level"] == "error"
    (diagnostic,), (issue,) = rdjson(failed)["diagnostics"], code_quality(failed)
    assert diagnostic["message"] == issue["description"] == "FAILED, not reviewed: git died"
    gone = words.verdict(coverage=Coverage((words.hunk("unread", side=Side.BASE, start_line=7),)))
    (diagnostic,) = rdjson(gone)["diagnostics"]
    assert diagnostic["location"] == {"path": "pay.py"}
    assert "line 7 before the change" in diagnostic["message"]


@pytest.mark.parametrize(
    ("severity", "level", "diagnostic", "issue"),
    [
        (Severity.P0, "error", "ERROR", "blocker"),
        (Severity.P1, "error", "ERROR", "critical"),
        (Severity.P2, "warning", "WARNING", "major"),
        (Severity.P3, "note", "INFO", "info"),
    ],
)
def test_a_severity_has_its_word_in_each_format(
    words: Any, severity: Severity, level: str, diagnostic: str, issue: str
) -> None:
    verdict = words.verdict(findings=(words.finding(severity=severity),))
    assert sarif(verdict)["runs"][0]["results"][0]["level"] == level
    assert rdjson(verdict)["diagnostics"][0]["severity"] == diagnostic
    assert code_quality(verdict)[0]["severity"] == issue


@pytest.mark.parametrize("shape", [sarif, rdjson, code_quality])
def test_a_secret_does_not_travel_with_a_report(words: Any, shape: Any) -> None:
    token = "ghp_" + "a1B2" * 9
    finding = words.finding(
        title=f"token {token}", body=token, evidence=(words.evidence(quote=f'KEY = "{token}"'),)
    )
    unread = words.hunk("unread", reason=f"cannot read {token}")
    verdict = words.verdict(findings=(finding,), reason=token, coverage=Coverage((unread,)))
    assert token not in json.dumps(shape(verdict))


def test_the_same_finding_keeps_its_fingerprint_in_every_format(words: Any) -> None:
    verdict = words.verdict(findings=(words.finding(),))
    assert sarif(verdict)["runs"][0]["results"][0]["partialFingerprints"] == {"panlect/v1": "f" * 32}
    assert code_quality(verdict)[0]["fingerprint"] == "f" * 32
