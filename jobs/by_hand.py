"""Work on a run in a job of its own, beside the queue: under a lease, until it has ended, whoever ended it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from jobs.repositories import StuckError
from jobs.tasks import Handlers, Workplace, work_on
from panlect.errors import PanlectError
from panlect.ledger.leases import Heartbeat
from panlect.ledger.runs import Lease, Run, find_run
from panlect.wiring import Services

_POLL_S = 1.0


async def work_off_run(
    services: Services,
    organisation_id: UUID,
    run_id: UUID,
    execute: Callable[[Lease], Awaitable[None]],
    late: PanlectError,
) -> Run:
    """The run once it has ended. One that a worker took first, or that waits for another one, is waited for.

    Raises `late` when it has not ended after as long as a bulk job may take, StuckError when `execute` does.
    """
    stuck: list[StuckError] = []

    async def watched(lease: Lease) -> None:
        try:
            await execute(lease)
        except StuckError as error:
            stuck.append(error)
            raise

    lease_s = services.settings.lease_s
    with Heartbeat(services.db.system_url, lease_s=lease_s) as heartbeat:
        worker = f"job:{socket.gethostname()}"
        place = Workplace(services.db, Handlers(_no_delivery, watched), heartbeat, lease_s, worker)
        deadline = time.monotonic() + services.settings.bulk_timeout_s
        while (ended := await _ended(services, organisation_id, run_id)) is None:
            if time.monotonic() > deadline:
                raise late
            await work_on(place, run_id)  # returns at once while another run of this repository is at work
            if stuck:
                raise stuck[0]
            await asyncio.sleep(_POLL_S)
    return ended


async def _no_delivery(_: object) -> None:
    raise PanlectError("A bulk job takes no deliveries.")


async def _ended(services: Services, organisation_id: UUID, run_id: UUID) -> Run | None:
    """The run when it has ended."""
    async with services.db.organisation(organisation_id) as connection:
        run = await find_run(connection, organisation_id, run_id)
    assert run is not None
    return run if run.finished_at is not None else None
