"""What structure says of a lexical hit: a definition of the asked name first, tests and examples last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from panlect.code.analysis import Definition
from panlect.code.languages import is_example, is_test
from panlect.code.terms import split_identifier, stem, terms_of

# Measured on docstring -> function and commit subject -> file tasks of public repositories.
DEFINITION_BOOST = 2.0
STEM_BOOST = 1.5
ASIDE = 0.3
_SHARES = (1.0, 0.5, 0.25)  # a file's best chunks
_ABOUT_TESTS = re.compile(
    r"\b(tests?|testing|spec|fixtures?|examples?|mock(s|ed|ing)?|demo)\b", re.IGNORECASE
)
_NAME = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the rules see it."""

    names: frozenset[str]  # words as they were written
    stems: frozenset[str]
    terms: tuple[int, ...]  # ids, in the order of the query, each once
    about_tests: bool

    @staticmethod
    def of(query: str) -> Asked:
        """Read a query."""
        names = frozenset(_NAME.findall(query))
        stems = frozenset(stem(part) for name in names for part in split_identifier(name))
        return Asked(names, stems, tuple(dict.fromkeys(terms_of(query))), bool(_ABOUT_TESTS.search(query)))


def defined_name(asked: Asked, definitions: Iterable[Definition]) -> Definition | None:
    """The definition among these whose name was asked for: as it is written, or in all its words."""
    for definition in definitions:
        if definition.name in asked.names and len(definition.name) > 2:
            return definition
    for definition in definitions:
        parts = {stem(part) for part in split_identifier(definition.name)}
        if len(parts) > 1 and parts <= asked.stems:
            return definition
    return None


def names_stem(asked: Asked, path: str) -> bool:
    """Whether the query has every word of the file's name."""
    pure = PurePosixPath(path)
    name = pure.parent.name if pure.stem in ("__init__", "index", "mod", "main") else pure.stem
    parts = {stem(part) for part in split_identifier(name)}
    return bool(parts) and parts <= asked.stems


def is_aside(asked: Asked, path: str) -> bool:
    """Whether a file stands beside the code in question: tests and examples, unless they were asked for."""
    return not asked.about_tests and (is_test(path) or is_example(path))


def file_score(chunk_scores: Sequence[float]) -> float:
    """A file's score from its chunks' scores, best first."""
    return sum(share * score for share, score in zip(_SHARES, chunk_scores, strict=False))
