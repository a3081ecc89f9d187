"""Read and parse the blobs that nobody has seen before, in killable children."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from panlect.child import ChildFailure, ChildPool
from panlect.code.languages import language_named
from panlect.code.packed import Packed, crashed, pack
from panlect.code.parse import read
from panlect.git.tree import TreeEntry
from panlect.index.snapshot import BlobKey, BlobReader, blob_key, is_analysable

Task = tuple[str, str, bytes]  # language, blob sha, content
Progress = Callable[[int, int], None]  # done, of how many

_FEW = 24  # blobs: for fewer, a second child costs more than it saves
_BATCH_BYTES = 256 * 1024  # of content handed to a child at once
_TIMEOUT_S = 30.0
_MEMORY_BYTES = 2 * 1024**3


class AnalysisSink(Protocol):
    """Where new analyses go: the terminal's cache, or Postgres."""

    def known(self, keys: Iterable[BlobKey]) -> set[BlobKey]:
        """Which blobs are analysed already."""
        ...

    def put(self, analyses: Iterable[tuple[BlobKey, Packed]]) -> None:
        """Keep new ones."""
        ...


def analyse_blobs(
    blobs: BlobReader,
    entries: Iterable[TreeEntry],
    sink: AnalysisSink,
    *,
    progress: Progress | None = None,
    workers: int | None = None,
) -> int:
    """Analyse what `sink` does not know yet and put it there; returns how many blobs that were.

    `workers`: killable children to use (as many as there are cores when None, where it pays); 0 stays in
    this process. A blob whose analysis crashes or hangs its child is kept as skipped, with the reason.
    """
    keys = dict.fromkeys(blob_key(entry) for entry in entries if is_analysable(entry))
    known = sink.known(keys)
    unseen = [key for key in keys if key not in known]
    if workers is None:
        workers = 1 if len(unseen) <= _FEW else len(os.sched_getaffinity(0))
    done = 0
    for analysed in analyse_tasks(read_tasks(blobs, unseen), workers):
        sink.put(analysed)
        done += len(analysed)
        if progress is not None:
            progress(done, len(unseen))
    return done


def analyse_tasks(tasks: Iterable[Task], workers: int) -> Iterator[list[tuple[BlobKey, Packed]]]:
    """The analyses of blobs at hand, some at a time; `workers` as for `analyse_blobs`."""
    batches = _batches(tasks)
    return _inline(batches) if workers == 0 else _in_children(batches, workers)


def read_tasks(blobs: BlobReader, keys: Sequence[BlobKey]) -> Iterator[Task]:
    """The blobs of these keys with their bytes; missing ones are left out."""
    languages: dict[str, list[str]] = {}
    for language, sha in keys:
        languages.setdefault(sha, []).append(language)
    for sha, content in blobs.read_blobs(list(languages)):
        for language in languages[sha]:
            yield language, sha, content


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


def _inline(batches: Iterable[Sequence[Task]]) -> Iterator[list[tuple[BlobKey, Packed]]]:
    for batch in batches:
        yield [((language, sha), _analyse(language, content)) for language, sha, content in batch]


def _in_children(batches: Iterable[list[Task]], workers: int) -> Iterator[list[tuple[BlobKey, Packed]]]:
    with ChildPool(
        "panlect.index.analyse:analyse_batch",
        workers=workers,
        timeout_s=_TIMEOUT_S,
        memory_bytes=_MEMORY_BYTES,
    ) as pool:
        suspects: list[list[Task]] = []
        for batch, answer in pool.map(batches):
            if isinstance(answer, ChildFailure):
                suspects.extend([task] for task in batch)  # one of them did it: each alone, below
            else:
                yield _keyed(batch, answer)
        for (task,), answer in pool.map(suspects):
            language, sha, _ = task
            if isinstance(answer, ChildFailure):
                yield [((language, sha), crashed(language, f"parser {answer.reason}"))]
            else:
                yield _keyed([task], answer)


def _keyed(batch: Sequence[Task], answer: Sequence[Sequence[bytes]]) -> list[tuple[BlobKey, Packed]]:
    return [
        ((language, sha), Packed(*columns)) for (language, sha, _), columns in zip(batch, answer, strict=True)
    ]


def analyse_batch(batch: list[list[Any]]) -> list[Packed]:
    """What a child runs: the columns of each task, in order."""
    return [_analyse(language, content) for language, _, content in batch]


def _analyse(language: str, content: bytes) -> Packed:
    return pack(read(language_named(language), content))
