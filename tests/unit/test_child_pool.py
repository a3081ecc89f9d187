"""Children of a pool: what surrounds them cannot get into them, and nothing that goes wrong is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from panlect.child import ChildFailure, ChildPool


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
