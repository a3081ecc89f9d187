"""What structure says of a lexical hit: a definition of the asked name first, tests and examples last.

The factors were chosen on docstring -> function tasks of celery and django (`bench.search`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from panlect.code.analysis import Definition
from panlect.code.languages import is_example, is_test
from panlect.code.terms import split_identifier, stem, terms_of

DEFINITION_BOOST = 1.5
STEM_BOOST = 1.2
NAMED_BOOST = 4.0  # for a definition with every word of the query in its name; less for less
ASIDE = 0.3
HITS_A_FILE = 3
_IN_OWNER, _IN_SIGNATURE = 0.6, 0.2  # of what a word in the name itself counts
_SHARES = (1.0, 0.5, 0.25)  # a file's best chunks
_HIT_SHARES = (1.0, 0.1, 0.05)  # a hit is lines: what else stands in its file counts less
# In code these words are rare, so BM25 would take them for telling ones.
_COMMON_WORDS = (
    "a an and are as at be been but by can do does each either for from has have if in into is it its may more"
    " most no not of on only or other our out over same should so some such than that the their them then there"
    " these they this those to under until up was were what when where whether which while who why how will with"
    " without would you your"
)
_COMMON_WEIGHT = 0.2
_COMMON = frozenset(terms_of(_COMMON_WORDS))
_ABOUT_TESTS = re.compile(
    r"\b(tests?|testing|spec|fixtures?|examples?|mock(s|ed|ing)?|demo)\b", re.IGNORECASE
)
_NAME = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the rules see it."""

    names: frozenset[str]  # words as they were written
    stems: frozenset[str]
    weights: Mapping[int, float]  # term ids, in the order of the query, each once
    about_tests: bool

    @property
    def terms(self) -> tuple[int, ...]:
        """The term ids, in the order of the query."""
        return tuple(self.weights)

    @staticmethod
    def of(query: str) -> Asked:
        """Read a query. A query of nothing but common words means them."""
        names = frozenset(_NAME.findall(query))
        stems = frozenset(stem(part) for name in names for part in split_identifier(name))
        terms = dict.fromkeys(terms_of(query), 1.0)
        if not terms.keys() <= _COMMON:
            terms = {term: _COMMON_WEIGHT if term in _COMMON else 1.0 for term in terms}
        return Asked(names, stems, terms, bool(_ABOUT_TESTS.search(query)))


def defined_name(asked: Asked, definitions: Iterable[Definition]) -> Definition | None:
    """The definition among these whose name was asked for: as it is written, or in all its words."""
    definitions = list(definitions)
    for definition in definitions:
        if definition.name in asked.names and len(definition.name) > 2:
            return definition
    for definition in definitions:
        parts = _stems(definition.name)
        if len(parts) > 1 and parts <= asked.stems:
            return definition
    return None


def best_named(
    shares: Mapping[int, float], definitions: Iterable[Definition]
) -> tuple[float, Definition | None]:
    """The definition whose name, owner and signature hold most of the query, and how much: 0 to 1.

    `shares`: what part of the query each of its terms is, by rarity.
    """
    best: tuple[float, Definition | None] = (0.0, None)
    for definition in definitions:
        if definition.kind == "field":
            continue
        seen: set[int] = set()
        held = 0.0
        for text, counts in (
            (definition.name, 1.0),
            (definition.qualified_name, _IN_OWNER),
            (definition.signature, _IN_SIGNATURE),
        ):
            for term in _terms(text):
                if term in shares and term not in seen:
                    seen.add(term)
                    held += counts * shares[term]
        if held > best[0]:
            best = (held, definition)
    return best


def names_stem(asked: Asked, path: str) -> bool:
    """Whether the query has every word of the file's name."""
    parts = _stems(_own_name(path))
    return bool(parts) and parts <= asked.stems


def is_aside(asked: Asked, path: str) -> bool:
    """Whether a file stands beside the code in question: tests and examples, unless they were asked for."""
    return not asked.about_tests and _stands_aside(path)


# Names and paths of a snapshot are asked for again with every query.


@lru_cache(maxsize=1 << 16)
def _stems(name: str) -> frozenset[str]:
    return frozenset(stem(part) for part in split_identifier(name))


@lru_cache(maxsize=1 << 16)
def _terms(text: str) -> tuple[int, ...]:
    return tuple(terms_of(text))


@lru_cache(maxsize=1 << 16)
def _own_name(path: str) -> str:
    """What a file is called; one that is named like all of its kind is called after its folder."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem in ("__init__", "index", "mod", "main") else pure.stem


@lru_cache(maxsize=1 << 16)
def _stands_aside(path: str) -> bool:
    return is_test(path) or is_example(path)


def file_score(chunk_scores: Sequence[float]) -> float:
    """A file's score from its chunks' scores, best first."""
    return sum(share * score for share, score in zip(_SHARES, chunk_scores, strict=False))


def first_hit_score(chunk_scores: Sequence[float]) -> float:
    """The score of a file's best hit from its chunks' scores, best first."""
    return sum(share * score for share, score in zip(_HIT_SHARES, chunk_scores, strict=False))
