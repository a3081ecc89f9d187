"""BM25 over the chunks of a snapshot, computed on its inverted columns as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from panlect.index.snapshot import Snapshot

if TYPE_CHECKING:
    from panlect.index.segment import ChunkSegment

    Array = np.ndarray[Any, Any]
    Gains = Mapping[int, tuple[Array, Array]]  # term -> chunks and what it adds to each

_K1, _B = 1.2, 0.75


class ChunkAt(NamedTuple):
    """Where a chunk stands. `ordinal` counts within its file."""

    path: str
    ordinal: int
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 knows of a collection: how many chunks, how long on average, how many hold each asked term.

    Snapshots that are scored with the same statistics have scores that can be compared.
    """

    chunks: int
    mean_length: float
    holders: Mapping[int, int]

    def idf(self, term: int) -> float:
        """How rare a term is: 0 for one that no chunk holds."""
        holders = self.holders.get(term, 0)
        return float(np.log1p((self.chunks - holders + 0.5) / (holders + 0.5))) if holders else 0.0


class Lexical:
    """The chunks of one snapshot under numbers of their own (0 .. size), ready to be scored.

    Chunks of files that an overlay replaced keep their number and never score.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        # No reference to the snapshot: `lexical_of` keeps this as long as the snapshot lives.
        self._parts = snapshot.segments()
        self._offsets = np.cumsum([0, *(len(segment.file) for segment, _, _ in self._parts)])
        self.size = int(self._offsets[-1])
        self.alive = self._joined([~np.isin(s.file, list(dead)) for s, _, dead in self._parts], bool)
        self._all_alive = bool(self.alive.all())
        self._length = self._joined([segment.length for segment, _, _ in self._parts], np.float32)
        self.count = int(self.alive.sum())
        self.total_length = float(self._length[self.alive].sum(dtype=np.float64))

    def statistics(self, terms: Iterable[int]) -> Statistics:
        """Those of this snapshot alone, over its living chunks."""
        return shared_statistics([self], terms)

    def gains(self, terms: Iterable[int], known: Statistics | None = None) -> dict[int, tuple[Array, Array]]:
        """For each term the chunks that hold it, ascending, and what it adds to the score of each."""
        rows = {term: self._row(term) for term in dict.fromkeys(terms)}
        known = known or self._statistics({term: len(documents) for term, (documents, _) in rows.items()})
        norm = _K1 * (1 - _B + _B * self._length / max(known.mean_length, 1.0))
        found = {}
        for term, (documents, counts) in rows.items():
            times = counts.astype(np.float64)
            found[term] = (documents, known.idf(term) * times * (_K1 + 1) / (times + norm[documents]))
        return found

    def scores(self, weights: Mapping[int, float], known: Statistics | None = None) -> Array:
        """The BM25 score of every chunk for weighted term ids."""
        return self.summed(self.gains(weights, known), weights)

    def summed(self, gains: Gains, weights: Mapping[int, float]) -> Array:
        """The score of every chunk from the gains of weighted terms."""
        total = np.zeros(self.size, dtype=np.float64)
        for term, weight in weights.items():
            documents, gain = gains[term]
            total[documents] += weight * gain  # a row has each chunk once
        return total

    def idf(self, term: int) -> float:
        """How rare a term is here: 0 for one that no chunk holds."""
        return self._statistics({term: len(self._row(term)[0])}).idf(term)

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
        """For each chunk the number of its file, and the files' paths (one that was replaced is there twice)."""
        return self._files

    @cached_property
    def _files(self) -> tuple[Array, list[str]]:
        numbers: list[Array] = []
        paths: list[str] = []
        for segment, own_paths, _ in self._parts:
            numbers.append(segment.file + len(paths))
            paths.extend(own_paths)
        return self._joined(numbers, np.int64), paths

    def best_of(self, scores: Array, paths: Collection[str]) -> dict[str, int]:
        """The chunk with the highest positive score in each of these files; the first one of equal ones."""
        numbers, names = self._files
        wanted = [number for number, name in enumerate(names) if name in paths]
        found: dict[str, int] = {}
        for chunk in np.flatnonzero(np.isin(numbers, wanted) & (scores > 0) & self.alive).tolist():
            path = names[int(numbers[chunk])]
            if path not in found or scores[chunk] > scores[found[path]]:
                found[path] = chunk
        return found

    @cached_property
    def by_hash(self) -> dict[bytes, list[int]]:
        """Chunk hash -> the chunks with that content, for vectors that are kept by content."""
        found: dict[bytes, list[int]] = {}
        hashes = [one for segment, _, _ in self._parts for one in segment.hashes.tolist()]
        for chunk in np.flatnonzero(self.alive).tolist():
            found.setdefault(bytes(hashes[chunk]), []).append(chunk)
        return found

    def _statistics(self, holders: Mapping[int, int]) -> Statistics:
        return Statistics(self.count, self.total_length / max(1, self.count), holders)

    def _row(self, term: int) -> tuple[Array, Array]:
        """The living chunks that hold a term, ascending, and how often each does."""
        rows = [segment.terms.row(term) for segment, _, _ in self._parts]
        if len(rows) == 1 and self._all_alive:
            return rows[0]
        documents = np.concatenate(
            [found + offset for (found, _), offset in zip(rows, self._offsets, strict=False)]
        )
        kept = self.alive[documents]
        return documents[kept], np.concatenate([counts for _, counts in rows])[kept]

    def _locate(self, chunk: int) -> tuple[ChunkSegment, Any, int]:
        part = int(np.searchsorted(self._offsets, chunk, side="right")) - 1
        segment, paths, _ = self._parts[part]
        return segment, paths, chunk - int(self._offsets[part])

    def _joined(self, arrays: list[Array], kind: Any) -> Array:
        return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)


def matched(gains: Gains, chunk: int) -> list[int]:
    """The terms that a chunk holds, the most telling first."""
    found = []
    for term, (documents, gain) in gains.items():
        at = int(np.searchsorted(documents, chunk))
        if at < len(documents) and int(documents[at]) == chunk:
            found.append((-float(gain[at]), term))
    return [term for _, term in sorted(found)]


def shared_statistics(collections: Sequence[Lexical], terms: Iterable[int]) -> Statistics:
    """The statistics of several snapshots taken as one collection."""
    count = sum(one.count for one in collections)
    length = sum(one.total_length for one in collections)
    holders = {term: sum(len(one._row(term)[0]) for one in collections) for term in dict.fromkeys(terms)}
    return Statistics(count, length / max(1, count), holders)


_kept: WeakKeyDictionary[Snapshot, Lexical] = WeakKeyDictionary()


def lexical_of(snapshot: Snapshot) -> Lexical:
    """The columns of a snapshot, made once and kept as long as it lives (a snapshot never changes)."""
    found = _kept.get(snapshot)
    if found is None:
        found = _kept[snapshot] = Lexical(snapshot)
    return found
