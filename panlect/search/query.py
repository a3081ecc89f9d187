"""Last step of journey B: a query over a snapshot becomes ranked hits. API, terminal, MCP all call this one."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from panlect.code.analysis import Definition
from panlect.code.terms import terms_of
from panlect.index.snapshot import Snapshot
from panlect.search import rerank
from panlect.search.dense import DenseIndex
from panlect.search.lexical import Lexical
from panlect.search.rerank import Asked

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

SCHEMA_VERSION = 1
_CANDIDATES = 200  # chunks that the rules look at
_MAX_QUERY = 20_000  # characters: a longer query is a file, not a question
_SHOWN_TERMS = 4


@dataclass(frozen=True, slots=True)
class Hit:
    """Lines that answer a query. `why` is one line for a reader."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class _Scored:
    chunk: int
    path: str
    start_line: int
    end_line: int
    score: float
    definition: Definition | None  # whose name was asked for
    why: tuple[str, ...]


def mode(dense: DenseIndex | None) -> str:
    """What an answer rests on, as every JSON says it."""
    return "lexical+graph" if dense is None else "lexical+graph+dense"


def search(
    snapshot: Snapshot,
    query: str,
    k: int = 10,
    dense: DenseIndex | None = None,
    lexical: Lexical | None = None,
) -> list[Hit]:
    """The `k` best hits, best first; [] when nothing shares a word (or, with `dense`, nothing is near).

    Pass `lexical` to reuse the columns of one snapshot for many queries.
    """
    query = query[:_MAX_QUERY]
    lexical = lexical or Lexical(snapshot)
    asked = Asked.of(query)
    scores = lexical.scores(dict.fromkeys(asked.terms, 1.0))
    if dense is not None:
        scores = _fuse(scores, _dense_scores(dense, query, lexical))
    best = _largest(scores, _CANDIDATES)
    scored = [_rescored(snapshot, lexical, asked, int(chunk), float(scores[chunk])) for chunk in best]
    return [_hit(snapshot, lexical, asked, query, one) for one in _by_file(scored)[:k]]


def answer(snapshot: Snapshot, query: str, k: int = 10, dense: DenseIndex | None = None) -> dict[str, Any]:
    """The JSON of `panlect search`."""
    began = time.perf_counter()
    hits = [asdict(hit) for hit in search(snapshot, query, k, dense)]
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"schema_version": SCHEMA_VERSION, "mode": mode(dense), "hits": hits, "ms": took}


def _largest(scores: Array, count: int) -> Array:
    """The chunks with the highest positive scores; equal ones by their place."""
    positive = np.flatnonzero(scores > 0)
    return positive[np.argsort(-scores[positive], kind="stable")][:count]


def _dense_scores(dense: DenseIndex, query: str, lexical: Lexical) -> Array:
    """Cosines by chunk. Asks for more until enough of what is near belongs to this snapshot."""
    by_hash = lexical.by_hash()
    limit = 2 * _CANDIDATES
    while True:
        near = dense.nearest(query, limit)
        found = [(chunk, cosine) for digest, cosine in near for chunk in by_hash.get(digest, ())]
        if len(found) >= _CANDIDATES or len(near) < limit:
            break
        limit *= 4
    scores = np.zeros(lexical.size)
    for chunk, cosine in found:
        scores[chunk] = max(cosine, 0.0)
    return scores


def _fuse(lexical: Array, dense: Array) -> Array:
    """Both lists' scores in units of their own spread, added up.

    It ranks as a sum of standard scores would, and stays above zero, so that factors can follow. Cosines
    are counted from the lowest that was found: between unrelated texts they are not zero.
    """
    either = np.flatnonzero((lexical > 0) | (dense > 0))
    total = np.zeros(len(lexical))
    if not len(either):
        return total
    near = dense[dense > 0]
    floor = float(near.min()) if len(near) > 1 else 0.0
    for scores in (lexical[either], np.maximum(dense[either] - floor, 0.0)):
        spread = float(scores.std())
        total[either] += scores / spread if spread > 0 else scores
    return total


def _rescored(snapshot: Snapshot, lexical: Lexical, asked: Asked, chunk: int, score: float) -> _Scored:
    at = lexical.at(chunk)
    why = []
    inside = [d for d in snapshot.definitions(at.path) if at.start_line <= d.start_line <= at.end_line]
    definition = rerank.defined_name(asked, inside)
    if definition is not None:
        score *= rerank.DEFINITION_BOOST
        why.append(f"defines {definition.qualified_name}")
    if rerank.names_stem(asked, at.path):
        score *= rerank.STEM_BOOST
        why.append("the file is named so")
    if rerank.is_aside(asked, at.path):
        score *= rerank.ASIDE
        why.append("test or example")
    return _Scored(chunk, at.path, at.start_line, at.end_line, score, definition, tuple(why))


def _by_file(scored: Sequence[_Scored]) -> list[_Scored]:
    """Best first, where the best chunk of a file also counts what its next two say."""
    chunks_of: dict[str, list[_Scored]] = {}
    for one in sorted(scored, key=lambda one: (-one.score, one.path, one.start_line)):
        chunks_of.setdefault(one.path, []).append(one)
    ranked = []
    for chunks in chunks_of.values():
        total = rerank.file_score([one.score for one in chunks])
        ranked += [(total, chunks[0]), *((one.score, one) for one in chunks[1:])]
    ranked.sort(key=lambda pair: (-pair[0], pair[1].path, pair[1].start_line))
    return [replace(one, score=total) for total, one in ranked]


def _hit(snapshot: Snapshot, lexical: Lexical, asked: Asked, query: str, one: _Scored) -> Hit:
    words = _words_by_term(query)
    shared = [words[term] for term in lexical.matched(one.chunk, asked.terms) if term in words]
    shared = list(dict.fromkeys(shared))[:_SHOWN_TERMS]
    why = list(one.why) + ([f"shares {', '.join(shared)}"] if shared else ["near in meaning"])
    symbol = one.definition.qualified_name if one.definition else _symbol(snapshot, one)
    return Hit(one.path, one.start_line, one.end_line, symbol, round(one.score, 4), "; ".join(why))


def _symbol(snapshot: Snapshot, one: _Scored) -> str:
    """The definition that fills most of the lines, "" when none does."""
    best, most = "", 0
    for definition in snapshot.definitions(one.path):
        lines = min(definition.end_line, one.end_line) - max(definition.start_line, one.start_line) + 1
        if lines > most or (lines == most and lines > 0 and definition.qualified_name.startswith(f"{best}.")):
            best, most = definition.qualified_name, lines
    return best


def _words_by_term(query: str) -> dict[int, str]:
    """Term id -> the word of the query that it came from."""
    found: dict[int, str] = {}
    for word in re.findall(r"[^\W\d]\w+", query):
        for term in terms_of(word):
            found.setdefault(term, word)
    return found
