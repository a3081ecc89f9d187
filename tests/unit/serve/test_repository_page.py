"""The page of one repository in every state: not indexed, being described, described by the code or by a model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from panlect.index.summaries import EXTRACTIVE, Placed, Summary
from serve.pages import page
from serve.summaries import _by, _Shown

INDEXED = {
    "id": "5d0c",
    "full_name": "acme/payments",
    "commit_sha": "9f2c1ab77e",
    "files": 1204,
    "chunks": 9776,
    "embedded": 9776,
    "activated_at": datetime(2026, 11, 24, tzinfo=UTC),
}
NEW = dict.fromkeys(INDEXED) | {"id": "5d0c", "full_name": "acme/new"}
RUNNING = {"status": "running", "reason": "", "detail": {"stage": "summarising", "total": 4000, "done": 1200}}
FAILED = {"status": "failed", "reason": "out <of> time", "detail": {}}
DONE = {"status": "done", "reason": "", "detail": {"stage": "done", "calls": 9, "failed": {"refused": 2}}}


def _placed(path: str, text: str, model: str) -> Placed:
    kind = "file" if "." in path else "directory" if path else "repository"
    return Placed(path, Summary(b"k" * 16, kind, model, 1, text, model == EXTRACTIVE), "9f2c1ab77e")


def _page(row: dict[str, Any], run: dict[str, Any] | None, model: str = "", left_out: int = 0) -> str:
    own = _placed("", "It <sells>.", model) if model else None
    held = [_placed("shop & co", "Pays.", model)] if model else []
    files = [_placed("a.py", "Ships.", model)] if model else []
    shown = _Shown(own, held, files, left_out, {"python": 1200}, run)
    html = page(
        "repo.html", here="repos", repository=row, path="", shown=shown, by=_by(own), working=run is RUNNING
    )
    return bytes(html.body).decode()


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (_page(NEW, None), ["not indexed yet", "Nothing is described yet."]),
        (_page(INDEXED, RUNNING), ["searchable", "1,200 of 4,000", "python 1,200", 'http-equiv="refresh"']),
        (_page(INDEXED, FAILED), ["failed (out &lt;of&gt; time)"]),
        (
            _page(INDEXED, DONE, "openai/gpt-5", 3),
            ["Said by openai/gpt-5", "2 refused", "9 calls", "are not shown"],
        ),
        (
            _page(INDEXED, DONE, EXTRACTIVE),
            ["Said by extractive", "It &lt;sells&gt;.", "?path=shop%20%26%20co", "Ships."],
        ),
    ],
    ids=["new", "running", "failed", "model", "extractive"],
)
def test_every_state_of_a_repository_can_be_seen(html: str, said: list[str]) -> None:
    for text in said:
        assert text in html
