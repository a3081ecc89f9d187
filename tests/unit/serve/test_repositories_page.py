"""The page of repositories in every state that a run can be in: a template that stumbles is a page that is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from serve.pages import page

INDEXED = {
    "id": "5d0c",
    "full_name": "acme/payments",
    "commit_sha": "9f2c1ab77e",
    "files": 1204,
    "chunks": 9776,
    "embedded": 9776,
    "embedding_model": "all-MiniLM-L6-v2",
    "activated_at": datetime(2026, 11, 24, tzinfo=UTC),
    "run_status": "done",
    "run_reason": "",
    "progress": {"stage": "done"},
}
NEW = dict.fromkeys(INDEXED) | {"full_name": "acme/new", "run_reason": ""}
EMBEDDING = {"stage": "embedding", "total": 87191, "done": 31040, "per_s": 412.3, "left_s": 136.2}


def shown(**row: Any) -> str:
    return bytes(page("repos.html", here="repos", repositories=[row], working=True).body).decode()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (INDEXED, ["searchable", "all-MiniLM-L6-v2", "9,776", "done"]),
        (NEW, ["not indexed yet"]),
        (NEW | {"run_status": "queued", "progress": {}}, ["queued"]),
        (NEW | {"run_status": "running", "progress": {"files": 3, "unseen": 3}}, ["running"]),
        (
            INDEXED | {"run_status": "running", "progress": EMBEDDING},
            ["embedding", "31,040 of 87,191, 412.3 a second, ", " left"],
        ),
        (
            INDEXED | {"run_status": "running", "progress": EMBEDDING | {"left_s": None}},
            ["412.3 a second</div>"],
        ),
        (NEW | {"run_status": "failed", "run_reason": "out <of> time"}, ["failed", "out &lt;of&gt; time"]),
    ],
)
def test_every_state_of_a_run_can_be_seen(row: dict[str, Any], said: list[str]) -> None:
    html = shown(**row)
    for text in said:
        assert text in html
