"""Revisions as dicts of path -> text, and the words of a review with sensible defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from panlect.change import Change, ChangedFile, ChangedHunk
from panlect.finding import (
    Candidate,
    Category,
    Coverage,
    Depth,
    Evidence,
    Finding,
    HunkCoverage,
    Severity,
    Side,
    Verdict,
    VerdictKind,
)

HEAD, BASE = "a" * 40, "b" * 40


@dataclass(frozen=True)
class Analysis:
    """What a parse left behind, as far as coverage asks."""

    has_error: bool = False
    skipped: str = ""


@dataclass(frozen=True)
class Revision:
    """A revision that holds its files in memory."""

    files: Mapping[str, str]
    analyses: Mapping[str, Analysis]
    truncated: bool = False

    def exists(self, path: str) -> bool:
        return path in self.files

    def text(self, path: str) -> bytes:
        return self.files[path].encode()

    def analysis(self, path: str) -> Analysis | None:
        return self.analyses.get(path)


class Words:
    """Makes candidates, findings, hunks and verdicts; every field can be said otherwise."""

    head_sha, base_sha = HEAD, BASE
    Analysis = Analysis

    def revision(self, files: Mapping[str, str], **analyses: Analysis) -> Any:
        known = {path: Analysis() for path in files}
        return Revision(files, known | {path.replace("_", "."): found for path, found in analyses.items()})

    def file(self, path: str = "pay.py", kind: str = "code", lines: int = 3, **more: Any) -> ChangedFile:
        hunk = ChangedHunk(1, lines, 1, lines, removed=((1, 1),), added=((1, 1),))
        known = ChangedFile("modified", path, path, "1" * 40, "2" * 40, "100644", "100644", kind, (hunk,))
        return replace(known, **more)

    def change(self, *files: ChangedFile) -> Change:
        return Change(BASE, HEAD, files)

    def evidence(self, **more: Any) -> Evidence:
        return replace(Evidence("pay.py", 1, 1, Side.HEAD, "def capture(order, key):"), **more)

    def candidate(self, **more: Any) -> Candidate:
        known = Candidate(
            check="call-mismatch",
            category=Category.CONTRACT,
            path="pay.py",
            start_line=1,
            end_line=1,
            side=Side.HEAD,
            title="`capture()` now needs `key`",
            body="A call lacks it.",
            evidence=(self.evidence(),),
            target="capture",
        )
        return replace(known, **more)

    def finding(self, **more: Any) -> Finding:
        known = Finding(
            fingerprint="f" * 32,
            check="call-mismatch",
            severity=Severity.P1,
            category=Category.CONTRACT,
            path="pay.py",
            start_line=1,
            end_line=1,
            side=Side.HEAD,
            title="`capture()` now needs `key`",
            body="A call lacks it.",
            evidence=(self.evidence(),),
        )
        return replace(known, **more)

    def hunk(self, state: str = "read", **more: Any) -> HunkCoverage:
        depth = Depth.CHECKS if state == "read" else None
        reason = "" if state == "read" else "does not parse after the change"
        return replace(HunkCoverage("pay.py", 1, 2, Side.HEAD, "code", state, reason, depth), **more)

    def verdict(self, **more: Any) -> Verdict:
        known = Verdict(
            VerdictKind.REVIEWED, "1 of 1 hunks read", Depth.CHECKS, BASE, HEAD, Coverage((self.hunk(),))
        )
        return replace(known, **more)


@pytest.fixture(scope="session")
def words() -> Words:
    return Words()
