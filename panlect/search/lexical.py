"""BM25 over the chunks of a snapshot, computed on its inverted columns as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from panlect.index.snapshot import Snapshot

if TYPE_CHECKING:
    from panlect.index.segment import ChunkSegment

    Array = np.ndarray[Any, Any]

_K1, _B = 1.2, 0.75


class ChunkAt(NamedTuple):
    """Where a chunk stands. `ordinal` counts within its file."""

    path: str
    ordinal: int
    start_line: int
    end_line: int


class Lexical:
    """The chunks of one snapshot under numbers of their own (0 .. size), ready to be scored.

    Chunks of files that an overlay replaced keep their number and never score.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._parts = snapshot.segments()
        self._offsets = np.cumsum([0, *(len(segment.file) for segment, _, _ in self._parts)])
        self.size = int(self._offsets[-1])
        self.alive = self._joined([~np.isin(s.file, list(dead)) for s, _, dead in self._parts], bool)
        length = self._joined([segment.length for segment, _, _ in self._parts], np.float32)
        self._count = int(self.alive.sum())
        mean = float(length[self.alive].mean()) if self._count else 1.0
        self._norm = _K1 * (1 - _B + _B * length / max(mean, 1.0))

    def scores(self, weights: Mapping[int, float]) -> Array:
        """The BM25 score of every chunk for weighted term ids."""
        total = np.zeros(self.size, dtype=np.float64)
        for term, weight in weights.items():
            documents, gain = self._gain(term)
            np.add.at(total, documents, weight * gain)
        return total

    def idf(self, term: int) -> float:
        """How rare a term is: 0 for one that no chunk holds."""
        documents, _ = self._row(term)
        return self._idf(len(documents)) if len(documents) else 0.0

    def matched(self, chunk: int, terms: Iterable[int]) -> list[int]:
        """The terms that a chunk holds, the most telling first."""
        found = []
        for term in terms:
            documents, gain = self._gain(term)
            here = documents == chunk
            if here.any():
                found.append((-float(gain[here].sum()), term))
        return [term for _, term in sorted(found)]

    def at(self, chunk: int) -> ChunkAt:
        """The place of a chunk."""
        segment, paths, within = self._locate(chunk)
        return ChunkAt(
            paths[int(segment.file[within])],
            int(segment.ordinal[within]),
            int(segment.start_line[within]),
            int(segment.end_line[within]),
        )

    def files(self) -> tuple[Array, list[str]]:
        """For each chunk the number of its file, and the files' paths."""
        numbers: list[Array] = []
        paths: list[str] = []
        for segment, own_paths, _ in self._parts:
            numbers.append(segment.file + len(paths))
            paths.extend(own_paths)
        return self._joined(numbers, np.int64), paths

    def best_of(self, scores: Array, paths: Collection[str]) -> dict[str, int]:
        """The chunk with the highest positive score in each of these files; the first one of equal ones."""
        numbers, names = self.files()
        wanted = {names.index(path): path for path in paths if path in names}
        found: dict[str, int] = {}
        for chunk in np.flatnonzero(np.isin(numbers, list(wanted)) & (scores > 0)).tolist():
            path = wanted[int(numbers[chunk])]
            if path not in found or scores[chunk] > scores[found[path]]:
                found[path] = chunk
        return found

    def by_hash(self) -> dict[bytes, list[int]]:
        """Chunk hash -> the chunks with that content, for vectors that are kept by content."""
        found: dict[bytes, list[int]] = {}
        hashes = [bytes(one) for segment, _, _ in self._parts for one in segment.hashes]
        for chunk in np.flatnonzero(self.alive).tolist():
            found.setdefault(hashes[chunk], []).append(chunk)
        return found

    def _row(self, term: int) -> tuple[Array, Array]:
        rows = [segment.terms.row(term) for segment, _, _ in self._parts]
        documents = np.concatenate(
            [found + offset for (found, _), offset in zip(rows, self._offsets, strict=False)]
        )
        kept = self.alive[documents]
        return documents[kept], np.concatenate([counts for _, counts in rows])[kept]

    def _gain(self, term: int) -> tuple[Array, Array]:
        documents, counts = self._row(term)
        times = counts.astype(np.float64)
        return documents, self._idf(len(documents)) * times * (_K1 + 1) / (times + self._norm[documents])

    def _idf(self, holders: int) -> float:
        return float(np.log1p((self._count - holders + 0.5) / (holders + 0.5)))

    def _locate(self, chunk: int) -> tuple[ChunkSegment, Any, int]:
        part = int(np.searchsorted(self._offsets, chunk, side="right")) - 1
        segment, paths, _ = self._parts[part]
        return segment, paths, chunk - int(self._offsets[part])

    def _joined(self, arrays: list[Array], kind: Any) -> Array:
        return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)
