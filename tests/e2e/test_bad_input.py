"""What a host, or somebody who plays one, may send: refused with the right status, or reviewed as the host has it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cluster.sandbox.store import Store
from jobs.worker import WorkerOptions
from panlect import history
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.history import EventKind, check_history

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

SHOP = {
    "shop/__init__.py": "",
    "shop/capture.py": "def capture(order):\n    return order.total\n",
    "shop/retry.py": "from shop.capture import capture\n\n\ndef retry(order):\n    return capture(order)\n",
}
BROKEN = {"shop/capture.py": "def capture(order, key):\n    return order.total, key\n"}
REPOSITORY = "acme/shop"
DEVELOPER = "sandbox-developer-token"


@pytest.fixture
def shop(plant: Any) -> Any:
    files = plant(REPOSITORY)
    files.commit("main", SHOP)
    files.commit("break", BROKEN, parent="main")
    return files


@pytest.fixture
async def secret(shop: Any, forge: Any, panlect: Any, forge_dir: Path) -> str:
    """The repository is connected; what its webhooks are signed with."""
    await panlect.connect(forge, REPOSITORY)
    store = Store(forge_dir)
    (hook,) = store.rows("SELECT secret FROM hook")
    store.close()
    return str(hook["secret"])


def signed(body: bytes, secret: str, event: str = "pull_request", guid: str = "") -> dict[str, str]:
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": guid or hashlib.sha256(body).hexdigest()[:32],
        "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


def about(number: int, action: str = "opened", repository: str = REPOSITORY) -> bytes:
    payload = {
        "action": action,
        "number": number,
        "pull_request": {"number": number},
        "repository": {"full_name": repository},
    }
    return json.dumps(payload).encode()


async def history_of(panlect: Any) -> list[history.Event]:
    async with panlect.services.db.organisation(DEFAULT_ORGANISATION) as connection:
        return await history.read(connection)


async def kinds(panlect: Any) -> list[EventKind]:
    return [event.kind for event in await history_of(panlect)]


async def quiet(panlect: Any) -> list[history.Event]:
    """The history once every delivery and run came to its end."""
    begins = {EventKind.DELIVERY_ACCEPTED, EventKind.RUN_CREATED}
    ends = {EventKind.DELIVERY_FINISHED, EventKind.RUN_FINISHED, EventKind.RUN_SUPERSEDED}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = await history_of(panlect)
        if sum(e.kind in begins for e in found) == sum(e.kind in ends for e in found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("something never ended")


async def test_webhooks_that_are_not_the_hosts_are_refused_and_nothing_is_stored(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    body = about(1)
    well = signed(body, secret)
    unsigned = {name: value for name, value in well.items() if name != "x-hub-signature-256"}
    refused = [
        ("unsigned", body, unsigned, 401),
        ("signed with another secret", body, signed(body, "guess"), 401),
        ("signed with the old algorithm", body, {**unsigned, "x-hub-signature": "sha1=" + "0" * 40}, 401),
        ("an empty signature", body, {**well, "x-hub-signature-256": "sha256="}, 401),
        ("changed after signing", body + b" ", well, 401),
        ("not JSON", b"{", signed(b"{", secret), 400),
        ("not an object", b"[1]", signed(b"[1]", secret), 400),
        ("nested too deeply", b"[" * 5000 + b"]" * 5000, signed(b"[" * 5000 + b"]" * 5000, secret), 400),
        ("not UTF-8", b'{"a": "\xff\xfe"}', signed(b'{"a": "\xff\xfe"}', secret), 400),
        ("no event", body, {k: v for k, v in well.items() if k != "x-github-event"}, 400),
        ("a delivery id that is none", body, {**well, "x-github-delivery": "../../x"}, 400),
        ("a repository that is none", b'{"repository": {"full_name": "../../etc"}}', None, 400),
    ]
    for case, content, headers, status in refused:
        answer = await panlect.client.post(
            "/webhook/github", content=content, headers=headers or signed(content, secret)
        )
        assert answer.status_code == status, (case, answer.text)
        assert secret not in answer.text
    assert EventKind.DELIVERY_ACCEPTED not in await kinds(panlect)


async def test_a_webhook_of_30_mb_is_refused_whether_or_not_it_says_so(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    large = b'{"x": "' + b"x" * (30 * 1024 * 1024) + b'"}'

    async def unannounced() -> Any:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    for content in (large, unannounced()):
        answer = await panlect.client.post("/webhook/github", content=content, headers=signed(large, secret))
        assert answer.status_code == 413
    assert EventKind.DELIVERY_ACCEPTED not in await kinds(panlect)


async def test_signed_events_that_nothing_follows_from_come_to_their_end(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    sent = [
        (about(1), "a_future_event"),
        (about(1, "some_future_action"), "pull_request"),
        (about(1, repository="acme/unconnected"), "pull_request"),
        (b'{"zen": "Keep it logically awesome.", "hook_id": 1}', "ping"),
        (b'{"action": 7, "pull_request": "x", "repository": null}', "pull_request"),
        (b'{"pull_request": {"number": -1}, "repository": {"full_name": "acme/shop"}}', "pull_request"),
        (b'{"pull_request": {"number": 1e400}, "repository": {"full_name": "acme/shop"}}', "pull_request"),
    ]
    for body, event in sent:
        answer = await panlect.client.post(
            "/webhook/github", content=body, headers=signed(body, secret, event)
        )
        assert answer.status_code == 202, (event, answer.text)
    again = await panlect.client.post(
        "/webhook/github", content=sent[0][0], headers=signed(sent[0][0], secret, sent[0][1])
    )
    assert (again.status_code, again.json()["status"]) == (200, "seen before")
    async with panlect.worker():
        number = forge.open(REPOSITORY, "break")
        assert (await panlect.review_of(REPOSITORY, number))["verdict"] == "REVIEWED"
        events = await quiet(panlect)
    assert check_history(events) == []
    assert len(forge.reviews(REPOSITORY, number)) == 1


async def test_a_pull_request_that_the_host_does_not_have_is_asked_for_again_and_holds_up_nobody(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    body = about(999)
    answer = await panlect.client.post("/webhook/github", content=body, headers=signed(body, secret))
    assert answer.status_code == 202
    async with panlect.worker():
        review = await panlect.review_of(REPOSITORY, forge.open(REPOSITORY, "break"))
    assert review["state"] == "posted"
    (left,) = check_history(await history_of(panlect))
    assert left.promise == "what was accepted comes to an end"  # a host may be late with its own news


async def test_an_old_delivery_that_arrives_late_leads_to_the_newest_head_and_nothing_for_the_old(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    number = forge.open(REPOSITORY, "break")
    old = forge.client.get(f"/repos/{REPOSITORY}/pulls/{number}").json()["head"]["sha"]
    (hook,) = forge.client.get(f"/repos/{REPOSITORY}/hooks").json()
    path = f"/repos/{REPOSITORY}/hooks/{hook['id']}/deliveries"
    late = await delivered(forge, path)
    push(forge, shop, "break", {"shop/capture.py": "def capture(order, *keys):\n    return order, keys\n"})
    async with panlect.worker():
        review = await panlect.review_of(REPOSITORY, number)
        await quiet(panlect)
        # The same words again under a new id, as a queue that was stuck would send them.
        body = json.dumps(
            {**json.loads(about(number)), "pull_request": {"number": number, "head": {"sha": old}}}
        )
        answer = await panlect.client.post(
            "/webhook/github", content=body.encode(), headers=signed(body.encode(), secret, guid="late-1")
        )
        assert answer.status_code == 202
        forge.client.post(f"{path}/{late}/attempts")
        events = await quiet(panlect)
    assert (review["verdict"], review["findings"]) == ("REVIEWED", [])
    assert review["head"] != old
    assert (forge.reviews(REPOSITORY, number), len(forge.checks(REPOSITORY, number))) == ([], 1)
    old_checks = forge.client.get(f"/repos/{REPOSITORY}/commits/{old}/check-runs").json()["check_runs"]
    assert [check["conclusion"] for check in old_checks] in ([], ["cancelled"])
    assert check_history(events) == []


async def delivered(forge: Any, path: str) -> int:
    """The id of the first pull request delivery, once it was answered."""
    for _ in range(200):
        rows = [row for row in forge.client.get(path).json() if row["event"] == "pull_request"]
        if rows and rows[-1]["status_code"] == 202:
            return int(rows[-1]["id"])
        await asyncio.sleep(0.05)
    raise AssertionError("not delivered")


def push(forge: Any, files: Any, branch: str, changes: dict[str, str]) -> str:
    """Replace what `branch` did by `changes`, with a forced push as a developer does it; the new head."""
    files.commit("rewritten", changes, parent="main")
    host = forge.url.removeprefix("http://")
    command = ["git", "-C", files.repository.git_dir, "push", "--quiet", "--force"]
    remote = f"http://developer:{DEVELOPER}@{host}/{REPOSITORY}.git"
    subprocess.run([*command, remote, f"rewritten:{branch}"], check=True, capture_output=True)
    return str(files.repository.resolve(f"refs/heads/{branch}"))


async def test_a_head_that_was_force_pushed_away_fails_unseen_and_the_new_head_is_reviewed(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    number = forge.open(REPOSITORY, "break")
    async with panlect.worker(WorkerOptions(queues=("webhook",))):
        while EventKind.RUN_CREATED not in await kinds(panlect):
            await asyncio.sleep(0.05)
    new = push(forge, shop, "break", {"shop/capture.py": "def capture(order, *keys):\n    return keys\n"})
    async with panlect.worker(WorkerOptions(queues=("review", "publish"), lease_s=1.5)):
        gone = await panlect.review_of(REPOSITORY, number)
    assert (gone["verdict"], gone["state"]) == ("FAILED", "superseded")
    assert gone["reason"] == f"Commit {gone['head'][:8]} is gone from the host."
    async with panlect.worker():
        while not forge.checks(REPOSITORY, number):
            await asyncio.sleep(0.05)
        events = await quiet(panlect)
    rows = (await panlect.client.get("/api/v1/reviews")).json()
    assert {(row["head_sha"], row["verdict"], row["state"]) for row in rows} == {
        (new, "REVIEWED", "posted"),
        (gone["head"], "FAILED", "superseded"),
    }
    assert forge.reviews(REPOSITORY, number) == []
    assert check_history(events) == []


async def test_a_pull_request_without_a_common_ancestor_fails_and_says_so(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    shop.commit("orphan", {"other.py": "x = 1\n"})
    async with panlect.worker():
        number = forge.open(REPOSITORY, "orphan")
        review = await panlect.review_of(REPOSITORY, number)
    assert (review["verdict"], review["state"]) == ("FAILED", "posted")
    assert "share no history" in review["reason"]
    (check,) = forge.checks(REPOSITORY, number)
    assert check["conclusion"] == "neutral"
    assert check["output"]["title"].startswith("Failed: ")


async def test_hostile_files_are_reviewed_partially_and_what_is_posted_is_inert(
    shop: Any, forge: Any, panlect: Any, secret: str
) -> None:
    hostile = {
        "shop/capture.py": 'def capture(order, key="@everyone <!-- x --> ![i](http://evil.example/i.png)"):\n    return 1\n',
        "shop/retry.py": SHOP["shop/retry.py"] + "\n\nretry(1, 2, '@everyone')\n",
        "broken.py": "def (((\n",
        "large.sql": "select 1;\n" * 1_000_000,
    }
    shop.commit("hostile", hostile, parent="main")
    async with panlect.worker():
        number = forge.open(REPOSITORY, "hostile")
        review = await panlect.review_of(REPOSITORY, number)
    assert (review["verdict"], review["state"]) == ("PARTIAL", "posted")
    assert {row["path"]: row["reason"] for row in review["coverage"]["unread"]} == {
        "broken.py": "does not parse after the change",
        "large.sql": "larger than 8 MB",
    }
    (check,) = forge.checks(REPOSITORY, number)
    assert check["conclusion"] == "neutral"
    assert "Partial: " in check["output"]["title"]
