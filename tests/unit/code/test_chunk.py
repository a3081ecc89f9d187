"""Chunks: within the budget, at syntax, without loss or overlap."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panlect.code.analysis import Chunk
from panlect.code.chunk import BUDGET, weight
from panlect.code.parse import analyse

FUNCTION = "def name_{n}(first, second):\n    total = first + second\n    return compute(total, {n})\n\n\n"


def test_small_neighbours_share_a_chunk() -> None:
    source = "".join(FUNCTION.format(n=n) for n in range(4)).encode()
    assert len(analyse("a.py", source).chunks) == 1


def test_a_large_class_is_cut_between_its_methods() -> None:
    methods = "".join(f"    def m{n}(self):\n" + "        work(a, b, c, d)\n" * 50 for n in range(6))
    source = f"class Big:\n{methods}".encode()
    chunks = analyse("a.py", source).chunks
    assert len(chunks) >= 6
    for chunk in chunks[1:]:
        assert _text(source, chunk).lstrip().startswith((b"def m", b"work("))
        assert chunk.scope.startswith("Big")


def test_the_tail_of_a_function_does_not_join_the_next_one() -> None:
    body = "    work(alpha, beta, gamma, delta)\n" * 45
    source = f"def one():\n{body}\ndef two():\n{body}".encode()
    texts = [_text(source, chunk) for chunk in analyse("a.py", source).chunks]
    assert [text for text in texts if b"def two" in text] == [t for t in texts if t.startswith(b"def two")]


def test_scope_is_the_definition_around_the_whole_chunk() -> None:
    body = "        work(alpha, beta, gamma, delta)\n" * 60
    source = f"class Box:\n    def fill(self):\n{body}".encode()
    assert {chunk.scope for chunk in analyse("a.py", source).chunks[1:]} == {"Box.fill"}


def test_each_scope_ends_where_its_definition_ends() -> None:
    body = "        work(alpha, beta, gamma, delta)\n" * 60
    source = f"class Box:\n    def fill(self):\n{body}    def empty(self):\n{body}".encode()
    scopes = [chunk.scope for chunk in analyse("a.py", source).chunks]
    assert scopes == sorted(scopes, key=["Box", "Box.fill", "Box.empty"].index)
    assert scopes[-1] == "Box.empty"


def test_hash_depends_on_scope_and_text_alone() -> None:
    one = analyse("a.py", b"x = 1\n").chunks[0]
    other = analyse("renamed/b.py", b"\n\nx = 1\n").chunks[0]
    assert one.hash == other.hash
    assert len(one.hash) == 32


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("deep.py", b"(\n" * 30_000 + b"1" + b")\n" * 30_000),
        ("deep.ts", b"[\n" * 30_000),
        ("wide.go", b"package a\n" + b"var x = 1\n" * 20_000),
        ("long.py", b"x = '''" + b"word " * 900 + (b"\n" + b"a" * 120) * 2000 + b"'''\n"),
        ("one-line.txt", b"word" * 50_000),
        ("unicode.md", "漢字 ".encode() * 30_000),
        ("empty.py", b""),
        ("white.py", b"\n \t\n" * 1000),
    ],
)
def test_hostile_shapes_are_cut_within_bounds(path: str, source: bytes) -> None:
    chunks = analyse(path, source).chunks
    _assert_sound(source, chunks)
    for chunk in chunks:
        assert weight(_text(source, chunk)) <= 2 * BUDGET


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=4000), st.sampled_from(["a.py", "a.ts", "a.tsx", "a.go", "a.txt"]))
def test_no_character_is_lost_or_counted_twice(text: str, path: str) -> None:
    source = text.replace("\0", "").encode("utf-8", "ignore")
    analysis = analyse(path, source)
    if not analysis.skipped:
        _assert_sound(source, analysis.chunks)


def _assert_sound(source: bytes, chunks: tuple[Chunk, ...]) -> None:
    """Ordered, without overlap, nothing but white space between; lines are those of the bytes."""
    at = 0
    for chunk in chunks:
        assert at <= chunk.start_byte < chunk.end_byte
        assert _is_white(source[at : chunk.start_byte])
        assert chunk.start_line == source.count(b"\n", 0, chunk.start_byte) + 1
        _text(source, chunk).decode()
        at = chunk.end_byte
    assert _is_white(source[at:])


def _is_white(gap: bytes) -> bool:
    """White space as a grammar sees it: Unicode's, the byte order mark and the zero-width ones."""
    return not gap.decode().strip().strip("\ufeff\u2060\u200b\u00a0 \n")


def _text(source: bytes, chunk: Chunk) -> bytes:
    return source[chunk.start_byte : chunk.end_byte]
