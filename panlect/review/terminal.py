"""A verdict in the terminal, like a good compiler: what, where with a code frame, why; then one honest line."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from panlect.finding import Evidence, Finding, Severity, Side, Verdict, VerdictKind
from panlect.redact import masked, redact
from panlect.review.summary import summarise

Lines = Callable[[str, Side], list[str]]  # the lines of a path at one revision
_COLOUR = {Severity.P0: "bold red", Severity.P1: "red", Severity.P2: "yellow", Severity.P3: "bright_black"}
_VERDICT_COLOUR = {VerdictKind.REVIEWED: "green", VerdictKind.PARTIAL: "yellow", VerdictKind.FAILED: "red"}
_AROUND = 2  # lines shown before and after the anchor
_TAB = 4
_MAX_REST = 10


def print_review(console: Console, verdict: Verdict, lines: Lines, *, seconds: float) -> None:
    """Print every finding with its frame, what was not read, and the closing line."""
    for finding in verdict.findings:
        _print_finding(console, finding, lines)
    for hunk in verdict.coverage.unread[:20]:
        _say(
            console,
            ("not read ", "yellow"),
            (f"{printable(hunk.path)}:{hunk.start_line}", "bold"),
            (f"  {hunk.reason}", ""),
        )
    left = len(verdict.coverage.unread) - 20
    if left > 0:
        _say(console, (f"not read  {left} more hunks (all of them with --json)", "yellow"))
    _print_summary(console, verdict)
    _print_closing(console, verdict, seconds)


def _print_finding(console: Console, finding: Finding, lines: Lines) -> None:
    anchor = _anchor(finding)
    _say(
        console,
        (f"{finding.severity} ", _COLOUR[finding.severity]),
        (printable(finding.title), "bold"),
        (f"  {finding.check}", "dim"),
    )
    where = f"{printable(anchor.path)}:{anchor.start_line}"
    _say(
        console,
        ("  --> ", "blue"),
        (where, ""),
        (" (before the change)" if anchor.side is Side.BASE else "", "dim"),
    )
    _print_frame(console, anchor, lines(anchor.path, anchor.side))
    for evidence in finding.evidence:
        if (evidence.path, evidence.start_line, evidence.side) != (
            anchor.path,
            anchor.start_line,
            anchor.side,
        ):
            _print_related(console, evidence)
    _say(console, ("  ", ""), (printable(finding.body), ""))
    console.print()


def _anchor(finding: Finding) -> Evidence:
    """Where the frame stands: the anchor, else the first evidence."""
    if finding.path is None or finding.start_line is None:
        return finding.evidence[0]
    end = finding.end_line or finding.start_line
    return Evidence(finding.path, finding.start_line, end, finding.side, "")


def _print_frame(console: Console, anchor: Evidence, lines: list[str]) -> None:
    first = max(1, anchor.start_line - _AROUND)
    last = min(len(lines), anchor.end_line + _AROUND)
    width = len(str(last))
    _say(console, (f"  {' ' * width} |", "blue"))
    for number in range(first, last + 1):
        # A log of CI is read by many: what the finding masks is masked in its frame too.
        text = printable(masked(lines[number - 1]).expandtabs(_TAB))
        inside = anchor.start_line <= number <= anchor.end_line
        _say(console, (f"  {number:>{width}} | ", "blue"), (text, "" if inside else "dim"))
        if inside and anchor.start_line == anchor.end_line:
            indent = len(text) - len(text.lstrip())
            carets = "^" * max(1, len(text.strip()))
            _say(console, (f"  {' ' * width} | ", "blue"), (" " * indent + carets, "red"))
    _say(console, (f"  {' ' * width} |", "blue"))


def _print_related(console: Console, evidence: Evidence) -> None:
    quote = evidence.quote.splitlines()[0].strip() if evidence.quote else ""
    when = " (before)" if evidence.side is Side.BASE else ""
    _say(
        console,
        ("  also ", "blue"),
        (f"{printable(evidence.path)}:{evidence.start_line}{when}", ""),
        (f"  {printable(quote)}", "dim"),
    )


def _print_summary(console: Console, verdict: Verdict) -> None:
    """What was held back for the sake of the rest, then how safe it looks to merge and why."""
    summary = summarise(verdict)
    for row in summary.rest[:_MAX_REST]:
        _say(console, ("in short ", "dim"), (printable(row), ""))
    if len(summary.rest) > _MAX_REST:
        _say(console, (f"in short  {len(summary.rest) - _MAX_REST} more (all of them with --json)", "dim"))
    if summary.confidence.score is None:
        return
    colour = ("red", "red", "red", "yellow", "green", "green")[summary.confidence.score]
    _say(
        console,
        ("merge confidence ", "bold"),
        (str(summary.confidence), colour),
        (f"  {printable(' '.join(summary.confidence.reasons))}", "dim"),
    )
    if summary.impact:
        _say(console, ("impact ", "bold"), (printable(summary.impact), ""))
    _say(console, (f"effort to read {summary.effort} | head {verdict.head_sha[:12]}", "dim"))


def _print_closing(console: Console, verdict: Verdict, seconds: float) -> None:
    coverage = verdict.coverage
    found = len(verdict.findings)
    _say(
        console,
        (verdict.kind.value, f"bold {_VERDICT_COLOUR.get(verdict.kind, '')}".strip()),
        (f"  {found} finding{'' if found == 1 else 's'}", ""),
        (f" | {len(coverage.read)} of {len(coverage.counted)} hunks read", ""),
        (f", {len(coverage.excluded)} excluded" if coverage.excluded else "", ""),
        (f" | depth: {verdict.depth or 'none'} | {seconds:.1f} s | model: {verdict.model}", ""),
    )
    if verdict.kind is VerdictKind.SKIPPED:
        _say(console, (f"  {verdict.reason}", "dim"))


def printable(text: str) -> str:
    """`text` without control characters (a file name must not drive the terminal) and secrets."""
    return "".join(ch if ch.isprintable() else f"\\x{ord(ch):02x}" for ch in redact(text))


def _say(console: Console, *parts: tuple[str, str]) -> None:
    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)
