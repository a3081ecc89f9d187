"""Postings and names of a list of files as numpy columns: what search and symbol look-ups read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panlect.code.packed import SearchColumns, search_of, symbols_of
from panlect.code.terms import terms_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Inverted:
    """Term -> documents in compressed rows: `documents[offsets[i]:offsets[i + 1]]` hold `terms[i]`.

    Within a row documents ascend, each once.
    """

    terms: Array  # u64, ascending, unique
    offsets: Array
    documents: Array
    counts: Array  # how often, parallel to documents, u16

    def row(self, term: int) -> tuple[Array, Array]:
        """Documents (ascending, each once) that hold the term, and how often each does."""
        at = int(np.searchsorted(self.terms, np.uint64(term)))
        if at == len(self.terms) or int(self.terms[at]) != term:
            return self.documents[:0], self.counts[:0]
        begin, end = self.offsets[at], self.offsets[at + 1]
        return self.documents[begin:end], self.counts[begin:end]


def invert(terms: Array, documents: Array, counts: Array) -> Inverted:
    """Order parallel columns by term and document; what is listed several times is counted together.

    A document is listed once for each word that a term comes from.
    """
    order = np.argsort(terms)
    # Two sorts of plain numbers are quicker than one by two columns.
    keys = np.cumsum(_begins(terms[order]), dtype=np.int64) << 32 | documents[order].astype(np.int64)
    within = np.argsort(keys)
    order = order[within]
    fresh = np.flatnonzero(_begins(keys[within]))
    times = np.add.reduceat(counts[order], fresh, dtype=np.int64) if len(fresh) else counts[:0]
    times = np.minimum(times, 0xFFFF).astype(np.uint16)
    order = order[fresh]
    distinct = np.flatnonzero(_begins(terms[order]))
    return Inverted(terms[order[distinct]], np.append(distinct, len(order)), documents[order], times)


def _begins(ordered: Array) -> Array:
    """Where another value than before stands."""
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


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
    """Which files define, use, extend or mention a name, by hashed name."""

    defined: Inverted
    used: Inverted
    extended: Inverted
    mentioned: Inverted


def chunk_segment(paths: Sequence[str], columns: Sequence[bytes | None]) -> ChunkSegment:
    """The chunks of the files whose `search` columns are given in order; None for a file without one.

    The words of a path count once in each of its chunks: a rename then moves them without a new analysis.
    """
    files = [file for file, column in enumerate(columns) if column is not None]
    found = [search_of(column) for column in columns if column is not None]
    sizes = [len(one.start_lines) // 4 for one in found]
    total = sum(sizes)
    file = np.repeat(np.array(files, dtype=np.int32), sizes)
    terms = _terms_of_chunks([paths[file] for file in files], found, np.array(sizes, dtype=np.int64))
    return ChunkSegment(
        file,
        (np.arange(total) - np.repeat(_starts(sizes), sizes)).astype(np.int32),
        _joined("<u4", [one.start_lines for one in found]),
        _joined("<u4", [one.end_lines for one in found]),
        np.bincount(terms.documents, weights=terms.counts, minlength=total).astype(np.float32),
        _joined("V16", [one.hashes for one in found]),
        terms,
    )


def _terms_of_chunks(paths: Sequence[str], found: Sequence[SearchColumns], sizes: Array) -> Inverted:
    """Spell the words of all blobs out into terms; each file's path is one more word of all its chunks."""
    of_path = [sorted(set(terms_of(path))) for path in paths]
    distinct = [_count_distinct(one.words) for one in found]
    rows = [len(one.chunks) // 4 for one in found]
    known = sum(distinct)
    path_words = np.arange(known, known + len(found))
    words = np.concatenate(
        (
            _joined("<u4", [one.words for one in found]) + np.repeat(_starts(distinct), rows),
            np.repeat(path_words, sizes),
        )
    )
    documents = np.concatenate(
        (
            _joined("<u4", [one.chunks for one in found]) + np.repeat(_starts(sizes), rows),
            np.arange(sizes.sum()),
        )
    ).astype(np.int32)
    counts = np.concatenate(
        (_joined("<u2", [one.counts for one in found]), np.ones(sizes.sum(), dtype=np.uint16))
    )
    word = np.concatenate(
        (
            _joined("<u4", [one.word for one in found])
            + np.repeat(_starts(distinct), [len(one.word) // 4 for one in found]),
            np.repeat(path_words, [len(terms) for terms in of_path]),
        )
    )
    terms = np.concatenate(
        (
            _joined("<u8", [one.terms for one in found]),
            np.array([term for terms in of_path for term in terms], dtype=np.uint64),
        )
    )
    spelt = np.bincount(word, minlength=known + len(found))  # terms of each word
    times = spelt[words]
    row = np.repeat(np.arange(len(words)), times)
    within = np.arange(len(row)) - np.repeat(_starts(times), times)
    return invert(terms[_starts(spelt)[words[row]] + within], documents[row], counts[row])


def _count_distinct(words: bytes) -> int:
    """How many words a blob has: their ordinals leave no gap."""
    return int(np.frombuffer(words, dtype="<u4").max()) + 1 if words else 0


def _starts(sizes: Array | Sequence[int]) -> Array:
    """Where each of these runs begins when they stand one after the other."""
    return np.cumsum(sizes, dtype=np.int64) - np.asarray(sizes, dtype=np.int64)


def _joined(kind: str, columns: Sequence[bytes]) -> Array:
    """Raw columns one after the other."""
    return np.frombuffer(b"".join(columns), dtype=kind)


def name_segment(columns: Sequence[bytes | None]) -> NameSegment:
    """The names of the files whose `symbols` columns are given in order."""
    found = [(file, symbols_of(column)) for file, column in enumerate(columns) if column is not None]
    return NameSegment(
        *(
            _invert_names([(file, getattr(names, kind)) for file, names in found])
            for kind in NameSegment.__dataclass_fields__
        )
    )


def _invert_names(rows: Sequence[tuple[int, bytes]]) -> Inverted:
    files = np.repeat([file for file, _ in rows], [len(ids) // 8 for _, ids in rows]).astype(np.int32)
    return invert(_joined("<u8", [ids for _, ids in rows]), files, np.ones(len(files), dtype=np.int64))
