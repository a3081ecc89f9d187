"""Every file of a listing has a record: read by whom and how long, or skipped and why."""

from __future__ import annotations

import pytest

from panlect.child import Patience
from panlect.git.tree import TreeEntry
from panlect.index.analyse import AnalysisRun, analyse_blobs
from panlect.index.memory import MemoryBlobs, MemoryStore
from panlect.index.record import RecordSummary, records, summary, why_not_analysed

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12\n"
FILES = {
    "a.py": "def a(): pass\n",
    "notes.md": "some words\n",
    "run": "#!/usr/bin/env python3\nx = 1\n",
    "minified.go": "x" * 700,
    "model.py": POINTER,
}


def test_what_was_read_says_by_whom_and_what_was_not_says_why() -> None:
    blobs, store, run = MemoryBlobs(), MemoryStore(), AnalysisRun()
    entries = blobs.add(FILES)
    analyse_blobs(blobs, entries, store, workers=0, run=run)
    found = {record.path: record for record in records(entries, store, run)}
    assert {path: (r.language, r.parser, r.chunker, r.skipped) for path, r in found.items()} == {
        "a.py": ("python", "tree-sitter", "syntax", ""),
        "notes.md": ("markdown", "lines", "lines", ""),
        "run": ("python", "tree-sitter", "syntax", ""),
        "minified.go": ("go", "none", "none", "minified"),
        "model.py": ("python", "none", "none", "LFS pointer"),
    }
    assert all(record.ms is not None and record.ms >= 0 for record in found.values())


def test_what_an_earlier_run_read_has_no_time_in_this_one() -> None:
    blobs, store = MemoryBlobs(), MemoryStore()
    entries = blobs.add(FILES)
    analyse_blobs(blobs, entries, store, workers=0)
    run = AnalysisRun()
    analyse_blobs(blobs, entries, store, workers=0, run=run)
    assert {record.ms for record in records(entries, store, run)} == {None}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (TreeEntry("lib.py", "1" * 40, "160000", -1), "submodule"),
        (TreeEntry("link.py", "1" * 40, "120000", 5), "symbolic link"),
        (TreeEntry("odd.py", "1" * 40, "100000", 5), "no regular file"),
        (TreeEntry("gone.py", "1" * 40, "100644", -1), "missing or corrupt object"),
        (TreeEntry("large.py", "1" * 40, "100644", 2**21), "too large"),
        (TreeEntry("logo.png", "1" * 40, "100644", 5), "binary by name"),
        (TreeEntry("go.sum", "1" * 40, "100644", 5), "lock file"),
        (TreeEntry("rows.csv", "1" * 40, "100644", 2**17), "data too large"),
        (TreeEntry("a.py", "1" * 40, "100644", 5), ""),
    ],
)
def test_an_entry_alone_says_why_it_is_never_read(entry: TreeEntry, reason: str) -> None:
    assert why_not_analysed(entry) == reason
    if reason:
        (record,) = records([entry], MemoryStore())
        assert (record.skipped, record.parser, record.chunker, record.ms) == (reason, "none", "none", None)


def test_objects_that_are_not_there_are_recorded_as_missing_and_not_kept_as_analysed() -> None:
    blobs, store, run = MemoryBlobs(), MemoryStore(), AnalysisRun()
    entries = blobs.add(FILES)
    unsized = TreeEntry("unsized.py", "2" * 40, "100644", -1)
    del blobs.contents[entries[0].blob_sha]
    analyse_blobs(blobs, [*entries, unsized], store, workers=0, run=run)
    found = {record.path: record.skipped for record in records([*entries, unsized], store, run)}
    assert (found["a.py"], found["unsized.py"], found["notes.md"]) == ("missing object", "missing object", "")
    assert len(store.kept) == len(FILES) - 1


@pytest.mark.parametrize(
    "run", [AnalysisRun(seconds=-1), AnalysisRun(patience=Patience(0))], ids=["time", "patience"]
)
def test_what_a_run_leaves_out_is_recorded_and_read_by_the_next(run: AnalysisRun) -> None:
    blobs, store = MemoryBlobs(), MemoryStore()
    entries = blobs.add({f"f{n}.py": f"x = {n}\n" for n in range(40)})
    analyse_blobs(blobs, entries, store, workers=1, run=run)
    left = summary(records(entries, store, run)).skipped
    assert set(left) == {"analysis budget spent"}
    assert set(summary(records(entries, store)).skipped) == {"not analysed yet"}
    analyse_blobs(blobs, entries, store, workers=1)
    assert summary(records(entries, store)).read == {"tree-sitter": 40}


def test_a_cut_listing_gets_a_few_seconds_and_says_so_in_the_summary() -> None:
    run = AnalysisRun()
    run.note_cut("")
    assert run.seconds == float("inf")
    run.note_cut("more than 100,000 files")
    assert 0 < run.seconds < 30
    assert summary([], run).cut == "more than 100,000 files"


def test_a_summary_counts_by_parser_and_reason() -> None:
    blobs, store, run = MemoryBlobs(), MemoryStore(), AnalysisRun()
    entries = blobs.add({**FILES, "logo.png": b"\0", "b.py": "x = 1\n"})
    analyse_blobs(blobs, entries, store, workers=0, run=run)
    found = summary(records(entries, store, run), run)
    assert found == RecordSummary(
        files=7,
        read={"tree-sitter": 3, "lines": 1},
        skipped={"LFS pointer": 1, "binary by name": 1, "minified": 1},
        ms=found.ms,
    )
    assert found.ms > 0
