"""The checks over the last changes of a repository, every finding with its evidence, to be judged by people.

`python -m bench.precision --repo PATH --last N [--json FILE]`. A change is a commit that is no merge, against its first
parent: what a review would have said of it on that day. Findings come in the order of the changes, newest first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import begin, circumstances, write_result
from panlect.change import read_change
from panlect.checks.run import run_checks
from panlect.finding import Finding
from panlect.git.repository import Repository, open_repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.review.report import finding_json
from panlect.review.select import UNLIMITED, select
from panlect.review.verify import verify


@dataclass(frozen=True)
class Reviewed:
    """What the checks say of one commit. `fallen`: candidates whose evidence did not hold, which is a fault of ours."""

    commit: str
    subject: str
    findings: tuple[Finding, ...]
    fallen: int
    check_ms: float


def main() -> int:
    """List the findings of a repository's history."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repo", type=Path, required=True, help="a clone with its history")
    parser.add_argument("--last", type=int, default=200, metavar="N", help="changes, counted from --head")
    parser.add_argument("--head", default="HEAD", help="the newest commit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there")
    wanted = parser.parse_args()
    start, began = begin(), time.perf_counter()
    reviewed: list[Reviewed] = []
    for one in history(open_repository(wanted.repo), wanted.head, wanted.last):
        reviewed.append(one)
        for finding in one.findings:
            _print(one, finding)
    counts = Counter(finding.check for one in reviewed for finding in one.findings)
    quiet = sum(not one.findings for one in reviewed)
    print(f"\n{len(reviewed)} changes, {quiet} without a finding; {dict(sorted(counts.items()))}")
    times = sorted(one.check_ms for one in reviewed)
    write_result(
        wanted.json,
        {
            "what": "precision",
            "repository": wanted.repo.resolve().name,
            "head": reviewed[0].commit if reviewed else "",
            "changes": len(reviewed),
            "without_a_finding": quiet,
            "checks": dict(sorted(counts.items())),
            "evidence_that_fell": sum(one.fallen for one in reviewed),
            "check_ms": {"median": _at(times, 0.5), "p95": _at(times, 0.95)},
            "findings": [
                {"commit": one.commit, "subject": one.subject, **finding_json(finding)}
                for one in reviewed
                for finding in one.findings
            ],
            "seconds": round(time.perf_counter() - began, 1),
            **circumstances(start),
        },
    )
    return 0


def history(repository: Repository, head: str, last: int) -> Iterator[Reviewed]:
    """The last changes up to `head`, each reviewed by the checks against its first parent."""
    listed = repository.run(
        "log", "--no-merges", f"-{last}", "--format=%H %P%x09%s", repository.resolve(head)
    )
    with tempfile.TemporaryDirectory(prefix="panlect-bench-") as folder:
        cache = BlobCache(Path(folder))
        root: Snapshot | None = None
        for row in listed.stdout.decode("utf-8", "replace").splitlines():
            shas, _, subject = row.partition("\t")
            commit, *parents = shas.split()
            if not parents:
                continue  # the first commit of all
            after = build_snapshot(repository, commit, cache, base=root)
            root = root or after
            before = build_snapshot(repository, parents[0], cache, base=root)
            yield review(repository, before, after, subject)


def review(repository: Repository, before: Snapshot, after: Snapshot, subject: str) -> Reviewed:
    """What a review without a model says of one commit."""
    change = read_change(repository, before.commit, after.commit)
    began = time.perf_counter()
    candidates = run_checks(change, before, after)
    took = (time.perf_counter() - began) * 1000
    proved = verify(candidates, change, before, after)
    chosen = select(proved.candidates, change, UNLIMITED)
    return Reviewed(after.commit, subject, chosen.findings, len(proved.suppressed), took)


def _print(one: Reviewed, finding: Finding) -> None:
    where = f"{finding.path}:{finding.start_line}" if finding.path else "(no line of the diff)"
    print(f"{one.commit[:10]} {finding.severity} {finding.check} {where}  {finding.title}")
    print(f"    {one.subject[:100]}\n    {finding.body}", flush=True)


def _at(ordered: list[float], share: float) -> Any:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


if __name__ == "__main__":
    raise SystemExit(main())
