"""Only unseen blobs are read; what kills a parser is blamed alone and kept as skipped."""

from __future__ import annotations

import pytest

from panlect.child import Answer, ChildFailure
from panlect.code.packed import meta_of
from panlect.index import analyse
from panlect.index.analyse import analyse_blobs
from panlect.index.memory import MemoryBlobs, MemoryStore

FILES = {"a.py": "def a(): pass\n", "b.go": "package b\n", "copy.py": "def a(): pass\n", "logo.png": b"\0"}


def test_each_content_is_read_once_and_never_again() -> None:
    blobs, store = MemoryBlobs(), MemoryStore()
    entries = blobs.add(FILES)
    assert analyse_blobs(blobs, entries, store, workers=0) == 2
    assert len(blobs.asked) == 2
    assert analyse_blobs(blobs, entries, store, workers=0) == 0
    assert len(blobs.asked) == 2


def test_the_same_content_in_two_languages_is_read_once_and_parsed_twice() -> None:
    blobs, store = MemoryBlobs(), MemoryStore()
    analyse_blobs(blobs, blobs.add({"a.py": "x = 1\n", "a.ts": "x = 1\n"}), store, workers=0)
    assert len(blobs.asked) == 1
    assert {language for language, _ in store.kept} == {"python", "typescript"}


def test_progress_counts_blobs() -> None:
    blobs, seen = MemoryBlobs(), []
    analyse_blobs(
        blobs,
        blobs.add(FILES),
        MemoryStore(),
        progress=lambda done, total: seen.append((done, total)),
        workers=0,
    )
    assert seen[-1] == (2, 2)


def test_children_give_the_same_columns_as_this_process() -> None:
    blobs, inline, children = MemoryBlobs(), MemoryStore(), MemoryStore()
    entries = blobs.add({f"f{n}.py": f"def f{n}(): return {n}\n" for n in range(30)})
    analyse_blobs(blobs, entries, inline, workers=0)
    assert analyse_blobs(blobs, entries, children, workers=2) == 30
    assert children.kept == inline.kept


def test_a_blob_that_kills_its_parser_is_blamed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, store = MemoryBlobs(), MemoryStore()
    entries = blobs.add({"good.py": "x = 1\n", "evil.py": "evil = 1\n", "fine.go": "package b\n"})
    monkeypatch.setattr(analyse, "ChildPool", _PoolThatDiesOfEvil)
    assert analyse_blobs(blobs, entries, store, workers=1) == 3
    reasons = {entry.path: meta_of(store.kept[analyse.blob_key(entry)].meta).skipped for entry in entries}
    assert reasons == {"good.py": "", "evil.py": "parser crashed", "fine.go": ""}


class _PoolThatDiesOfEvil:
    """As `ChildPool`, where content that begins with `evil` crashes the child."""

    def __init__(self, function: str, **_: object) -> None:
        assert function == "panlect.index.analyse:analyse_one"

    def __enter__(self) -> _PoolThatDiesOfEvil:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map_batches(self, batches):  # type: ignore[no-untyped-def]
        for batch in batches:
            yield (
                batch,
                [
                    Answer(
                        ChildFailure("crashed") if task[2].startswith(b"evil") else analyse.analyse_one(task)
                    )
                    for task in batch
                ],
            )
