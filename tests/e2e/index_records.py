"""What a test runs in a process of its own: index a commit and print the counts of its records as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from panlect.git.repository import open_repository
from panlect.git.tree import list_tree
from panlect.index.analyse import AnalysisRun
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.record import records, summary
from panlect.search.query import answer
from panlect.settings import load


def main(path: str, revision: str) -> None:
    repository = open_repository(Path(path))
    commit = repository.resolve(revision)
    run = AnalysisRun()
    with BlobCache(load().cache_dir) as cache:
        snapshot = build_snapshot(repository, commit, cache, run=run)
        found = answer(snapshot, "capture order", 5)
        entries = list_tree(repository, commit).entries
        counts = summary(records(entries, cache, run), run)
    json.dump({"summary": asdict(counts), "entries": len(entries), "found": len(found["hits"])}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
