"""The verdict for one head, and what the check on the host says of it. Never green for what was not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from panlect.finding import Coverage, Depth, Finding, Severity, Suppressed, Verdict, VerdictKind
from panlect.forge.types import Conclusion

_DEPTHS = tuple(Depth)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repository's owners decided: is the check a gate, from which severity, which skips pass."""

    blocking: bool = False
    threshold: Severity = Severity.P1
    allowed_skip_reasons: frozenset[str] = field(default_factory=frozenset)


def policy_of(repository: Mapping[str, Any]) -> Policy:
    """The policy in a repository's row."""
    return Policy(
        repository["blocking"],
        Severity(repository["threshold"]),
        frozenset(repository["allowed_skip_reasons"]),
    )


def verdict(
    coverage: Coverage,
    findings: tuple[Finding, ...],
    suppressed: tuple[Suppressed, ...],
    *,
    base_sha: str,
    head_sha: str,
) -> Verdict:
    """REVIEWED when every counted hunk was read, PARTIAL when not, SKIPPED when there was nothing to read."""
    kind, reason = _judge(coverage)
    return Verdict(kind, reason, _depth(coverage), base_sha, head_sha, coverage, findings, suppressed)


def _depth(coverage: Coverage) -> Depth | None:
    """The shallowest depth at which code was read; `text` when only text was."""
    depths = {hunk.depth for hunk in coverage.read if hunk.depth is not None}
    of_code = depths - {Depth.TEXT} or depths
    return min(of_code, key=_DEPTHS.index) if of_code else None


def _judge(coverage: Coverage) -> tuple[VerdictKind, str]:
    counted, unread = coverage.counted, coverage.unread
    if not coverage.hunks:
        return VerdictKind.SKIPPED, "empty change"
    if not counted:
        return VerdictKind.SKIPPED, "nothing to read: " + _tally(hunk.reason for hunk in coverage.excluded)
    if unread:
        told = _tally(hunk.reason for hunk in unread)
        return VerdictKind.PARTIAL, f"{len(coverage.read)} of {len(counted)} hunks read: {told}"
    return VerdictKind.REVIEWED, f"{len(counted)} of {len(counted)} hunks read"


def _tally(reasons: object) -> str:
    counts = Counter(reasons)  # type: ignore[call-overload]
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    )


def conclusion(verdict: Verdict, policy: Policy) -> Conclusion:
    """The check's conclusion by the table in docs/architecture.md."""
    if verdict.kind is VerdictKind.SUPERSEDED:
        return Conclusion.CANCELLED
    if verdict.kind is VerdictKind.SKIPPED:
        if not policy.blocking:
            return Conclusion.NEUTRAL
        # The reason's first words are its kind; the rest is detail.
        allowed = verdict.reason.split(":")[0] in policy.allowed_skip_reasons
        return Conclusion.SUCCESS if allowed else Conclusion.ACTION_REQUIRED
    above = any(finding.severity.at_least(policy.threshold) for finding in verdict.findings)
    if verdict.kind is VerdictKind.REVIEWED and not above:
        return Conclusion.SUCCESS
    return Conclusion.FAILURE if policy.blocking else Conclusion.NEUTRAL


def title(verdict: Verdict) -> str:
    """One line for the check: findings first, then how much was read."""
    read, counted = len(verdict.coverage.read), len(verdict.coverage.counted)
    found = len(verdict.findings)
    said = "no findings" if not found else f"{found} finding{'s' if found > 1 else ''}"
    match verdict.kind:
        case VerdictKind.REVIEWED:
            return f"Reviewed: {said}, {read} of {counted} hunks"
        case VerdictKind.PARTIAL:
            return f"Partial: {read} of {counted} hunks, {said}"
        case VerdictKind.SKIPPED:
            return f"Skipped: {verdict.reason}"
        case VerdictKind.FAILED:
            return f"Failed: {verdict.reason}"
    return "Superseded by a newer head"
