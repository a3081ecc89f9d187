"""Steps in Postgres: what finished is read back, never run again, and written under the lease alone."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from panlect import history
from panlect.db import sql
from panlect.db.pool import Database
from panlect.db.text import storable
from panlect.faults import fault
from panlect.history import Event, EventKind
from panlect.ledger.runs import Lease, LeaseLostError, hold

T = TypeVar("T")
_ERROR_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class PostgresSteps:
    """The steps of one run, for as long as its lease is held."""

    db: Database
    lease: Lease

    async def step(self, name: str, key: str, kind: type[T], work: Callable[[], Awaitable[T]]) -> T:
        """The stored output of (name, key) when it finished before, else that of `work`, now stored.

        Raises SupersededError, RunCancelledError or LeaseLostError before or after the work when the run is
        no longer ours; whatever `work` raises is recorded and raised again.
        """
        from pydantic import TypeAdapter

        adapter: TypeAdapter[T] = TypeAdapter(kind)
        stored = await self._stored(name, key)
        if stored is not None:
            return adapter.validate_json(stored)
        fault("step.before_work")
        began = time.perf_counter()
        try:
            output = await work()
        except Exception as error:
            await self._store(name, key, _ms(began), error=f"{type(error).__name__}: {error}")
            raise
        written = adapter.dump_json(output).decode()
        await self._store(name, key, _ms(began), output=written)
        # What a resumed run would read is also what this one goes on with.
        return adapter.validate_json(written)

    async def _stored(self, name: str, key: str) -> str | None:
        async with self.db.organisation(self.lease.run.organisation_id) as connection:
            await hold(connection, self.lease)
            row = await (
                await connection.execute(sql.query("steps.find_step"), self._values(name, key))
            ).fetchone()
        return str(row[0]) if row else None

    async def _store(
        self, name: str, key: str, ms: float, *, output: str | None = None, error: str = ""
    ) -> None:
        run = self.lease.run
        values = {
            **self._values(name, key),
            "state": "failed" if output is None else "done",
            "output": output,
            "error": storable(error)[:_ERROR_LIMIT],
            "ms": ms,
        }
        async with self.db.organisation(run.organisation_id) as connection:
            await hold(connection, self.lease)
            row = await (await connection.execute(sql.query("steps.store_step"), values)).fetchone()
            if row is None:
                raise LeaseLostError(f"Step {name} of run {run.id} was finished by another worker.")
            if output is not None:
                event = Event(
                    EventKind.STEP_DONE,
                    run_id=run.id,
                    step=f"{name}:{key}",
                    lease_token=self.lease.token,
                )
                await history.append(connection, run.organisation_id, event)
                fault("step.before_commit")
        if output is not None:
            fault("step.after_commit")

    def _values(self, name: str, key: str) -> dict[str, object]:
        run = self.lease.run
        return {
            "organisation_id": run.organisation_id,
            "run_id": run.id,
            "name": storable(name),
            "key": storable(key),
        }


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
