"""The only queue loop: fetch jobs, run their tasks, stop cleanly. Hosted by a Serve replica or a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.schedule import run_schedule
from jobs.tasks import Handlers, Workplace, register
from panlect import queue
from panlect.db.pool import Database
from panlect.ledger.leases import Heartbeat

if TYPE_CHECKING:
    from procrastinate import App

    from panlect.settings import Settings

_LOG = logging.getLogger(__name__)
_GRACE_S = 25.0  # for work in progress; with what follows a stop takes less than 30 s
_RESTART_S = 1.0
SCHEDULE_QUEUE = "jobs"  # who serves this queue also ticks


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How one worker works. Seconds; `grace_s` is what work in progress gets when the worker stops."""

    queues: tuple[str, ...] = queue.QUEUES
    concurrency: int = 2
    lease_s: float = 30.0
    sweep_s: float = 5.0
    crash_limit: int = 3
    grace_s: float = _GRACE_S

    @staticmethod
    def of(settings: Settings, queues: tuple[str, ...] = queue.QUEUES) -> WorkerOptions:
        """As an operator set them."""
        return WorkerOptions(
            queues=queues,
            concurrency=settings.worker_concurrency,
            lease_s=settings.lease_s,
            sweep_s=settings.sweep_s,
            crash_limit=settings.crash_limit,
        )


async def run_worker(db: Database, handlers: Handlers, options: WorkerOptions, stop: asyncio.Event) -> None:
    """Work on the queues until `stop` is set; then finish what is in progress, or give it back.

    A database that goes away is waited for. Raises DatabaseError when it was not there at the start.
    """
    _refuse_unknown(options.queues)
    async with db.system():
        pass  # a wrong address is an error now, not a retry for ever
    with Heartbeat(db.system_url, lease_s=options.lease_s) as heartbeat:
        worker = f"{socket.gethostname()}:{os.getpid()}"
        place = Workplace(db, handlers, heartbeat, options.lease_s, worker)
        async with queue.opened(db.system_url, pool_size=options.concurrency + 2) as app:
            register(app, place)
            async with asyncio.TaskGroup() as group:
                group.create_task(_serve(app, options, stop), name="queue")
                if SCHEDULE_QUEUE in options.queues:
                    group.create_task(_schedule(db, options, stop), name="schedule")


async def _serve(app: App, options: WorkerOptions, stop: asyncio.Event) -> None:
    from procrastinate.exceptions import ConnectorException

    while not stop.is_set():
        loop = asyncio.create_task(
            app.run_worker_async(
                queues=list(options.queues),  # a tuple would reach Postgres as a composite value
                concurrency=options.concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=queue.POLL_S,
                shutdown_graceful_timeout=options.grace_s,
                update_heartbeat_interval=options.lease_s / 3,
                stalled_worker_timeout=options.lease_s,
                delete_jobs="successful",  # how the work ended stands in its run
            )
        )
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({loop, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop
        except ConnectorException as error:
            _LOG.warning("The queue is not reachable and will be tried again: %s", error.__cause__ or error)
            await asyncio.sleep(_RESTART_S)
        finally:
            stopping.cancel()
            if not loop.done():  # we ourselves were cancelled: the work in progress is given back first
                loop.cancel()
                await asyncio.wait({loop})


async def _schedule(db: Database, options: WorkerOptions, stop: asyncio.Event) -> None:
    await run_schedule(
        db, stop, every_s=options.sweep_s, crash_limit=options.crash_limit, lease_s=options.lease_s
    )


def _refuse_unknown(queues: Iterable[str]) -> None:
    unknown = sorted(set(queues) - set(queue.QUEUES))
    if unknown:
        raise ValueError(f"unknown queues {unknown}, known are {queue.QUEUES}")


async def work(settings: Settings, queues: tuple[str, ...], stop: asyncio.Event) -> None:
    """A whole worker process: build its services, work until stopped, give everything back."""
    from jobs.handlers import handlers
    from panlect import wiring

    services = await wiring.opened(settings)
    try:
        await run_worker(services.db, handlers(services), WorkerOptions.of(settings, queues), stop)
    finally:
        await services.close()


def main(arguments: list[str] | None = None) -> int:
    """`python -m jobs.worker [QUEUE ...]`: a worker without Ray, until SIGTERM or SIGINT."""
    import argparse
    import sys

    from panlect import settings
    from panlect.errors import PanlectError

    parser = argparse.ArgumentParser(prog="python -m jobs.worker", description=main.__doc__)
    parser.add_argument(
        "queues", nargs="*", metavar="QUEUE", help=f"default: all ({', '.join(queue.QUEUES)})"
    )
    wanted = parser.parse_args(arguments).queues
    if unknown := sorted(set(wanted) - set(queue.QUEUES)):
        parser.error(f"unknown queue {unknown[0]}, known are {', '.join(queue.QUEUES)}")

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(settings.load(), tuple(wanted) or queue.QUEUES, stop)

    try:
        asyncio.run(until_stopped())
    except PanlectError as error:
        print(f"{error.what}\n{error.why}\n{error.fix}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
