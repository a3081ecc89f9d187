"""What an index run read, for people and programs: counts by language, by parser and by reason of a skip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from panlect.index.record import FileRecord, records, summary

if TYPE_CHECKING:
    from panlect.index.analyse import AnalysisRun
    from panlect.index.snapshot import Snapshot

SCHEMA_VERSION = 1


def index_report(snapshot: Snapshot, run: AnalysisRun, seconds: float) -> dict[str, Any]:
    """The JSON of `panlect index`: what was read of a commit, how, and what was left out with the reason."""
    found = list(records(snapshot.entries(), snapshot, run))
    counts = summary(found, run)
    return {
        "schema_version": SCHEMA_VERSION,
        "commit": snapshot.commit,
        "files": counts.files,
        "read": dict(counts.read),
        "skipped": dict(counts.skipped),
        "cut": counts.cut,
        "languages": _by_language(found),
        "chunks": snapshot.count_chunks(),
        "analysed": len(run.ms),
        "seconds": round(seconds, 3),
        "records": [asdict(one) for one in found],
    }


def _by_language(found: Sequence[FileRecord]) -> dict[str, int]:
    languages = Counter(one.language for one in found if not one.skipped)
    return dict(sorted(languages.items(), key=lambda pair: (-pair[1], pair[0])))
