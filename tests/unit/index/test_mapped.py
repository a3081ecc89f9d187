"""Mapped columns: the same answers as those in memory, whole or not at all, and never without bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from panlect.index import mapped
from panlect.index.mapped import SegmentFolder
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.query import search

FILES = {
    f"shop/part{number}.py": f"def part_{number}(order):\n    return capture(order, {number})\n"
    for number in range(30)
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_SMALL", 1)


def opened(repository: MemoryRepository, folder: SegmentFolder | None) -> Snapshot:
    entries = repository.blobs.add(FILES)
    return Snapshot("head", entries, repository.store, repository.blobs, folder=folder)


@pytest.fixture
def repository() -> MemoryRepository:
    made = MemoryRepository()
    made.snapshot(FILES)
    return made


def test_mapped_columns_answer_as_those_in_memory(repository: MemoryRepository, tmp_path: Path) -> None:
    plain = opened(repository, None)
    wanted = search(plain, "capture part 7")
    for _ in range(2):  # made, then mapped
        snapshot = opened(repository, SegmentFolder(tmp_path, "one"))
        assert search(snapshot, "capture part 7") == wanted
        assert snapshot.files_using("capture") == plain.files_using("capture")


def test_what_is_mapped_is_not_made_again(repository: MemoryRepository, tmp_path: Path) -> None:
    search(opened(repository, SegmentFolder(tmp_path, "one")), "capture")
    repository.store.loads.clear()
    snapshot = opened(repository, SegmentFolder(tmp_path, "one"))
    (segment, _, _) = snapshot.segments()[0]
    assert isinstance(segment.terms.documents, np.memmap)
    assert [column for column, _ in repository.store.loads if column == "search"] == []


@pytest.mark.parametrize("damage", [b"damaged", b""])
def test_a_damaged_file_is_made_anew_and_mapped_the_next_time(
    repository: MemoryRepository, tmp_path: Path, damage: bytes
) -> None:
    wanted = search(opened(repository, SegmentFolder(tmp_path, "one")), "capture")
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(damage)
    assert search(opened(repository, SegmentFolder(tmp_path, "one")), "capture") == wanted
    snapshot = opened(repository, SegmentFolder(tmp_path, "one"))
    assert search(snapshot, "capture") == wanted
    (segment, _, _) = snapshot.segments()[0]
    assert isinstance(segment.terms.documents, np.memmap)
    assert list(tmp_path.rglob(".*")) == []


def test_a_folder_that_cannot_be_written_is_no_error(repository: MemoryRepository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = SegmentFolder(tmp_path / "file", "one")
    assert search(opened(repository, folder), "capture") == search(opened(repository, None), "capture")


def test_the_oldest_snapshots_go_first(repository: MemoryRepository, tmp_path: Path) -> None:
    for number in range(4):
        search(opened(repository, SegmentFolder(tmp_path, f"s{number}", max_bytes=1)), "capture")
    assert [one.name.split("-")[0] for one in tmp_path.iterdir()] == ["s3"]


def test_a_column_that_was_given_back_is_loaded_again(repository: MemoryRepository) -> None:
    snapshot = opened(repository, None)
    search(snapshot, "capture")
    assert len(snapshot.chunks("shop/part3.py")) == 1


def test_columns_are_as_small_as_they_can_be(repository: MemoryRepository) -> None:
    (segment, _, _) = opened(repository, None).segments()[0]
    assert (segment.terms.counts.dtype, segment.terms.documents.dtype) == (np.uint16, np.int32)
