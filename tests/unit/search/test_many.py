"""Several repositories in one answer: scores that can be compared, each hit with its repository."""

from __future__ import annotations

import json

from panlect.index.embed import HashingEmbedder
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.dense import MemoryDense
from panlect.search.filters import Filters
from panlect.search.query import Searched, answer_many, search, search_many

LARGE = {
    "core/ledger.py": "def settle_invoice(invoice):\n    return invoice.amount\n",
    **{f"core/part{n}.py": f"def part{n}(invoice):\n    return invoice.number + {n}\n" for n in range(30)},
}
SMALL = {"ui/page.py": "def page():\n    return 'the invoice'\n", "ui/menu.py": "def menu():\n    return 1\n"}


def _snapshots() -> tuple[Snapshot, Snapshot]:
    return MemoryRepository().snapshot(LARGE), MemoryRepository().snapshot(SMALL)


def test_hits_of_all_repositories_are_merged_and_named() -> None:
    large, small = _snapshots()
    hits = search_many([Searched("acme/large", large), Searched("acme/small", small)], "settle invoice", 40)
    assert (hits[0].repository, hits[0].path) == ("acme/large", "core/ledger.py")
    assert {hit.repository for hit in hits} == {"acme/large", "acme/small"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_word_is_as_rare_as_it_is_in_all_of_them() -> None:
    """On its own the small repository thinks that `invoice` is rare, and would outrank the large one."""
    large, small = _snapshots()
    alone = search(small, "invoice")[0].score
    assert alone > search(large, "invoice")[0].score
    found = search_many([Searched("large", large), Searched("small", small)], "invoice", 50)
    (in_small,) = [hit for hit in found if hit.repository == "small"]
    assert in_small.score < alone


def test_one_repository_alone_scores_as_it_does_by_itself() -> None:
    large, _ = _snapshots()
    alone = [(hit.path, hit.score) for hit in search(large, "settle invoice")]
    assert [(hit.path, hit.score) for hit in search_many([Searched("x", large)], "settle invoice")] == alone


def test_the_order_of_the_repositories_does_not_change_what_is_found() -> None:
    large, small = _snapshots()
    one = search_many([Searched("a", large), Searched("b", small)], "settle invoice page", 5)
    other = search_many([Searched("b", small), Searched("a", large)], "settle invoice page", 5)
    assert {(hit.repository, hit.path, hit.score) for hit in one} == {
        (hit.repository, hit.path, hit.score) for hit in other
    }


def test_filters_hold_in_every_repository() -> None:
    large, small = _snapshots()
    asked = [Searched("a", large), Searched("b", small)]
    assert {hit.repository for hit in search_many(asked, "invoice", filters=Filters(paths=("ui",)))} == {"b"}


def test_the_json_names_the_repository_only_here() -> None:
    large, small = _snapshots()
    found = json.loads(json.dumps(answer_many([Searched("a", large), Searched("b", small)], "invoice", 3)))
    assert found["mode"] == "lexical+graph"
    assert all(hit["repository"] in ("a", "b") for hit in found["hits"])


def test_the_mode_says_dense_only_if_all_have_vectors() -> None:
    large, small = _snapshots()
    dense = [Searched(name, s, MemoryDense(s, HashingEmbedder())) for name, s in (("a", large), ("b", small))]
    assert answer_many(dense, "settle invoice")["mode"] == "lexical+graph+dense"
    assert answer_many([dense[0], Searched("b", small)], "settle invoice")["mode"] == "lexical+graph"
    assert search_many(dense, "settle invoice")[0].path == "core/ledger.py"


def test_no_repository_has_no_hit() -> None:
    assert answer_many([], "anything")["hits"] == []
    assert search_many([Searched("a", MemoryRepository().snapshot({}))], "anything") == []
