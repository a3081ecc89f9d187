"""Summaries by a model can be found, beside the code and never above it; extractive ones cannot."""

from __future__ import annotations

from panlect.index.memory import MemoryRepository
from panlect.index.summaries import Placed, Summary
from panlect.search.described import Described
from panlect.search.filters import Filters
from panlect.search.query import Hit, Searched, answer, search, search_many

FILES = {
    "shop/pay.py": "def capture(order):\n    return order.total\n",
    "shop/ship.py": "def send(parcel):\n    return parcel\n",
    "web/view.ts": "export function view() {}\n",
}
SNAPSHOT = MemoryRepository().snapshot(FILES)


def _placed(path: str, text: str, *, extractive: bool = False) -> Placed:
    kind = "file" if "." in path else "directory" if path else "repository"
    return Placed(path, Summary(path.encode(), kind, "m", 1, text, extractive))


DESCRIBED = Described(
    [
        _placed("shop/pay.py", "Charges customers for what they bought."),
        _placed("shop/ship.py", "Sends bought things to customers by courier."),
        _placed("shop", "Charges customers and ships by courier."),
        _placed("web/view.ts", "Renders pages for customers."),
        _placed("docs", "Charges by courier.", extractive=True),
    ]
)


def _hits(query: str, filters: Filters | None = None, k: int = 8) -> list[Hit]:
    return search_many([Searched("", SNAPSHOT, None, DESCRIBED)], query, k, filters)


def test_what_a_model_said_is_found_and_named_as_a_summary() -> None:
    hits = _hits("charges by courier")
    assert [hit.path for hit in hits] == ["shop", "shop/ship.py"]  # all of it, and half of it
    assert hits[0].why == "summary of the directory: Charges customers and ships by courier."


def test_a_summary_stands_below_the_best_code_and_is_not_a_second_hit_of_a_file() -> None:
    hits = _hits("capture charges customers courier")
    assert hits[0].path == "shop/pay.py"
    assert not hits[0].why.startswith("summary")
    assert "shop" in [hit.path for hit in hits]
    assert [hit.path for hit in hits].count("shop/pay.py") == 1
    assert all(hit.score <= hits[0].score for hit in hits)


def test_few_of_the_hits_are_summaries() -> None:
    assert len(_hits("customers", k=4)) == 1


def test_filters_hold_for_summaries_too() -> None:
    assert [hit.path for hit in _hits("customers", Filters(paths=("web",)))] == ["web/view.ts"]
    assert [hit.path for hit in _hits("customers", Filters(languages=("python",)))] == [
        "shop/pay.py",
        "shop/ship.py",
    ]
    assert _hits("customers", Filters(kinds=("function",))) == []


def test_where_no_model_spoke_the_answer_is_as_it_was() -> None:
    silent = Described([_placed("docs", "Charges by courier.", extractive=True)])
    assert len(silent) == 0
    assert search_many([Searched("", SNAPSHOT, None, silent)], "charges order", 5) == search(
        SNAPSHOT, "charges order", 5
    )
    assert "repository" not in answer(SNAPSHOT, "customers", described=DESCRIBED)["hits"][0]
