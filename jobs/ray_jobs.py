"""Bulk indexing as Ray jobs: one submission an attempt, never more at a time than allowed, and how each ended.

Ray's record of a job dies with its head; the run in Postgres is the truth, the job's id only a column of it.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from uuid import UUID

from panlect.errors import PanlectError

# The interpreter of this process: a job on this cluster has the same image, or the same machine.
ENTRYPOINT = f"{shlex.quote(sys.executable)} -m jobs.index_repo"
_POLL_S = 0.5
_RUNNING = ("PENDING", "RUNNING")


async def submit(run_id: UUID, attempt: int, *, limit: int, timeout_s: float) -> str:
    """Run the index job of a run to its end and return Ray's id of it.

    The same attempt again attaches to the job that is there. Raises PanlectError when the job failed, was
    stopped, or ran longer than `timeout_s` seconds (then it is stopped).
    """
    return await asyncio.to_thread(_submit_and_wait, run_id, attempt, limit, timeout_s)


def _submit_and_wait(run_id: UUID, attempt: int, limit: int, timeout_s: float) -> str:
    import time

    from ray.job_submission import JobSubmissionClient

    client = JobSubmissionClient()  # RAY_API_SERVER_ADDRESS and RAY_AUTH_TOKEN say where and as whom
    submission_id = f"index-{run_id}-{attempt}"
    deadline = time.monotonic() + timeout_s
    while _others(client, submission_id) >= limit:
        _wait_a_little(deadline)
    try:
        client.submit_job(
            entrypoint=f"{ENTRYPOINT} --run {run_id}",
            submission_id=submission_id,
            metadata={"run": str(run_id)},
        )
    except RuntimeError as error:
        # A repeated id is answered with a plain 500: it is our job when it can be found.
        if submission_id not in _known(client):
            raise PanlectError("Ray refused the index job.", why=str(error)[:300]) from error
    while (status := client.get_job_status(submission_id).value) in _RUNNING:
        try:
            _wait_a_little(deadline)
        except PanlectError:
            client.stop_job(submission_id)
            raise
    if status != "SUCCEEDED":
        why = (client.get_job_info(submission_id).message or "").strip()[-300:]
        raise PanlectError(
            f"The index job {status.lower()}.", why=why, fix=f"See the log of Ray job {submission_id}."
        )
    return submission_id


def _others(client: object, submission_id: str) -> int:
    """Index jobs that run now, this one left out."""
    return sum(
        one.status.value in _RUNNING and one.submission_id != submission_id
        for one in client.list_jobs()  # type: ignore[attr-defined]
        if (one.submission_id or "").startswith("index-")
    )


def _known(client: object) -> set[str]:
    return {one.submission_id or "" for one in client.list_jobs()}  # type: ignore[attr-defined]


def _wait_a_little(deadline: float) -> None:
    import time

    if time.monotonic() > deadline:
        raise PanlectError(
            "The index job took longer than it may.",
            fix="Raise PANLECT_BULK_TIMEOUT_S, or see whether the cluster has room.",
        )
    time.sleep(_POLL_S)
