"""Read and parse the blobs that nobody has seen before, in killable children."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from panlect.child import NOT_TRIED, Answer, ChildFailure, ChildPool, Patience
from panlect.code.languages import language_named
from panlect.code.packed import Packed, crashed, pack
from panlect.code.parse import read
from panlect.git.repository import ObjectRead
from panlect.git.tree import TreeEntry
from panlect.index.snapshot import BlobKey, blob_key, is_analysable

Task = tuple[str, str, bytes]  # language, blob sha, content
Progress = Callable[[int, int], None]  # done, of how many

BUDGET_SPENT = "analysis budget spent"
LFS_POINTER = "LFS pointer"
_LFS_HEADER = b"version https://git-lfs.github.com/spec/v1"
_LFS_BYTES = 1024  # a pointer is never larger
_FEW = 24  # blobs: for fewer, a second child costs more than it saves
_BATCH_BYTES = 256 * 1024  # of content handed to a child at once
_CPU_S = 3.0  # for one blob, which has at most 1 MB: ten times what such a file takes
_TIMEOUT_S = 10.0
_MEMORY_BYTES = 640 * 1024**2
_PATIENCE_S = 10.0
_CUT_S = 10.0


class ObjectSource(Protocol):
    """Where the bytes of blobs come from, or why there are none; `git.repository.Repository` is one."""

    def read_objects(self, shas: Sequence[str]) -> Iterator[ObjectRead]:
        """An answer for each, in the order asked."""
        ...


@dataclass(slots=True)
class AnalysisRun:
    """What one run may spend, and what it has to say of blobs beside their columns.

    `patience` bounds the seconds lost on blobs that crash or hang their child; `seconds` all of the analysis.
    Blobs that are left out then are not kept as skipped: the next run goes on where this one stopped.
    """

    patience: Patience = field(default_factory=lambda: Patience(_PATIENCE_S))
    seconds: float = math.inf
    cut: str = ""  # why the listing may lack files
    ms: dict[BlobKey, float] = field(default_factory=dict)  # of the blobs analysed in this run
    unread: dict[BlobKey, str] = field(default_factory=dict)  # why a blob has no columns
    _began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Whether the run has spent its seconds."""
        return time.monotonic() - self._began > self.seconds

    def note_cut(self, reason: str) -> None:
        """The listing was cut: such a repository is not read in full whatever is done, so it gets a few seconds."""
        self.cut = reason
        if reason:
            self.seconds = min(self.seconds, time.monotonic() - self._began + _CUT_S)


class AnalysisSink(Protocol):
    """Where new analyses go: the terminal's cache, or Postgres."""

    def known(self, keys: Iterable[BlobKey]) -> set[BlobKey]:
        """Which blobs are analysed already."""
        ...

    def put(self, analyses: Iterable[tuple[BlobKey, Packed]]) -> None:
        """Keep new ones."""
        ...


def analyse_blobs(
    blobs: ObjectSource,
    entries: Iterable[TreeEntry],
    sink: AnalysisSink,
    *,
    progress: Progress | None = None,
    workers: int | None = None,
    run: AnalysisRun | None = None,
) -> int:
    """Analyse what `sink` does not know yet and put it there; returns how many blobs that were.

    `workers`: killable children to use (as many as there are cores when None, where it pays); 0 stays in
    this process. A blob whose analysis crashes or hangs its child is kept as skipped, with the reason; `run`
    notes why others are left out.
    """
    run = run or AnalysisRun()
    entries = list(entries)
    keys = dict.fromkeys(blob_key(entry) for entry in entries if is_analysable(entry))
    known = sink.known(keys)
    unseen = [key for key in keys if key not in known]
    # An object without a size is missing or damaged: ask which.
    unseen += dict.fromkeys(blob_key(entry) for entry in entries if entry.is_regular and entry.size < 0)
    if workers is None:
        workers = 1 if len(unseen) <= _FEW else len(os.sched_getaffinity(0))
    done = 0
    for analysed in analyse_tasks(read_tasks(blobs, unseen, run), workers, run):
        sink.put(analysed)
        done += len(analysed)
        if progress is not None:
            progress(done, len(unseen))
    return done


def analyse_tasks(
    tasks: Iterable[Task], workers: int, run: AnalysisRun | None = None
) -> Iterator[list[tuple[BlobKey, Packed]]]:
    """The analyses of blobs at hand, some at a time; `workers` and `run` as for `analyse_blobs`."""
    run = run or AnalysisRun()
    batches = _batches(tasks)
    answered = _inline(batches, run) if workers == 0 else _in_children(batches, workers, run)
    for batch, answers in answered:
        yield _kept(batch, answers, run)


def read_tasks(
    blobs: ObjectSource, keys: Sequence[BlobKey], run: AnalysisRun | None = None
) -> Iterator[Task]:
    """The blobs of these keys with their bytes; `run` notes why others are left out."""
    run = run or AnalysisRun()
    languages: dict[str, list[str]] = {}
    for language, sha in keys:
        languages.setdefault(sha, []).append(language)
    shas = list(languages)
    for sha, fault, content in _read_within(blobs, shas, run):
        for language in languages[sha]:
            if fault:
                run.unread[language, sha] = fault
            else:
                yield language, sha, content


def _read_within(
    blobs: ObjectSource, shas: Sequence[str], run: AnalysisRun
) -> Iterator[tuple[str, str, bytes]]:
    """(sha, fault, bytes) of each blob; once the run is over nothing is read any more."""
    at = 0
    for at, one in enumerate(blobs.read_objects(shas), 1):  # noqa: B007 - how far it came
        yield one.sha, one.fault, one.content
        if run.is_over or run.patience.spent:
            break
    yield from ((sha, BUDGET_SPENT, b"") for sha in shas[at:])


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    size = 0
    for task in tasks:
        batch.append(task)
        size += len(task[2])
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _inline(
    batches: Iterable[Sequence[Task]], run: AnalysisRun
) -> Iterator[tuple[Sequence[Task], list[Answer]]]:
    for batch in batches:
        answers = []
        for task in batch:
            began = time.perf_counter()
            columns = analyse_one(list(task)) if not run.is_over else NOT_TRIED
            answers.append(Answer(columns, (time.perf_counter() - began) * 1000))
        yield batch, answers


def _in_children(
    batches: Iterable[list[Task]], workers: int, run: AnalysisRun
) -> Iterator[tuple[Sequence[Task], list[Answer]]]:
    with ChildPool(
        "panlect.index.analyse:analyse_one",
        workers=workers,
        timeout_s=_TIMEOUT_S,
        cpu_s=_CPU_S,
        memory_bytes=_MEMORY_BYTES,
        patience=run.patience,
    ) as pool:
        yield from pool.map_batches(batches)


def _kept(batch: Sequence[Task], answers: Sequence[Answer], run: AnalysisRun) -> list[tuple[BlobKey, Packed]]:
    """The columns to keep of a batch."""
    kept: list[tuple[BlobKey, Packed]] = []
    for (language, sha, _), (value, ms) in zip(batch, answers, strict=True):
        key = (language, sha)
        if value == NOT_TRIED:
            run.unread[key] = BUDGET_SPENT
            continue
        run.ms[key] = ms
        if isinstance(value, ChildFailure):
            kept.append((key, crashed(language, f"parser {value.reason}")))
        else:
            kept.append((key, Packed(*value)))
    return kept


def analyse_one(task: Sequence[Any]) -> Packed:
    """What a child runs: the columns of one task."""
    language, _, content = task
    if len(content) <= _LFS_BYTES and content.startswith(_LFS_HEADER):
        return crashed(language, LFS_POINTER)
    return pack(read(language_named(language), content))
