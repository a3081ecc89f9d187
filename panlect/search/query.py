"""Last step of journey B: a query over a snapshot becomes ranked hits. API, terminal, MCP all call this one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from panlect.code.analysis import Definition
from panlect.code.terms import terms_of
from panlect.index.snapshot import Snapshot
from panlect.search import rerank
from panlect.search.dense import DenseIndex
from panlect.search.described import Described
from panlect.search.filters import Filters
from panlect.search.lexical import ChunkAt, Lexical, Statistics, lexical_of, matched, shared_statistics
from panlect.search.rerank import Asked

if TYPE_CHECKING:
    from panlect.search.lexical import Gains

    Array = np.ndarray[Any, Any]

SCHEMA_VERSION = 1
_CANDIDATES = 200  # chunks that the rules look at
_LOOKED_AT = 5000  # chunks that are looked at for a definition of a kind that was asked for
_MAX_QUERY = 20_000  # characters: a longer query is a file, not a question
_SHOWN_TERMS = 4
_DESCRIBED = 0.9  # of the best hit's score: what a summary gets that says all of a query
_DESCRIBED_SHARE = 4  # one hit in so many may be a summary


@dataclass(frozen=True, slots=True)
class Hit:
    """Lines that answer a query. `why` is one line for a reader; `repository` is set when several were asked."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    score: float
    why: str
    repository: str = ""

    def as_json(self) -> dict[str, Any]:
        """As every JSON has it: without a repository where only one was asked."""
        row = asdict(self)
        if not self.repository:
            del row["repository"]
        return row


@dataclass(frozen=True, slots=True)
class _Scored:
    chunk: int
    at: ChunkAt
    score: float
    definition: Definition | None  # whose name was asked for
    why: tuple[str, ...]


@dataclass(slots=True)
class _Source:
    """One snapshot while it is asked."""

    name: str
    snapshot: Snapshot
    lexical: Lexical
    gains: Gains = field(default_factory=dict)
    _definitions: dict[str, tuple[Definition, ...]] = field(default_factory=dict)

    def definitions(self, at: ChunkAt) -> list[Definition]:
        """Those that begin in a chunk."""
        found = self._of(at.path)
        return [d for d in found if at.start_line <= d.start_line <= at.end_line]

    def overlapping(self, at: ChunkAt) -> list[Definition]:
        """Those that share a line with a chunk."""
        found = self._of(at.path)
        return [d for d in found if d.start_line <= at.end_line and d.end_line >= at.start_line]

    def _of(self, path: str) -> tuple[Definition, ...]:
        if path not in self._definitions:
            self._definitions[path] = self.snapshot.definitions(path)
        return self._definitions[path]


@dataclass(frozen=True, slots=True)
class Searched:
    """One of several repositories that are searched together."""

    name: str
    snapshot: Snapshot
    dense: DenseIndex | None = None
    described: Described | None = None  # where a model has described it


def mode(dense: DenseIndex | None) -> str:
    """What an answer rests on, as every JSON says it."""
    return "lexical+graph" if dense is None else "lexical+graph+dense"


def search(
    snapshot: Snapshot,
    query: str,
    k: int = 10,
    dense: DenseIndex | None = None,
    lexical: Lexical | None = None,
    filters: Filters | None = None,
) -> list[Hit]:
    """The `k` best hits, best first; [] when nothing shares a word (or, with `dense`, nothing is near).

    At most three hits are of one file. Pass `lexical` where the snapshot's own columns are not wanted.
    """
    source = _Source("", snapshot, lexical or lexical_of(snapshot))
    return _searched([source], [dense], query, k, filters or Filters())


def search_many(
    repositories: Sequence[Searched], query: str, k: int = 10, filters: Filters | None = None
) -> list[Hit]:
    """The `k` best hits of several repositories, best first; each names its repository.

    A word's rarity and the length of a chunk are taken over all of them together. Scores of each on its own
    could not be compared: the only test of a small repository would outrank the definition in a large one.
    """
    filters = filters or Filters()
    sources = [_Source(one.name, one.snapshot, lexical_of(one.snapshot)) for one in repositories]
    hits = _searched(sources, [one.dense for one in repositories], query, k, filters)
    for one in repositories:
        if one.described is not None:
            hits = _with_described(hits, one, query, k, filters)
    return hits


def _with_described(hits: list[Hit], one: Searched, query: str, k: int, filters: Filters) -> list[Hit]:
    """The hits with what summaries say beside the code: a few, of files that no hit is of, none above the best one."""
    assert one.described is not None
    top = hits[0].score if hits else 1.0
    there = [hit.path for hit in hits if hit.repository == one.name]
    found = one.described.found(
        query[:_MAX_QUERY], filters, one.snapshot, max(1, k // _DESCRIBED_SHARE), there
    )
    told = [Hit(d.path, 1, 1, "", round(_DESCRIBED * top * d.share, 4), d.why, one.name) for d in found]
    return sorted([*hits, *told], key=lambda hit: -hit.score)[:k]


def answer(
    snapshot: Snapshot,
    query: str,
    k: int = 10,
    dense: DenseIndex | None = None,
    filters: Filters | None = None,
    described: Described | None = None,
) -> dict[str, Any]:
    """The JSON of `panlect search`."""
    if described is not None:
        one = Searched("", snapshot, dense, described)
        return _answer(lambda: search_many([one], query, k, filters), mode(dense))
    return _answer(lambda: search(snapshot, query, k, dense, None, filters), mode(dense))


def answer_many(
    repositories: Sequence[Searched], query: str, k: int = 10, filters: Filters | None = None
) -> dict[str, Any]:
    """The JSON of a search over several repositories: as `answer`, each hit with its `repository`.

    The mode says dense only if every repository has vectors.
    """
    without = not repositories or any(one.dense is None for one in repositories)
    said = mode(None if without else repositories[0].dense)
    return _answer(lambda: search_many(repositories, query, k, filters), said)


def _answer(ask: Callable[[], list[Hit]], said: str) -> dict[str, Any]:
    began = time.perf_counter()
    hits = [hit.as_json() for hit in ask()]
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"schema_version": SCHEMA_VERSION, "mode": said, "hits": hits, "ms": took}


def _searched(
    sources: Sequence[_Source], dense: Sequence[DenseIndex | None], query: str, k: int, filters: Filters
) -> list[Hit]:
    query = query[:_MAX_QUERY]
    asked = Asked.of(query)
    known = shared_statistics([one.lexical for one in sources], asked.weights)
    shares = _shares(asked, known)
    lexical_scores, dense_scores = [], []
    for source, index in zip(sources, dense, strict=True):
        source.gains = source.lexical.gains(asked.weights, known)
        lexical_scores.append(source.lexical.summed(source.gains, asked.weights))
        near = _dense_scores(index, query, source.lexical) if index is not None else None
        dense_scores.append(np.zeros(source.lexical.size) if near is None else near)
    together = _joined(lexical_scores)
    if any(index is not None for index in dense):
        together = _fuse(together, _joined(dense_scores))
    ranked: list[tuple[_Scored, int]] = []
    begin = 0
    for number, source in enumerate(sources):
        own = together[begin : begin + source.lexical.size]
        begin += source.lexical.size
        best = _candidates(source, own, filters)
        source.snapshot.prefetch("symbols", {source.lexical.at(chunk).path for chunk in best})
        scored = [_rescored(source, asked, shares, chunk, float(own[chunk]), filters) for chunk in best]
        ranked += [(one, number) for one in _by_file(scored)[:k]]
    ranked.sort(key=lambda pair: (-pair[0].score, pair[1], pair[0].at))
    return [_hit(sources[number], asked, query, one) for one, number in ranked[:k]]


def _shares(asked: Asked, known: Statistics) -> dict[int, float]:
    """What part of the query each term is, by rarity."""
    rarity = {term: weight * known.idf(term) for term, weight in asked.weights.items()}
    total = sum(rarity.values())
    return {term: part / total for term, part in rarity.items()} if total else {}


def _candidates(source: _Source, scores: Array, filters: Filters) -> list[int]:
    """The chunks with the highest positive scores that the filters allow; equal ones by their place."""
    if filters.by_file:
        numbers, paths = source.lexical.files()
        allowed = np.array([filters.allows(source.snapshot, path) for path in paths], dtype=bool)
        scores = np.where(allowed[numbers], scores, 0.0) if len(paths) else scores
    if not filters.kinds:
        return _largest(scores, _CANDIDATES)
    found: list[int] = []
    for chunk in _largest(scores, _LOOKED_AT):
        if filters.chosen(source.overlapping(source.lexical.at(chunk))):
            found.append(chunk)
            if len(found) == _CANDIDATES:
                break
    return found


def _largest(scores: Array, count: int) -> list[int]:
    positive = np.flatnonzero(scores > 0)
    if len(positive) > 4 * count:  # sort only what can be among the first
        least = np.partition(scores[positive], -count)[-count]
        positive = positive[scores[positive] >= least]
    best: list[int] = positive[np.argsort(-scores[positive], kind="stable")][:count].tolist()
    return best


def _dense_scores(dense: DenseIndex, query: str, lexical: Lexical) -> Array:
    """Cosines by chunk. Asks for more until enough of what is near belongs to this snapshot."""
    by_hash = lexical.by_hash
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


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays) if arrays else np.zeros(0)


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


def _rescored(
    source: _Source, asked: Asked, shares: Mapping[int, float], chunk: int, score: float, filters: Filters
) -> _Scored:
    at = source.lexical.at(chunk)
    why = []
    inside = filters.chosen(source.definitions(at))
    held, named = rerank.best_named(shares, inside)
    definition = rerank.defined_name(asked, inside)
    if definition is not None:
        why.append(f"defines {definition.qualified_name}")
    if rerank.names_stem(asked, at.path):
        score *= rerank.STEM_BOOST
        why.append("the file is named so")
    if rerank.is_aside(asked, at.path):  # a test is named after what it tests: its name counts nothing
        score *= rerank.ASIDE
        why.append("test or example")
    else:
        score *= 1 + rerank.NAMED_BOOST * held
        score *= rerank.DEFINITION_BOOST if definition is not None else 1.0
    if definition is None and named is None and filters.kinds:
        named = _widest(filters.chosen(source.overlapping(at)), at)
    return _Scored(chunk, at, score, definition or named, tuple(why))


def _by_file(scored: Sequence[_Scored]) -> list[_Scored]:
    """Best first, at most three of a file; its best one also counts what its next two say."""
    chunks_of: dict[str, list[_Scored]] = {}
    for one in sorted(scored, key=lambda one: (-one.score, one.at)):
        chunks_of.setdefault(one.at.path, []).append(one)
    ranked: list[_Scored] = []
    for chunks in chunks_of.values():
        total = rerank.first_hit_score([one.score for one in chunks])
        ranked += [replace(chunks[0], score=total), *chunks[1 : rerank.HITS_A_FILE]]
    return sorted(ranked, key=lambda one: (-one.score, one.at))


def _hit(source: _Source, asked: Asked, query: str, one: _Scored) -> Hit:
    words = _words_by_term(query)
    telling = sorted(matched(source.gains, one.chunk), key=lambda term: -asked.weights[term])
    shared = [words[term] for term in telling if term in words]
    shared = list(dict.fromkeys(shared))[:_SHOWN_TERMS]
    why = list(one.why) + ([f"shares {', '.join(shared)}"] if shared else ["near in meaning"])
    definition = one.definition or _widest(source.overlapping(one.at), one.at)
    symbol = definition.qualified_name if definition else ""
    at = one.at
    return Hit(at.path, at.start_line, at.end_line, symbol, round(one.score, 4), "; ".join(why), source.name)


def _widest(definitions: Sequence[Definition], at: ChunkAt) -> Definition | None:
    """The definition that fills most of the lines, the innermost of equal ones."""
    best, most = None, 0
    for definition in definitions:
        lines = min(definition.end_line, at.end_line) - max(definition.start_line, at.start_line) + 1
        inner = best is not None and definition.qualified_name.startswith(f"{best.qualified_name}.")
        if lines > most or (lines == most and lines > 0 and inner):
            best, most = definition, lines
    return best


def _words_by_term(query: str) -> dict[int, str]:
    """Term id -> the word of the query that it came from."""
    found: dict[int, str] = {}
    for word in re.findall(r"[^\W\d]\w+", query):
        for term in terms_of(word):
            found.setdefault(term, word)
    return found
