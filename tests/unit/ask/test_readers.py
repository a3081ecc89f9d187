"""Lines from chunks are the file's own lines, or are said to be missing; nothing is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panlect.ask.readers import GitReader, StoredReader
from panlect.code.packed import Column
from panlect.index.embed import embedding_text
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import BlobKey, Snapshot

PYTHON = "".join(f"def f{n}(a):\n    b = a + {n}\n\n    return [b, 'x' * {n}]\n\n\n" for n in range(60))


@dataclass
class Chunks:
    """Analyses and chunk texts as Postgres keeps them."""

    snapshot: Snapshot
    kept: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        snapshot = self.snapshot
        for path in snapshot.paths():
            content = snapshot.text(path)
            for chunk in snapshot.chunks(path):
                body = content[chunk.start_byte : chunk.end_byte].decode()
                self.kept[bytes.fromhex(chunk.hash)] = embedding_text(chunk.scope, body)

    def load(self, column: Column, keys: Sequence[BlobKey]) -> Mapping[BlobKey, bytes]:
        return self.snapshot.load(column, keys)

    def read_chunks(self, hashes: Sequence[bytes]) -> dict[bytes, str]:
        return {one: self.kept[one] for one in hashes if one in self.kept}


def both(path: str, text: str) -> tuple[GitReader, StoredReader]:
    snapshot = MemoryRepository().snapshot({path: text})
    return GitReader("r", snapshot), StoredReader("r", snapshot, Chunks(snapshot))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", PYTHON),
        ("a.py", PYTHON.rstrip("\n")),
        ("a.py", "\n\n" + PYTHON),
        ("a.md", "# One\n\ntext\n\n\n# Two\n" + "word " * 500 + "\n"),
        ("a.txt", "x" * 5000),
        ("a.go", "package a\n\nfunc A() int {\n\treturn 1\n}\n"),
    ],
)
def test_a_file_put_together_from_its_chunks_is_the_file(path: str, text: str) -> None:
    whole, stored = both(path, text)
    assert stored.files([path])[path].rows == whole.files([path])[path].rows


@given(
    st.lists(
        st.sampled_from(["def f():", "  x = 1", "", "  ", "\t", "a; b", "é = 'ü'", "# c\r", "x" * 990]),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_line_from_chunks_is_the_files_line_or_is_left_out_or_called_cut(lines: list[str]) -> None:
    whole, stored = (one.files(["a.py"])["a.py"] for one in both("a.py", "\n".join(lines)))
    for number, row in stored.rows.items():
        line = whole.rows[number]
        if number == stored.lines and line != row:
            line = line[:-1] + line[-1:].strip()
        assert row == line or number in stored.cut
    for number in set() if stored.why else whole.rows.keys() - stored.rows.keys():
        assert not whole.rows[number].strip()


@pytest.mark.parametrize("text", [None, "\nanother", "another"])
def test_a_chunk_that_is_gone_or_another_leaves_its_lines_out(text: str | None) -> None:
    snapshot = MemoryRepository().snapshot({"a.py": PYTHON})
    chunks = Chunks(snapshot)
    gone = snapshot.chunks("a.py")[1]
    chunks.kept = {k: v for k, v in chunks.kept.items() if k != bytes.fromhex(gone.hash)}
    if text is not None:
        chunks.kept[bytes.fromhex(gone.hash)] = text
    found = StoredReader("r", snapshot, chunks).files(["a.py"])["a.py"]
    assert not found.rows.keys() & set(range(gone.start_line + 1, gone.end_line))
    lines = PYTHON.split("\n")
    assert all(row == lines[number - 1] for number, row in found.rows.items() if number not in found.cut)
    assert len(found.rows) > 150


def test_what_has_no_text_says_why() -> None:
    files: dict[str, str | bytes] = {
        "a.bin": b"\0\1",
        "empty.py": "",
        "big.py": b"x = 1\n" * 200_000,
        "a.lock": "x\n",
    }
    snapshot = MemoryRepository().snapshot(files)
    for reader in (GitReader("r", snapshot), StoredReader("r", snapshot, Chunks(snapshot))):
        found = reader.files(list(files))
        assert all(found[path].why for path in ("a.bin", "big.py"))
        assert not any(one.rows for one in found.values() if one.why)
