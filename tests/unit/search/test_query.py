"""Search: what a person would call the best hit stands first, and says why."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from panlect.index.embed import HashingEmbedder
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.dense import MemoryDense
from panlect.search.lexical import Lexical
from panlect.search.query import answer, search

FILES = {
    "shop/pay.py": '"""Money."""\n\ndef capture_order(order):\n    """Charge the card."""\n    return order\n',
    "shop/view.py": "from shop.pay import capture_order\n\ndef show(order):\n    return capture_order(order)\n",
    "shop/retry.py": "class Backoff:\n    def next_delay(self, attempt):\n        return 2 ** attempt\n",
    "shop/paint.py": "def circle(radius):\n    return radius\n",
    "tests/test_pay.py": "def test_capture_order():\n    assert capture_order(1) and capture_order(2)\n",
    "docs/guide.md": "# Guide\n\nOrders are captured when they ship.\n",
    "vendor/pay.py": "def capture_order(): pass\n",
}


@pytest.fixture
def repository() -> MemoryRepository:
    return MemoryRepository()


@pytest.fixture
def snapshot(repository: MemoryRepository) -> Snapshot:
    return repository.snapshot(FILES)


def test_the_definition_comes_before_its_uses(snapshot: Snapshot) -> None:
    hits = search(snapshot, "capture_order")
    assert (hits[0].path, hits[0].symbol) == ("shop/pay.py", "capture_order")
    assert hits[0].why.startswith("defines capture_order")
    assert {hit.path for hit in hits} >= {"shop/view.py", "tests/test_pay.py"}


def test_words_find_names_in_any_style_and_form(snapshot: Snapshot) -> None:
    assert search(snapshot, "capturing orders")[0].path == "shop/pay.py"
    assert search(snapshot, "nextDelay")[0].symbol == "Backoff.next_delay"


def test_tests_come_last_unless_they_are_asked_for(snapshot: Snapshot) -> None:
    assert search(snapshot, "capture order")[-1].path == "tests/test_pay.py"
    assert search(snapshot, "test of capture order")[0].path == "tests/test_pay.py"


def test_a_file_is_found_by_its_path(snapshot: Snapshot) -> None:
    assert search(snapshot, "paint")[0].path == "shop/paint.py"


def test_vendored_code_is_no_answer(snapshot: Snapshot) -> None:
    assert "vendor/pay.py" not in {hit.path for hit in search(snapshot, "capture_order", k=50)}


@pytest.mark.parametrize("query", ["", "   ", "zzzunknown", "!?", "\0", "😀"])
def test_a_query_that_shares_nothing_has_no_hit(snapshot: Snapshot, query: str) -> None:
    assert search(snapshot, query) == []


def test_an_endless_query_is_read_to_a_bound(snapshot: Snapshot) -> None:
    assert search(snapshot, "capture_order " * 100_000)[0].path == "shop/pay.py"


def test_k_bounds_the_hits_and_scores_fall(snapshot: Snapshot) -> None:
    hits = search(snapshot, "capture order", k=2)
    assert len(hits) == 2
    assert hits[0].score >= hits[1].score > 0


def test_at_most_three_hits_are_of_one_file(repository: MemoryRepository) -> None:
    body = "".join(f"def capture_{n}(order):\n" + f"    order.note({n})\n" * 60 + "\n\n" for n in range(8))
    snapshot = repository.snapshot({"long.py": body, "short.py": "def capture(order):\n    return order\n"})
    assert len(snapshot.chunks("long.py")) > 3
    paths = [hit.path for hit in search(snapshot, "capture order", k=20)]
    assert sorted(paths) == ["long.py", "long.py", "long.py", "short.py"]


def test_lines_are_those_of_the_file(snapshot: Snapshot) -> None:
    for hit in search(snapshot, "capture order circle delay", k=50):
        lines = snapshot.text(hit.path).count(b"\n")
        assert 1 <= hit.start_line <= hit.end_line <= lines


def test_an_empty_repository_has_no_hit(repository: MemoryRepository) -> None:
    assert search(repository.snapshot({}), "anything") == []


def test_an_overlay_answers_like_a_snapshot_of_its_own(
    repository: MemoryRepository, snapshot: Snapshot
) -> None:
    files = {path: text for path, text in FILES.items() if path != "shop/view.py"}
    files["shop/pay.py"] = "def refund_order(order):\n    return order\n"
    files["shop/late.py"] = "def capture_late(order):\n    return order\n"
    overlay = repository.snapshot(files, base=snapshot)
    fresh = repository.snapshot(files)
    for query in ("capture order", "refund", "circle"):
        assert search(overlay, query) == search(fresh, query)


def test_the_same_query_gives_the_same_answer_with_reused_columns(snapshot: Snapshot) -> None:
    lexical = Lexical(snapshot)
    assert search(snapshot, "capture order", lexical=lexical) == search(snapshot, "capture order")


def test_the_json_says_what_it_rests_on(snapshot: Snapshot) -> None:
    found = json.loads(json.dumps(answer(snapshot, "capture_order", 3)))
    assert found["schema_version"] == 1
    assert found["mode"] == "lexical+graph"
    assert found["ms"] >= 0
    assert set(found["hits"][0]) == {"path", "start_line", "end_line", "symbol", "score", "why"}


def test_dense_scores_are_fused_in(snapshot: Snapshot) -> None:
    dense = MemoryDense(snapshot, HashingEmbedder())
    found = answer(snapshot, "capture order", 5, dense)
    assert found["mode"] == "lexical+graph+dense"
    assert {hit["path"] for hit in found["hits"][:2]} == {"shop/pay.py", "shop/view.py"}
    assert all(hit["score"] > 0 for hit in found["hits"])


def test_what_is_only_near_in_meaning_is_found_too(snapshot: Snapshot) -> None:
    circle = next(chunk.hash for chunk in snapshot.chunks("shop/paint.py"))
    hits = search(snapshot, "rundung", dense=_Near([(bytes.fromhex(circle), 0.9)]))
    assert [(hit.path, hit.why) for hit in hits] == [("shop/paint.py", "near in meaning")]


def test_nothing_shared_and_nothing_near_is_no_hit(snapshot: Snapshot) -> None:
    assert search(snapshot, "rundung", dense=_Near([])) == []


def test_vectors_of_other_snapshots_make_the_search_ask_for_more(snapshot: Snapshot) -> None:
    circle = bytes.fromhex(snapshot.chunks("shop/paint.py")[0].hash)
    foreign = [(n.to_bytes(16, "big"), 0.95) for n in range(1000)]
    dense = _Near([*foreign, (circle, 0.5)])
    assert [hit.path for hit in search(snapshot, "rundung", dense=dense)] == ["shop/paint.py"]
    assert dense.limits[0] < 1000 < dense.limits[-1]


class _Near:
    """A dense index with a set answer."""

    def __init__(self, rows: Sequence[tuple[bytes, float]]) -> None:
        self.rows, self.limits = rows, []  # type: ignore[var-annotated]

    def nearest(self, query: str, limit: int) -> Sequence[tuple[bytes, float]]:
        self.limits.append(limit)
        return self.rows[:limit]
