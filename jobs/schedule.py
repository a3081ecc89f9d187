"""The clock of both journeys: what has to happen every few seconds, in one place however many are up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from panlect import queue
from panlect.db.pool import Database
from panlect.errors import DatabaseError
from panlect.ledger.sweeper import Swept, sweep
from panlect.llm.recorder import expire

if TYPE_CHECKING:
    from procrastinate.exceptions import ConnectorException
    from psycopg import Error

_LOG = logging.getLogger(__name__)


async def tick(db: Database, *, crash_limit: int, lease_s: float) -> Swept:
    """One pass: resume what dead workers held, wake what lost its wake-up.

    It does not go through the queue, which is what it repairs. Any number may tick at the same time: an
    advisory lock lets one of them work.
    """
    swept = await sweep(db, queue.wake_run, queue.wake_delivery, crash_limit=crash_limit, silent_s=lease_s)
    if swept.resumed or swept.crashed or swept.rewoken or swept.deliveries:
        _LOG.info("The sweeper repaired: %s", swept)
    return swept


async def run_schedule(
    db: Database, stop: asyncio.Event, *, every_s: float, crash_limit: int, lease_s: float
) -> None:
    """Tick until stopped. A tick that fails is logged and tried again: the database may be away."""
    failures = _failures()
    while not stop.is_set():
        try:
            await tick(db, crash_limit=crash_limit, lease_s=lease_s)
            lost = await expire(db)
            if lost:
                _LOG.warning("%d model calls of gateways that died were charged at their estimate.", lost)
        except failures as error:
            _LOG.warning("A tick failed and will be tried again: %s", error)
        try:
            await asyncio.wait_for(stop.wait(), timeout=every_s)
        except TimeoutError:
            continue


def _failures() -> tuple[type[DatabaseError], type[Error], type[ConnectorException]]:
    import psycopg
    from procrastinate import exceptions

    return DatabaseError, psycopg.Error, exceptions.ConnectorException
