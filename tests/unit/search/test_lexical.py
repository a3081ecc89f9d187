"""BM25 against the formula written down plainly."""

from __future__ import annotations

import gc
import math
import weakref
from collections import Counter

import pytest

from panlect.code.terms import term_id, terms_of
from panlect.index.memory import MemoryRepository
from panlect.search.lexical import Lexical, lexical_of, matched, shared_statistics

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
    assert matched(lexical.gains(terms), 0) == [terms[1], terms[0]]


def test_a_term_that_several_words_of_a_chunk_hold_is_counted_together() -> None:
    plain = Lexical(MemoryRepository().snapshot({"a.md": "order order order\n", "b.md": "x y\n"}))
    names = Lexical(MemoryRepository().snapshot({"a.md": "order Orders ordered\n", "b.md": "x y\n"}))
    (term,) = terms_of("order")
    assert plain.scores({term: 1.0}).tolist() == names.scores({term: 1.0}).tolist()


def test_columns_are_made_once_for_a_snapshot_and_go_with_it() -> None:
    snapshot = MemoryRepository().snapshot(TEXTS)
    kept = weakref.ref(lexical_of(snapshot))
    assert lexical_of(snapshot) is kept()
    del snapshot
    gc.collect()
    assert kept() is None


def test_statistics_of_two_collections_are_those_of_both_together(lexical: Lexical) -> None:
    more = {"d.md": "apple elder elder\n", "e.md": "fig\n"}
    other = Lexical(MemoryRepository().snapshot(more))
    both = Lexical(MemoryRepository().snapshot({**TEXTS, **more}))
    terms = terms_of("apple elder banana fig nothing")
    shared, whole = shared_statistics([lexical, other], terms), both.statistics(terms)
    assert (shared.chunks, shared.mean_length) == (whole.chunks, pytest.approx(whole.mean_length))
    assert [shared.idf(term) for term in terms] == [whole.idf(term) for term in terms]


def test_the_best_chunk_of_a_replaced_file_is_one_of_its_new_text() -> None:
    repository = MemoryRepository()
    base = repository.snapshot(TEXTS)
    lexical = Lexical(repository.snapshot({**TEXTS, "a.md": "nothing here\n"}, base=base))
    scores = lexical.scores(dict.fromkeys(terms_of("apple nothing"), 1.0))
    found = lexical.best_of(scores, ["a.md", "b.md"])
    assert list(found) == ["a.md"]
    assert lexical.alive[found["a.md"]]
