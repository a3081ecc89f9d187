"""Journey B in one process: commit -> entries -> unseen blobs -> analyses -> snapshot."""

from __future__ import annotations

from typing import Protocol

from panlect.git.repository import Repository
from panlect.git.tree import list_tree
from panlect.index.analyse import AnalysisRun, AnalysisSink, Progress, analyse_blobs
from panlect.index.snapshot import AnalysisSource, Snapshot


class AnalysisStore(AnalysisSource, AnalysisSink, Protocol):
    """Where analyses are both kept and read: `index.cache.BlobCache` in the terminal."""


def build_snapshot(
    repository: Repository,
    commit: str,
    store: AnalysisStore,
    *,
    base: Snapshot | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    run: AnalysisRun | None = None,
) -> Snapshot:
    """The snapshot of `commit`, with every blob of it analysed; an overlay of `base` when that is given.

    Raises GitError when git fails. What cannot be parsed is in the snapshot as skipped, with its reason; what
    `run` leaves out is not analysed in it. `index.record` tells both from what was read.
    """
    run = run or AnalysisRun()
    listing = list_tree(repository, commit)
    run.note_cut(listing.cut)
    analyse_blobs(repository, listing.entries, store, progress=progress, workers=workers, run=run)
    if base is not None:
        return base.overlay(commit, listing.entries, truncated=listing.truncated)
    return Snapshot(commit, listing.entries, store, repository, truncated=listing.truncated)
