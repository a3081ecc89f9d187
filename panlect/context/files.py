"""Which files outside a change its reviewer wants to see: a weighted sum of what speaks for each of them.

Every part is divided by the length of its five largest values first: what names one file says more than what
names many of them alike, as in a folder of copies. The weights were chosen on the histories of celery, express
and prometheus (`bench.context`), where the other files of a commit had to be found from one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from math import sqrt
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from panlect.code.languages import is_test, language_by_name, subject_stem
from panlect.context.asked import Asked
from panlect.context.family import Relative
from panlect.git.history import Together
from panlect.index.snapshot import Snapshot
from panlect.search.graph import Edge, definitions_of, name_weight
from panlect.search.lexical import Lexical
from panlect.search.rerank import file_score

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_WEIGHTS = {
    "text": 4.5,  # the words of the changed lines
    "around": 0.5,  # the words of the changed files
    "names": 2.0,  # the names of what is touched
    "callers": 0.6,
    "used": 0.4,
    "family": 0.5,  # bases, overrides, who mentions the same route or variable
    "test of": 2.2,
    "tested by": 1.0,
    "history": 3.0,
}
_IS_TEST = 0.3  # a change of code alone most often misses its test
_IS_NO_TEST = 0.6  # and a change of tests alone the code
_NO_SYMBOLS = 0.25  # a factor: what holds no code of a known language
_BEST_CHUNKS = 3
_LARGEST = 5


@dataclass(frozen=True, slots=True)
class RankedFile:
    """A file outside the change, by how likely its reviewer wants it."""

    path: str
    score: float


def rank_files(
    asked: Asked,
    head: Snapshot,
    lexical: Lexical,
    chunk_scores: Array,
    edges: Mapping[str, Sequence[Edge]],
    relatives: Sequence[Relative] = (),
    history: Sequence[Together] = (),
) -> list[RankedFile]:
    """Every file of the head outside the change that something speaks for, best first."""
    parts = {
        "text": _by_text(lexical, chunk_scores),
        "around": _by_text(lexical, lexical.scores(asked.around)),
        "names": _by_text(lexical, lexical.scores(asked.named)),
        "callers": _by_callers(edges),
        "used": _by_used(asked, head),
        "family": _by_family(relatives),
        "test of": _by_test(asked, head),
        "tested by": _by_tested(asked, head),
        "history": {one.path: one.score for one in history},
    }
    total: dict[str, float] = defaultdict(float)
    for part, scores in parts.items():
        others = {path: score for path, score in scores.items() if path not in asked.paths and score > 0}
        others = {path: score for path, score in others.items() if head.exists(path)}
        length = _length(others.values())
        for path, score in others.items():
            total[path] += _WEIGHTS[part] * score / length
    for path in total:
        total[path] += _counterpart(asked, path)
        if not language_by_name(path).queries:
            total[path] *= _NO_SYMBOLS
    for path in _beside(asked, head):
        total.setdefault(path, 0.0)
    ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return [RankedFile(path, round(score, 4)) for path, score in ranked]


def _length(scores: Collection[float]) -> float:
    """Of the largest ones: about the largest where one stands out, more where many are alike."""
    return sqrt(sum(score**2 for score in nlargest(_LARGEST, scores)))


def _counterpart(asked: Asked, path: str) -> float:
    """What a file has for being what the change does not touch at all: tests, or the code."""
    tests = {is_test(one) for one in asked.paths}
    if tests == {False} and is_test(path):
        return _IS_TEST
    return _IS_NO_TEST if tests == {True} and not is_test(path) else 0.0


def _by_text(lexical: Lexical, chunk_scores: Array) -> dict[str, float]:
    numbers, paths = lexical.files()
    positive = np.flatnonzero(chunk_scores > 0)
    order = positive[np.argsort(-chunk_scores[positive], kind="stable")]
    best: dict[int, list[float]] = {}
    for file, score in zip(numbers[order].tolist(), chunk_scores[order].tolist(), strict=True):
        found = best.setdefault(file, [])
        if len(found) < _BEST_CHUNKS:
            found.append(score)
    return {paths[file]: file_score(scores) for file, scores in best.items()}


def _by_callers(edges: Mapping[str, Sequence[Edge]]) -> dict[str, float]:
    """Files that use what changed."""
    scores: dict[str, float] = defaultdict(float)
    for uses in edges.values():
        for path in sorted({edge.path for edge in uses}):
            scores[path] += uses[0].weight
    return scores


def _by_used(asked: Asked, head: Snapshot) -> dict[str, float]:
    """Files that define what the changed lines use."""
    scores: dict[str, float] = defaultdict(float)
    for name, (near, _) in asked.used.items():
        weight = name_weight(head, name)
        if weight:
            for site in definitions_of(head, name, near):
                scores[site.path] += weight
    return scores


def _by_family(relatives: Sequence[Relative]) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for one in relatives:
        scores[one.path] += one.weight
    return scores


def _by_test(asked: Asked, head: Snapshot) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for path in sorted(asked.paths):
        for rank, test in enumerate(head.tests_of(path)):
            scores[test] += 1.0 / (1 + rank)
    return scores


def _by_tested(asked: Asked, head: Snapshot) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for path in sorted(asked.paths):
        for rank, tested in enumerate(_tested_by(head, path)):
            scores[tested] += 1.0 / (1 + rank)
    return scores


def _tested_by(head: Snapshot, test: str) -> list[str]:
    stem = subject_stem(test)
    if not stem:
        return []
    return [path for path in head.files_of_stem(stem) if test in head.tests_of(path)]


def _beside(asked: Asked, head: Snapshot) -> Iterator[str]:
    """The files of the same folders: the last resort."""
    folders = {str(PurePosixPath(path).parent) for path in asked.paths}
    for path in head.paths():
        if path not in asked.paths and str(PurePosixPath(path).parent) in folders:
            yield path
