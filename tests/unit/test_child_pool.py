"""Children of a pool: what surrounds them cannot get into them, and nothing that goes wrong is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panlect.child import NOT_TRIED, ChildFailure, ChildPool, Patience


def test_a_child_imports_nothing_from_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("msgpack", "queue", "panlect"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the reviewed repository ran')\n")
    monkeypatch.chdir(tmp_path)
    with ChildPool("math:sqrt") as pool:
        assert list(pool.map([9])) == [(9, 3.0)]


def test_an_error_of_the_items_reaches_whoever_reads_the_answers() -> None:
    def items() -> Iterator[int]:
        yield 4
        raise LookupError("the source broke off")

    with ChildPool("math:sqrt", workers=2) as pool, pytest.raises(LookupError, match="broke off"):
        list(pool.map(items()))


def test_an_answer_that_cannot_be_read_is_a_failure_of_its_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panlect.child._MAX_FRAME", 4)
    with ChildPool("math:sqrt") as pool:
        ((_, answer),) = pool.map([9])
    assert isinstance(answer, ChildFailure)
    assert "cannot be read" in answer.reason


EVAL = "builtins:eval"
CRASH = "__import__('os').abort()"
BUSY = "any(False for _ in __import__('itertools').count())"
SLEEP = "__import__('time').sleep(600)"


def values(batch: list[str], **limits: Any) -> list[Any]:
    with ChildPool(EVAL, **limits) as pool:
        ((asked, answers),) = pool.map_batches([batch])
    assert asked == batch
    return [answer.value for answer in answers]


def test_each_item_of_a_batch_has_an_answer_of_its_own_and_its_time() -> None:
    with ChildPool(EVAL) as pool:
        ((_, answers),) = pool.map_batches([["1", "1 / 0", "__import__('time').sleep(0.05)", "4"]])
    assert [a.value for a in answers] == [1, ChildFailure("ZeroDivisionError: division by zero"), None, 4]
    assert answers[2].ms >= 50 > answers[0].ms


@pytest.mark.parametrize(
    ("item", "reason"),
    [(CRASH, "crashed"), (SLEEP, "timed out"), (BUSY, "timed out")],
    ids=["crash", "sleep", "busy"],
)
def test_what_kills_its_child_costs_nobody_else_in_its_batch(item: str, reason: str) -> None:
    failure = ChildFailure(reason)
    limits = {"timeout_s": 30.0, "cpu_s": 0.3} if item == BUSY else {"timeout_s": 1.0}
    assert values(["1", item, "3", item, "5"], **limits) == [1, failure, 3, failure, 5]


def test_waiting_is_not_counted_as_processor_time() -> None:
    assert values(["__import__('time').sleep(0.5) or 7"], cpu_s=0.2) == [7]


def test_a_crash_in_a_batch_that_does_not_repeat_is_no_failure(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    item = (
        f"7 if __import__('os').path.exists({str(flag)!r}) else (open({str(flag)!r}, 'w').close(), {CRASH})"
    )
    assert values(["1", item, "3"]) == [1, 7, 3]


def test_when_patience_is_spent_the_rest_is_not_tried() -> None:
    patience = Patience(0.1)
    with ChildPool(EVAL, cpu_s=0.2, patience=patience) as pool:
        found = [[a.value for a in answers] for _, answers in pool.map_batches([["1", BUSY, "3"], ["4"]])]
    assert found == [[1, ChildFailure("timed out"), NOT_TRIED], [NOT_TRIED]]
    assert patience.spent
