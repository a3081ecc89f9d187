"""Retention: what no snapshot holds any more is dropped behind index runs, since nothing else makes snapshots old."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from panlect.errors import DatabaseError
from panlect.index.snapshots import Collected, collect
from panlect.index.store import PostgresStore
from panlect.wiring import Services

_LOG = logging.getLogger(__name__)
_COLLECT_EVERY_S = 3600.0
_PLANNING_S = 900.0


class Collector:
    """Drops what no snapshot holds any more after an index run, at most once in a while for an organisation.

    Several workers may collect at a time: each drops what it finds. A collection that fails is logged; the next
    one finds the same.
    """

    def __init__(
        self, every_s: float = _COLLECT_EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s, self._clock = every_s, clock
        self._last: dict[UUID, float] = {}

    async def after_index(self, services: Services, organisation_id: UUID) -> Collected | None:
        """What was dropped; None when it is not time yet, or when it failed."""
        from psycopg import Error

        now = self._clock()
        if now - self._last.get(organisation_id, -self._every_s) < self._every_s:
            return None
        self._last[organisation_id] = now
        settings = services.settings
        # What a run relies on is made young again when it plans: the grace outlasts every run.
        grace_s = max(settings.collect_after_s, settings.bulk_timeout_s + _PLANNING_S)

        def dropped() -> Collected:
            with PostgresStore(services.db.url, organisation_id) as store:
                return collect(store, kept=settings.snapshots_kept, grace_s=grace_s)

        try:
            found = await asyncio.to_thread(dropped)
        except (DatabaseError, Error) as error:
            _LOG.warning("Old snapshots were not collected: %s", error)
            return None
        _LOG.info("Collected: %s", found)
        return found
