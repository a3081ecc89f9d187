"""BM25 against the formula written down plainly."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from panlect.code.terms import term_id, terms_of
from panlect.index.memory import MemoryRepository
from panlect.search.lexical import Lexical

TEXTS = {"a.md": "apple banana apple\n", "b.md": "banana cherry\n", "c.md": "cherry cherry cherry durian\n"}


@pytest.fixture
def lexical() -> Lexical:
    return Lexical(MemoryRepository().snapshot(TEXTS))


@pytest.mark.parametrize("query", ["apple", "banana cherry", "durian apple missing"])
def test_scores_follow_the_formula(lexical: Lexical, query: str) -> None:
    documents = [Counter(terms_of(text)) + Counter(terms_of(path)) for path, text in sorted(TEXTS.items())]
    lengths = [sum(document.values()) for document in documents]
    mean = sum(lengths) / len(lengths)
    expected = []
    for document, length in zip(documents, lengths, strict=True):
        score = 0.0
        for term in set(terms_of(query)):
            holders = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
            times = document[term]
            score += idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
        expected.append(score)
    found = lexical.scores(dict.fromkeys(terms_of(query), 1.0))
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_rare_terms_weigh_more_and_unknown_ones_nothing(lexical: Lexical) -> None:
    assert lexical.idf(term_id("durian")) > lexical.idf(terms_of("cherry")[0]) > 0
    assert lexical.idf(term_id("nothing")) == 0.0


def test_a_chunk_names_the_terms_it_was_found_by(lexical: Lexical) -> None:
    terms = terms_of("banana apple cherry")
    assert lexical.matched(0, terms) == [terms[1], terms[0]]
