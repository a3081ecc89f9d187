"""Bulk indexing as Ray jobs: one for each lease of a run, never more at a time than allowed, and how each ended.

Ray's record of a job dies with its head; the run in Postgres is the truth, the job's id only a column of it.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from panlect.errors import PanlectError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

# The interpreter of this process: a job on this cluster has the same image, or the same machine.
ENTRYPOINT = f"{shlex.quote(sys.executable)} -m jobs.index_repo"
_SUBMIT_WAITS_S = (1.0, 2.0, 4.0, 8.0, 0.0)  # after each refusal
_POLL_S = 0.5
_RUNNING = ("PENDING", "RUNNING")
Wanted = Callable[[], Awaitable[None]]


def join_cluster() -> None:
    """Make this process a driver of the cluster that it runs on; nothing when it is one."""
    import ray

    if not ray.is_initialized():
        ray.init(address="auto", log_to_driver=False, configure_logging=False)


async def submit(
    run_id: UUID, attempt: int, lease: UUID, *, limit: int, timeout_s: float, wanted: Wanted
) -> str:
    """Run the index job of a run to its end and return Ray's id of it.

    A job of the run that an earlier worker left behind is ended before this one begins. `lease` is in the id:
    a run that was given back counts its attempts anew, and would find the job that it stopped itself.
    `wanted` raises when nobody wants the job any more: it is stopped then, and the error goes on. Raises
    PanlectError when the job failed, was stopped, or ran longer than `timeout_s` seconds (then it is stopped).
    """
    client = await asyncio.to_thread(_client)
    submission_id = f"index-{run_id}-{attempt}-{lease.hex[:8]}"
    deadline = time.monotonic() + timeout_s
    stopped: set[str] = set()
    while left := await asyncio.to_thread(_left_behind, client, run_id, submission_id):
        for other in left - stopped:
            await asyncio.to_thread(_stop, client, other)
        stopped |= left
        await wanted()
        await _wait_a_little(deadline)
    while await asyncio.to_thread(_others, client, submission_id) >= limit:
        await wanted()
        await _wait_a_little(deadline)
    await asyncio.to_thread(_submit, client, run_id, lease, submission_id)
    try:
        while (status := await asyncio.to_thread(_status, client, submission_id)) in _RUNNING:
            await wanted()
            await _wait_a_little(deadline)
    except BaseException:  # cancelled, out of time, or this worker stops: nobody would read what it does
        await asyncio.to_thread(_stop, client, submission_id)
        raise
    if status != "SUCCEEDED":
        why = await asyncio.to_thread(_message, client, submission_id)
        raise PanlectError(
            f"The index job {status.lower()}.", why=why, fix=f"See the log of Ray job {submission_id}."
        )
    return submission_id


def _client() -> JobSubmissionClient:
    from ray.job_submission import JobSubmissionClient

    return JobSubmissionClient()  # RAY_API_SERVER_ADDRESS and RAY_AUTH_TOKEN say where and as whom


def _submit(client: JobSubmissionClient, run_id: UUID, lease: UUID, submission_id: str) -> None:
    for wait_s in _SUBMIT_WAITS_S:
        try:
            client.submit_job(
                entrypoint=f"{ENTRYPOINT} --run {run_id} --lease {lease}",
                submission_id=submission_id,
                metadata={"run": str(run_id)},
            )
        except RuntimeError as error:
            # A repeated id is answered with a plain 500: it is our job when it can be found. So is a cluster whose job
            # agent has not started yet, which on a busy machine takes longer than everything else.
            if submission_id in {one.submission_id for one in client.list_jobs()}:
                return
            refused = error
            time.sleep(wait_s)
        else:
            return
    said = str(refused).splitlines()[0][:200] if str(refused) else type(refused).__name__
    raise PanlectError(f"Ray refused the index job: {said}", fix="See the Ray dashboard.") from refused


def _status(client: JobSubmissionClient, submission_id: str) -> str:
    return str(client.get_job_status(submission_id).value)


def _stop(client: JobSubmissionClient, submission_id: str) -> None:
    client.stop_job(submission_id)


def _message(client: JobSubmissionClient, submission_id: str) -> str:
    return (client.get_job_info(submission_id).message or "").strip()[-300:]


def _left_behind(client: JobSubmissionClient, run_id: UUID, submission_id: str) -> set[str]:
    """Other jobs of the run that still run: their worker was killed before it could stop them."""
    return {
        one.submission_id
        for one in client.list_jobs()
        if one.submission_id
        and one.submission_id != submission_id
        and one.status.value in _RUNNING
        and (one.metadata or {}).get("run") == str(run_id)
    }


def _others(client: JobSubmissionClient, submission_id: str) -> int:
    """Index jobs that run now, this one left out."""
    return sum(
        one.status.value in _RUNNING and one.submission_id != submission_id
        for one in client.list_jobs()
        if (one.submission_id or "").startswith("index-")
    )


async def _wait_a_little(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise PanlectError(
            "The index job took longer than it may.",
            fix="Raise PANLECT_BULK_TIMEOUT_S, or see whether the cluster has room.",
        )
    await asyncio.sleep(_POLL_S)
