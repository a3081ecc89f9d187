"""One step of a run, done once: `step(name, key)` is checkpoint and flight recorder in one.

Two forms of the same protocol: in memory here (terminal, tests), in Postgres in `ledger/postgres_steps.py`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")


class Steps(Protocol):
    """Runs a step at most once for (name, key) and remembers what came out."""

    async def step(self, name: str, key: str, kind: type[T], work: Callable[[], Awaitable[T]]) -> T:
        """The stored output of (name, key) when it finished before, else that of `work`, now stored.

        `kind` is the output's type; it is stored as JSON through a pydantic TypeAdapter.
        """
        ...


@dataclass(slots=True)
class StepRecord:
    """What the trace shows of one step."""

    name: str
    key: str
    ms: float
    state: str = "done"
    error: str = ""


@dataclass(slots=True)
class MemorySteps:
    """Steps without a database: nothing outlives the process, the record is there to look at."""

    records: list[StepRecord] = field(default_factory=list)

    async def step(self, name: str, key: str, kind: type[T], work: Callable[[], Awaitable[T]]) -> T:  # noqa: ARG002
        """Run `work` and record how long it took."""
        began = time.perf_counter()
        try:
            output = await work()
        except BaseException as error:
            self.records.append(StepRecord(name, key, _ms(began), "failed", type(error).__name__))
            raise
        self.records.append(StepRecord(name, key, _ms(began)))
        return output


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
