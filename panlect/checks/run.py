"""Step 10 of journey A: everything that can be found without a model, as candidates in a fixed order."""

from __future__ import annotations

from panlect.checks.breaks import breaks
from panlect.checks.migrations import migration_risks
from panlect.checks.report import Reporter
from panlect.checks.reviewer_injection import reviewer_injections
from panlect.checks.secrets import secrets
from panlect.checks.text_marks import text_marks
from panlect.checks.unparsable import unparsable
from panlect.checks.view import ChangeView, RepositoryView
from panlect.finding import Candidate


def run_checks(change: ChangeView, base: RepositoryView, head: RepositoryView) -> tuple[Candidate, ...]:
    """What `head` breaks, hides and gives away, compared with `base`; silent wherever a scope is not known completely.

    Every candidate quotes the head at least once. The order depends on the two revisions alone.
    """
    found = Reporter(change, base, head).candidates(breaks(change, base, head))
    found.extend(migration_risks(change, head))
    for check in (text_marks, secrets, reviewer_injections):
        found.extend(check(change, base, head))
    in_conflict = {candidate.path for candidate in found if candidate.check == "conflict-marker"}
    found.extend(one for one in unparsable(change, base, head) if one.path not in in_conflict)
    return tuple(sorted(found, key=_place))


def _place(candidate: Candidate) -> tuple[str, int, str, str, str, str]:
    return (
        candidate.path,
        candidate.start_line,
        candidate.side.value,
        candidate.check,
        candidate.target,
        candidate.title,
    )
