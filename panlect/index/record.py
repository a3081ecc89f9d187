"""What became of every file of a listing: read by which parser and how long, or skipped with the reason.

Made from what is kept of a commit anyway, so it can be asked for at any time: the listing, the `meta` columns,
and what the run noted beside them. Nothing that was listed is without a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from panlect.code.languages import kind_of, language_by_name
from panlect.code.packed import Meta, meta_of
from panlect.git.tree import SUBMODULE, SYMLINK, TreeEntry
from panlect.index.analyse import AnalysisRun
from panlect.index.snapshot import AnalysisSource, BlobKey, blob_key, is_analysable
from panlect.llm.outgoing import may_leave

NOT_ANALYSED = "not analysed yet"
_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file. `parser`: tree-sitter, lines or none; `chunker`: syntax, lines ... or none.

    `ms` is the time its analysis took in this run, None when it was known before or never analysed. `skipped`
    says why it cannot be found by a search, "" when it can.
    """

    path: str
    language: str
    parser: str
    chunker: str
    ms: float | None
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """How many files were read, by parser, and how many skipped, by reason; `cut`: why there may be more."""

    files: int = 0
    read: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    ms: float = 0.0
    cut: str = ""


def records(
    entries: Iterable[TreeEntry], source: AnalysisSource, run: AnalysisRun | None = None
) -> Iterator[FileRecord]:
    """A record for each entry, in their order. `run` is the one that analysed them, where that is at hand."""
    run = run or AnalysisRun()
    rest = iter(entries)
    while some := list(islice(rest, _AT_ONCE)):
        metas = source.load("meta", list(dict.fromkeys(blob_key(e) for e in some if is_analysable(e))))
        yield from (_record(entry, metas, run) for entry in some)


def summary(found: Iterable[FileRecord], run: AnalysisRun | None = None) -> RecordSummary:
    """The counts of `records`, the most frequent first."""
    read: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    ms = 0.0
    for record in found:
        ms += record.ms or 0.0
        if record.skipped:
            skipped[record.skipped] += 1
        else:
            read[record.parser] += 1
    return RecordSummary(
        files=read.total() + skipped.total(),
        read=dict(read.most_common()),
        skipped=dict(sorted(skipped.items(), key=lambda pair: (-pair[1], pair[0]))),
        ms=ms,
        cut=run.cut if run else "",
    )


def why_not_analysed(entry: TreeEntry) -> str:
    """Why an entry is never read, told from the entry alone; "" for one that is."""
    if entry.mode == SUBMODULE:
        return "submodule"
    if entry.mode == SYMLINK:
        return "symbolic link"
    if not entry.is_regular:
        return "no regular file"
    if entry.size < 0:
        return "missing or corrupt object"
    if is_analysable(entry):
        return ""
    if not may_leave(entry.path):
        return "named as a file of secrets"
    kind = kind_of(entry.path)
    return {"binary": "binary by name", "lock": "lock file"}.get(
        kind, "data too large" if kind == "data" else "too large"
    )


def record_of(
    entry: TreeEntry, meta: bytes | None, ms: float | None, *, unread: str = "", otherwise: str = NOT_ANALYSED
) -> FileRecord:
    """What became of an entry: from its `meta` column, else why there is none: `unread` of its run, or `otherwise`."""
    reason = why_not_analysed(entry)
    if reason and unread and entry.is_regular and entry.size < 0:
        reason = unread
    if reason or meta is None:
        language = language_by_name(entry.path).name
        return FileRecord(entry.path, language, "none", "none", None, reason or unread or otherwise)
    said: Meta = meta_of(meta)
    return FileRecord(entry.path, said.language, said.parser, said.chunker, ms, said.skipped)


def _record(entry: TreeEntry, metas: Mapping[BlobKey, bytes], run: AnalysisRun) -> FileRecord:
    key = blob_key(entry)
    return record_of(entry, metas.get(key), run.ms.get(key), unread=run.unread.get(key, ""))
