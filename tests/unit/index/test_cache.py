"""The blob cache: what was put comes back, within bounds, whatever happens to the file."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from panlect.code.packed import COLUMNS, Packed
from panlect.index.cache import BlobCache
from panlect.index.snapshot import BlobKey

KEY: BlobKey = ("python", "a" * 40)


def _packed(size: int = 10) -> Packed:
    return Packed(b"m" * size, b"s" * size, b"y" * size, b"f" * size)


def _key(number: int) -> BlobKey:
    return "python", f"{number:040x}"


def test_columns_come_back_one_by_one(tmp_path: Path) -> None:
    with BlobCache(tmp_path) as cache:
        cache.put([(KEY, _packed())])
        assert cache.known([KEY, _key(1)]) == {KEY}
        for column in COLUMNS:
            assert cache.load(column, [KEY, _key(1)]) == {KEY: getattr(_packed(), column)}


def test_what_was_put_outlives_the_process(tmp_path: Path) -> None:
    with BlobCache(tmp_path) as cache:
        cache.put([(KEY, _packed())])
    with BlobCache(tmp_path) as cache:
        assert cache.known([KEY]) == {KEY}


def test_another_version_of_the_analyser_sees_nothing(tmp_path: Path) -> None:
    with BlobCache(tmp_path, version="1") as cache:
        cache.put([(KEY, _packed())])
    with BlobCache(tmp_path, version="2") as cache:
        assert cache.known([KEY]) == set()


def test_the_same_content_in_another_language_is_another_row(tmp_path: Path) -> None:
    with BlobCache(tmp_path) as cache:
        cache.put([(KEY, _packed())])
        assert cache.known([("go", KEY[1])]) == set()


def test_more_keys_than_a_statement_takes(tmp_path: Path) -> None:
    keys = [_key(number) for number in range(5000)]
    with BlobCache(tmp_path) as cache:
        cache.put((key, _packed(1)) for key in keys)
        assert cache.known(keys) == set(keys)
        assert len(cache.load("facts", keys)) == 5000


def test_two_processes_may_put_the_same_blob(tmp_path: Path) -> None:
    with BlobCache(tmp_path) as one, BlobCache(tmp_path) as other:
        one.put([(KEY, _packed())])
        other.put([(KEY, _packed(99))])
        assert other.load("meta", [KEY]) == {KEY: b"m" * 10}


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    with BlobCache(tmp_path, max_bytes=10_000) as cache:
        for number in range(20):
            cache.put([(_key(number), _packed(200))])
        left = cache.known([_key(number) for number in range(20)])
        assert _key(19) in left
        assert _key(0) not in left
        assert 800 * len(left) <= 10_000
        for column in COLUMNS:
            assert len(cache.load(column, [_key(number) for number in range(20)])) == len(left)


def test_what_is_used_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with BlobCache(tmp_path, max_bytes=2400) as cache:
        cache.put([(_key(0), _packed(200)), (_key(1), _packed(200)), (_key(2), _packed(200))])
        monkeypatch.setattr("panlect.index.cache._today", lambda: 10**6)
        cache.known([_key(0)])
        cache.put([(_key(3), _packed(200))])
        assert cache.known([_key(n) for n in range(4)]) >= {_key(0), _key(3)}
        assert _key(1) not in cache.known([_key(1)])


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blobs.sqlite").write_bytes(content)
    with caplog.at_level(logging.WARNING), BlobCache(tmp_path) as cache:
        cache.put([(KEY, _packed())])
        assert cache.known([KEY]) == {KEY}
    assert (tmp_path / "blobs.sqlite.corrupt").read_bytes() == content
    assert "damaged" in caplog.text


def test_damage_under_way_is_an_empty_cache_not_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BlobCache(tmp_path) as cache:
        cache.put([(_key(number), _packed(5000)) for number in range(50)])
    path = tmp_path / "blobs.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING), BlobCache(tmp_path) as cache:
        assert cache.known([_key(1)]) == set()
        cache.put([(KEY, _packed())])
        assert cache.known([KEY]) == {KEY}


def test_a_directory_that_cannot_be_written_is_a_cache_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING), BlobCache(tmp_path / "file" / "cache") as cache:
        cache.put([(KEY, _packed())])
        assert cache.known([KEY]) == {KEY}
    assert "nothing is kept" in caplog.text


def test_nothing_in_it_is_pickled(tmp_path: Path) -> None:
    with BlobCache(tmp_path) as cache:
        cache.put([(KEY, _packed())])
    with sqlite3.connect(tmp_path / "blobs.sqlite") as connection:
        assert connection.execute("SELECT content FROM meta").fetchall() == [(b"m" * 10,)]
    connection.close()
