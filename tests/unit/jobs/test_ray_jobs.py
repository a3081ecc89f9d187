"""A bulk job from its submission to its end, against a scripted client: no cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from jobs import ray_jobs
from panlect.errors import PanlectError

pytestmark = pytest.mark.anyio
RUN = UUID(int=7)
LEASE, NEXT_LEASE = UUID("aaaaaaaa" + 24 * "0"), UUID("bbbbbbbb" + 24 * "0")
ID, NEXT_ID = f"index-{RUN}-2-aaaaaaaa", f"index-{RUN}-2-bbbbbbbb"


@dataclass
class Client:
    """Jobs that are as a script says, one state for each time somebody asks."""

    states: list[str] = field(default_factory=lambda: ["PENDING", "RUNNING", "SUCCEEDED"])
    others: list[list[str]] = field(default_factory=lambda: [[]])
    refuses: int = 0  # so many times
    submitted: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def submit_job(self, **given: Any) -> None:
        self.submitted.append(given)
        if self.refuses:
            self.refuses -= 1
            raise RuntimeError("500: no agent yet")

    def get_job_status(self, _: str) -> Any:
        return SimpleNamespace(value=self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def get_job_info(self, _: str) -> Any:
        return SimpleNamespace(message="the driver died")

    def list_jobs(self) -> list[Any]:
        running = self.others.pop(0) if len(self.others) > 1 else self.others[0]
        return [
            SimpleNamespace(
                submission_id=one,
                status=SimpleNamespace(value="RUNNING"),
                metadata={"run": str(RUN)} if str(RUN) in one else {},
            )
            for one in running
        ]

    def stop_job(self, submission_id: str) -> None:
        self.stopped.append(submission_id)


async def wanted() -> None:
    return


async def submit(
    monkeypatch: pytest.MonkeyPatch,
    client: Client,
    *,
    timeout_s: float = 60.0,
    still: Any = wanted,
    lease: UUID = LEASE,
) -> str:
    monkeypatch.setattr(ray_jobs, "_client", lambda: client)
    monkeypatch.setattr(ray_jobs, "_POLL_S", 0.0)
    monkeypatch.setattr(ray_jobs, "_SUBMIT_WAITS_S", (0.0, 0.0, 0.0))
    return await ray_jobs.submit(RUN, 2, lease, limit=2, timeout_s=timeout_s, wanted=still)


async def test_a_job_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    assert await submit(monkeypatch, client) == ID
    assert client.submitted[0]["submission_id"] == ID
    assert client.submitted[0]["entrypoint"].endswith(f"-m jobs.index_repo --run {RUN} --lease {LEASE}")


async def test_no_more_jobs_run_at_a_time_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    full = ["index-a", "index-b", "somebody-elses"]
    client = Client(others=[full, full, ["index-a"]])
    await submit(monkeypatch, client)
    assert len(client.others) == 1


async def test_the_same_lease_attaches_to_the_job_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await submit(monkeypatch, Client(refuses=99, others=[[ID]])) == ID


async def test_a_refusal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PanlectError, match="refused"):
        await submit(monkeypatch, Client(refuses=99))


async def test_a_failed_job_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PanlectError, match=r"(?s)failed.*the driver died"):
        await submit(monkeypatch, Client(states=["FAILED"]))


async def test_a_job_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(states=["RUNNING"])
    with pytest.raises(PanlectError, match="longer than it may"):
        await submit(monkeypatch, client, timeout_s=0.0)
    assert client.stopped == [ID]


async def test_a_job_that_nobody_wants_any_more_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(states=["RUNNING"])
    asked = 0

    async def until_third() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise PanlectError("The run was cancelled.")

    with pytest.raises(PanlectError, match="cancelled"):
        await submit(monkeypatch, client, still=until_third)
    assert client.stopped == [ID]


async def test_a_run_that_was_given_back_gets_a_job_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(states=["RUNNING"])

    async def stops() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await submit(monkeypatch, client, still=stops)
    client.states = ["RUNNING", "SUCCEEDED"]
    assert await submit(monkeypatch, client, lease=NEXT_LEASE) == NEXT_ID  # the same attempt, after a restart
    assert (client.stopped, [one["submission_id"] for one in client.submitted]) == ([ID], [ID, NEXT_ID])


async def test_a_job_that_a_killed_worker_left_behind_is_ended_first(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [["index-a", ID], ["index-a", ID], ["index-a"]]
    client = Client(others=others)
    assert await submit(monkeypatch, client, lease=NEXT_LEASE) == NEXT_ID
    assert client.stopped == [ID]  # once, and nobody else's
    assert len(client.others) == 1, "waited for until it was gone"


async def test_a_cluster_that_is_not_ready_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(refuses=2)
    assert await submit(monkeypatch, client) == ID
    assert len(client.submitted) == 3
    with pytest.raises(PanlectError, match="Ray refused the index job: 500: no agent yet"):
        await submit(monkeypatch, Client(refuses=99))
