"""Cut a blob into chunks at syntax (cAST: split what is too large, merge neighbours that fit).

The budget counts bytes that are not white space: 950 of them fill the window of a small embedding model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
from tree_sitter import Node

from panlect.code.analysis import Chunk

BUDGET = 950
_WHITE = b" \t\r\n\f\v"
_COUNTED = ~np.isin(np.arange(256), list(_WHITE))  # by byte
_DEEPEST = 60  # deeper nesting is cut by lines: descending costs its depth times its length
_CLOSED = BUDGET // 3  # a chunk this full does not reach out of the block it stands in

Piece = tuple[int, int, int, int]  # start byte, end byte, weight, depth
Scope = tuple[int, int, str]  # start byte, end byte, qualified name


def weight(text: bytes) -> int:
    """Bytes that are not white space."""
    return len(text.translate(None, _WHITE))


def cut_tree(root: Node, source: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the chunks of a parsed blob, in order, without overlap."""
    return _merge(_pieces(root, source), source)


def cut_lines(source: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the chunks of a blob without a parser: whole lines, cut at a blank one if there is."""
    return _merge(((s, e, weight(source[s:e]), 0) for s, e in _paragraphs(source, 0, len(source))), source)


def cut_sections(source: bytes, starts: Sequence[int]) -> list[tuple[int, int]]:
    """Byte ranges of a blob that may be cut at `starts` (ascending): small sections share a chunk, a large one
    is cut by lines.
    """
    chunks: list[tuple[int, int]] = []
    begin = end = size = 0
    for start, stop in zip((0, *starts), (*starts, len(source)), strict=True):
        for at, (piece_start, piece_end, piece) in enumerate(_fitting(source, start, stop)):
            if size and (size + piece > BUDGET or (at == 0 and size >= _CLOSED)):
                chunks.append((begin, end))
                size = 0
            if piece:
                begin = begin if size else piece_start
                end, size = piece_end, size + piece
    if size:
        chunks.append((begin, end))
    return chunks


def _fitting(source: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """A range with its weight, in one piece when it fits."""
    size = weight(source[start:stop])
    if size <= BUDGET:
        yield start, stop, size
    else:
        yield from ((s, e, weight(source[s:e])) for s, e in _paragraphs(source, start, stop))


def _pieces(root: Node, source: bytes) -> Iterator[Piece]:
    """Largest nodes within the budget, in order; what cannot be split by syntax is cut by lines."""
    filled = np.zeros(len(source) + 1, dtype=np.int32)  # bytes of weight before each offset
    np.cumsum(_COUNTED[np.frombuffer(source, dtype=np.uint8)], dtype=np.int32, out=filled[1:])
    before = memoryview(filled.data)
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        start, end = node.start_byte, node.end_byte
        size = before[end] - before[start]
        if size <= BUDGET:
            if size:
                yield start, end, size, depth
        elif node.child_count and depth < _DEEPEST:
            depth += 1
            stack.extend([(child, depth) for child in reversed(node.children)])
        else:
            yield from ((s, e, before[e] - before[s], depth) for s, e in _lines_within(source, start, end))


def _merge(pieces: Iterable[Piece], source: bytes) -> list[tuple[int, int]]:
    """Join neighbours while they fit. A header joins its body; the tail of a body stays in its block."""
    chunks: list[tuple[int, int]] = []
    start = end = size = depth = 0
    for piece_start, piece_end, piece_size, piece_depth in pieces:
        fits = size + piece_size <= BUDGET and (piece_depth >= depth or size < _CLOSED)
        if size and not fits:
            chunks.append((start, end))
            size = 0
        if not size:
            start = _line_start(source, piece_start)
        end, size, depth = piece_end, size + piece_size, piece_depth
    if size:
        chunks.append((start, end))
    return chunks


def _line_start(source: bytes, offset: int) -> int:
    """The start of the line when only indentation stands before `offset`."""
    line = source.rfind(b"\n", 0, offset) + 1
    return offset if source[line:offset].strip(_WHITE) else line


def _lines_within(source: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines of a range; one longer than the budget is cut inside, between two characters."""
    while start < end:
        newline = source.find(b"\n", start, end)
        stop = end if newline < 0 else newline + 1
        if stop - start > 2 * BUDGET:
            stop = start + BUDGET
            while source[stop] & 0xC0 == 0x80:
                stop += 1
        yield start, stop
        start = stop


def _paragraphs(source: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Runs of lines up to a blank one, each within the budget."""
    begin, size = first, 0
    for start, end in _lines_within(source, first, last):
        line = weight(source[start:end])
        if size and (size + line > BUDGET or (not line and size >= _CLOSED)):
            yield begin, start
            begin, size = start, 0
        size += line
    if size:
        yield begin, last


def to_chunks(source: bytes, ranges: Sequence[tuple[int, int]], scopes: Sequence[Scope]) -> tuple[Chunk, ...]:
    """Chunks with lines, scope and hash. `scopes` are the definitions that hold others, sorted by start."""
    chunks = []
    line, seen = 1, 0
    around: list[Scope] = []  # scopes that began before this chunk and have not ended
    coming = 0
    for start, end in ranges:
        text = source[start:end]
        first_byte = end - len(text.lstrip(_WHITE))
        while coming < len(scopes) and scopes[coming][0] <= first_byte:
            around.append(scopes[coming])
            coming += 1
        while around and around[-1][1] < end:
            around.pop()
        scope = around[-1][2] if around else ""
        line += source.count(b"\n", seen, start)
        last = line + text.rstrip(b"\n").count(b"\n")
        digest = blake2b(scope.encode() + b"\0" + text, digest_size=16).hexdigest()
        chunks.append(Chunk(start, end, line, last, scope, digest))
        seen = start
    return tuple(chunks)
