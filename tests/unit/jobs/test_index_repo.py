"""The bulk job around its pipeline: what it does when that takes too long."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from jobs import index_repo
from jobs.repositories import StuckError
from panlect.errors import PanlectError
from panlect.index.runs import IndexSubject, RunNotes
from panlect.ledger.runs import RunCancelledError

pytestmark = pytest.mark.anyio
SUBJECT = IndexSubject(
    UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), "acme/shop", "", "main", "a" * 40, {}, UUID(int=5)
)
HASTY: Any = SimpleNamespace(db=None, settings=SimpleNamespace(bulk_timeout_s=0.05))


@pytest.fixture(autouse=True)
def first_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(index_repo, "is_overtaken", never)


async def test_a_pipeline_out_of_time_hears_it_before_it_activates(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[bool] = []

    def pipeline(_: object, __: object, notes: RunNotes) -> None:
        while not refused:
            try:
                notes.wanted()
            except RunCancelledError:
                with pytest.raises(RunCancelledError):
                    notes.may_activate()
                refused.append(True)

    monkeypatch.setattr(index_repo, "_index_in_bulk", pipeline)
    with pytest.raises(PanlectError, match="longer than it may") as raised:
        await index_repo._index(HASTY, SUBJECT)
    assert refused == [True]
    assert not isinstance(raised.value, StuckError), "it ended: the next repository may begin"


async def test_a_pipeline_that_hears_nothing_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    room = threading.Event()
    monkeypatch.setattr(index_repo, "_LEAVES_WITHIN_S", 0.05)
    monkeypatch.setattr(index_repo, "_index_in_bulk", lambda *_: room.wait())
    try:
        with pytest.raises(StuckError):
            await index_repo._index(HASTY, SUBJECT)
    finally:
        room.set()
