"""Every hunk of a change, planned or left out with a reason; then what was read, closed into the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from panlect.change import Change, ChangedFile, ChangedHunk
from panlect.finding import Coverage, Depth, HunkCoverage, Side
from panlect.index.snapshot import Snapshot
from panlect.review.rules import NO_RULES, Rules

TEXT_KINDS = ("documentation", "data", "configuration")


@dataclass(frozen=True, slots=True)
class Plan:
    """One ledger row a hunk, in the order of the diff; rows in state `planned` are still to be read."""

    rows: tuple[HunkCoverage, ...]

    @property
    def planned(self) -> tuple[HunkCoverage, ...]:
        """Hunks that the passes have to read."""
        return tuple(row for row in self.rows if row.state == "planned")


def plan(change: Change, rules: Rules = NO_RULES) -> Plan:
    """Plan every hunk of `change`; a file without hunks gets one row that says why. Rules that are broken get one too."""
    files = (_ruled(file, rules) for file in change.files)
    rows = tuple(row for file in files for row in _rows(file))
    return Plan((*rows, rules.row) if rules.row and rows else rows)


def _ruled(file: ChangedFile, rules: Rules) -> ChangedFile:
    reason = "" if file.excluded else rules.excluded(file)
    return replace(file, excluded=reason, unread="") if reason else file


def _rows(file: ChangedFile) -> list[HunkCoverage]:
    if not file.hunks:
        if file.unread:
            return [HunkCoverage(file.path, 1, 1, _side(file), file.kind, "unread", file.unread)]
        reason = file.excluded or "empty file"
        return [HunkCoverage(file.path, 1, 1, _side(file), file.kind, "excluded", reason)]
    return [_row(file, hunk) for hunk in file.hunks]


def _row(file: ChangedFile, hunk: ChangedHunk) -> HunkCoverage:
    side, start, end = hunk.span()
    path = (file.old_path if side is Side.BASE else file.new_path) or file.path
    row = HunkCoverage(path, start, end, side, file.kind, "planned")
    if file.excluded:
        return replace(row, state="excluded", reason=file.excluded)
    if hunk.whitespace_only:
        return replace(row, state="excluded", reason="white space only")
    if file.unread:
        return replace(row, state="unread", reason=file.unread)
    return row


def _side(file: ChangedFile) -> Side:
    return Side.HEAD if file.new_path else Side.BASE


def close(plan: Plan, change: Change, base: Snapshot, head: Snapshot) -> Coverage:
    """The coverage ledger after the checks ran: each planned hunk read at a depth, or unread with a reason.

    Code counts as read when base and head parsed without error; other languages wait for a model.
    """
    verdicts = {file.path: _code_state(file, base, head) for file in change.files}
    return Coverage(tuple(_closed(row, verdicts) for row in plan.rows))


def _closed(row: HunkCoverage, unread_reasons: dict[str, str]) -> HunkCoverage:
    if row.state != "planned":
        return row
    if row.kind in TEXT_KINDS:
        return replace(row, state="read", depth=Depth.TEXT, passes=("text",))
    if row.kind != "code":
        return replace(row, state="unread", reason="no model, and no checks for this language")
    reason = unread_reasons.get(row.path, "")
    if reason:
        return replace(row, state="unread", reason=reason)
    return replace(row, state="read", depth=Depth.CHECKS, passes=("text", "checks"))


def _code_state(file: ChangedFile, base: Snapshot, head: Snapshot) -> str:
    for snapshot, path, when in ((base, file.old_path, "before"), (head, file.new_path, "after")):
        if path is None:
            continue
        if snapshot.truncated:
            return "the repository has more files than are read"
        analysis = snapshot.analysis(path)
        if analysis is None:
            return f"not analysed {when} the change"
        if analysis.skipped:
            return analysis.skipped
        if analysis.has_error:
            return f"does not parse {when} the change"
    return ""
