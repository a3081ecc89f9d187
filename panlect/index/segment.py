"""Postings and names of a list of files as numpy columns: what search and symbol look-ups read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panlect.code.packed import search_of, symbols_of
from panlect.code.terms import terms_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Inverted:
    """Term -> documents in compressed rows: `documents[offsets[i]:offsets[i + 1]]` hold `terms[i]`."""

    terms: Array  # u64, ascending, unique
    offsets: Array
    documents: Array
    counts: Array  # how often, parallel to documents

    def row(self, term: int) -> tuple[Array, Array]:
        """Documents (ascending) that hold the term, and how often each does."""
        at = int(np.searchsorted(self.terms, np.uint64(term)))
        if at == len(self.terms) or int(self.terms[at]) != term:
            return self.documents[:0], self.counts[:0]
        begin, end = self.offsets[at], self.offsets[at + 1]
        return self.documents[begin:end], self.counts[begin:end]


def invert(terms: Array, documents: Array, counts: Array) -> Inverted:
    """Sort parallel columns, given in ascending order of documents, by term."""
    order = np.argsort(terms, kind="stable")
    ordered = terms[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else order
    offsets = np.append(first, len(ordered))
    return Inverted(ordered[first], offsets, documents[order], counts[order])


@dataclass(frozen=True, slots=True)
class ChunkSegment:
    """The chunks of a list of files, in their order, with inverted terms."""

    file: Array  # ordinal in the list of files
    ordinal: Array  # of the chunk in its file
    start_line: Array
    end_line: Array
    length: Array  # terms in the chunk, those of its path included
    hashes: Array  # 16 bytes each
    terms: Inverted


@dataclass(frozen=True, slots=True)
class NameSegment:
    """Which files define and which use a name, by hashed name."""

    defined: Inverted
    used: Inverted


def chunk_segment(paths: Sequence[str], columns: Sequence[bytes | None]) -> ChunkSegment:
    """The chunks of the files whose `search` columns are given in order; None for a file without one.

    The words of a path count once in each of its chunks: a rename then moves them without a new analysis.
    """
    files, ordinals, starts, ends, hashes = [], [], [], [], []
    terms, documents, counts = [], [], []
    total = 0
    for file, (path, column) in enumerate(zip(paths, columns, strict=True)):
        if column is None:
            continue
        found = search_of(column)
        size = len(found.start_lines) // 4
        files.append(np.full(size, file, dtype=np.int32))
        ordinals.append(np.arange(size, dtype=np.int32))
        starts.append(np.frombuffer(found.start_lines, dtype="<u4"))
        ends.append(np.frombuffer(found.end_lines, dtype="<u4"))
        hashes.append(np.frombuffer(found.hashes, dtype="V16"))
        words = np.array(sorted(set(terms_of(path))), dtype=np.uint64)
        terms += [np.frombuffer(found.terms, dtype="<u8"), np.tile(words, size)]
        own = np.arange(total, total + size, dtype=np.int32)
        documents += [own[np.frombuffer(found.chunks, dtype="<u4")], np.repeat(own, len(words))]
        counts += [np.frombuffer(found.counts, dtype="<u2"), np.ones(size * len(words), dtype=np.uint16)]
        total += size
    holders, times = _join(documents, np.int32), _join(counts, np.uint16)
    return ChunkSegment(
        _join(files, np.int32),
        _join(ordinals, np.int32),
        _join(starts, np.uint32),
        _join(ends, np.uint32),
        np.bincount(holders, weights=times, minlength=total).astype(np.float32),
        _join(hashes, np.dtype("V16")),
        invert(_join(terms, np.uint64), holders, times),
    )


def name_segment(columns: Sequence[bytes | None]) -> NameSegment:
    """The names of the files whose `symbols` columns are given in order."""
    found = [(file, symbols_of(column)) for file, column in enumerate(columns) if column is not None]
    return NameSegment(
        _invert_names([(file, names.defined) for file, names in found]),
        _invert_names([(file, names.used) for file, names in found]),
    )


def _invert_names(rows: Sequence[tuple[int, bytes]]) -> Inverted:
    names = [np.frombuffer(ids, dtype="<u8") for _, ids in rows]
    files = [np.full(len(ids) // 8, file, dtype=np.int32) for file, ids in rows]
    documents = _join(files, np.int32)
    return invert(_join(names, np.uint64), documents, np.ones(len(documents), dtype=np.uint16))


def _join(arrays: Sequence[Array], kind: Any) -> Array:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)
