"""The ledger of calls in Postgres: promises, charges and the flight recorder, shared by every replica.

A call is promised in one round trip. Ends of calls that come at the same time are written in one transaction: each
caller waits until its own is on disk.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from panlect.db.pool import Database
from panlect.db.sql import query, rows_of
from panlect.errors import BadInputError, DatabaseError
from panlect.llm.budget import Call, Ending, LimitedError, spent_error, token_ratio
from panlect.llm.chat import Answer, Caller, ChatRequest
from panlect.llm.table import Budget, Choice
from panlect.redact import redact

_MOST_AT_ONCE = 64
_MOST_BYTES = 4 * 1024 * 1024
_LARGE = 256 * 1024  # characters of a request that is packed in a thread
_LARGEST_BODY = 1024 * 1024  # bytes compressed; a larger one is not kept
_LARGEST_RAW = 32 * 1024 * 1024
_FACTORS_S = 30.0
_DETAIL = 500
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
_REQUEST: TypeAdapter[ChatRequest] = TypeAdapter(ChatRequest)
Settlement = tuple[str, bytes | None, bytes | None]
_Waiting = tuple[UUID, Settlement, asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class Body:
    """One call as it was asked and answered, while that is kept."""

    role: str
    provider: str
    model: str
    outcome: str
    request: ChatRequest
    answer: Answer


@dataclass(slots=True)
class PostgresLedger:
    """The protocol of `budget.Ledger`. Bodies are kept `keep_s` seconds; 0 keeps none."""

    db: Database
    keep_s: float
    _waiting: list[_Waiting] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None
    _factors: dict[UUID, tuple[float, Mapping[str, float]]] = field(default_factory=dict)

    async def reserve(self, call: Call, budgets: Sequence[Budget]) -> None:
        """As the protocol says. Raises BadInputError for a repository or pull request of others."""
        wanted = {**_described(call), **_limits(call)}
        least: dict[tuple[str, str], int] = {}
        for b in budgets:  # of two limits for the same thing the lower one holds
            key = (b.scope, b.period)
            least[key] = min(b.limit_microusd, least.get(key, b.limit_microusd))
        limits = [
            {"scope": scope, "period": period, "limit_microusd": limit}
            for (scope, period), limit in least.items()
        ]
        values = [json.dumps(wanted), json.dumps(limits)]
        (row,) = await self.db.call_system((query("models.reserve_call"), values))
        refused = row[0] if row else None
        if refused is None:
            return
        if refused["refused"] == "repository":
            raise BadInputError("There is no such repository or pull request.", fix="Leave the header out.")
        if refused["refused"] == "budget":
            raise spent_error(refused["scope"], refused["period"], refused["spent"], refused["limit"])
        raise LimitedError(refused["refused"], float(refused["wait_s"]))

    async def settle(self, call: Call, ending: Ending) -> None:
        """As the protocol says. Raises DatabaseError when it could not be written."""
        from psycopg import Error

        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        large = ending.request is not None and sum(len(m.content) for m in ending.request.messages) > _LARGE
        settlement = (
            await asyncio.to_thread(self._settlement, call, ending)
            if large
            else self._settlement(call, ending)
        )
        self._waiting.append((call.caller.organisation_id, settlement, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        try:
            await done
        except DatabaseError:
            raise
        except Error as error:
            raise DatabaseError("A model's call could not be recorded.", why=type(error).__name__) from error

    async def recall(self, caller: Caller, asked_hash: bytes, choice: Choice) -> Answer | None:
        """As the protocol says."""
        values = {
            "organisation_id": caller.organisation_id,
            "asked_hash": asked_hash,
            "provider": choice.provider.name,
            "model": choice.model,
        }
        async with self.db.organisation(caller.organisation_id) as connection:
            row = await (await connection.execute(query("models.recall_answer"), values)).fetchone()
        if row is None:
            return None
        return opened_answer(row[0])

    async def factor(self, organisation_id: UUID, choice: Choice) -> float:
        """As it was learnt; looked up every half minute."""
        read_at, factors = self._factors.get(organisation_id, (-_FACTORS_S, {}))
        if time.monotonic() - read_at >= _FACTORS_S:
            async with self.db.organisation(organisation_id) as connection:
                rows = await (
                    await connection.execute(query("models.list_factors"), [organisation_id])
                ).fetchall()
            factors = {str(model): float(value) for model, value in rows}
            self._factors[organisation_id] = (time.monotonic(), factors)
        return factors.get(choice.name, 1.0)

    async def _write(self) -> None:
        """Write what waits, until nothing does. Who asked for it learns how it went."""
        while self._waiting:
            count = _fitting(self._waiting)
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            batch.sort(key=lambda one: one[0])  # organisations are locked in one order
            if await self._written(batch) is not None:
                for one in batch:  # one that cannot be written must not take the others with it
                    if (error := await self._written([one])) is not None:
                        _tell([one], error)

    async def _written(self, batch: Sequence[_Waiting]) -> Exception | None:
        """Write and tell whoever waits; else what went wrong."""
        try:
            await self._store(batch)
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits for it
            return error
        except BaseException:
            _tell(batch, DatabaseError("The recorder was stopped."))
            raise
        _tell(batch, None)
        return None

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        await self.db.call_system(*((query("models.settle_call"), one) for _, one, _ in batch))

    def _settlement(self, call: Call, ending: Ending) -> Settlement:
        row = {
            **_described(call),
            "outcome": ending.outcome,
            "detail": ending.detail[:_DETAIL].replace("\0", ""),
            "input_tokens": ending.usage.input_tokens,
            "cached_tokens": ending.usage.cached_tokens,
            "output_tokens": ending.usage.output_tokens,
            "usage_estimated": ending.usage.estimated,
            "cost_microusd": ending.cost_microusd,
            "ms": round(ending.ms, 3),
            "first_token_ms": ending.first_token_ms,
            "withheld": dict(ending.withheld),
            "keep_s": self.keep_s,
            "token_ratio": token_ratio(call, ending),
        }
        request = answer = None
        if self.keep_s > 0 and ending.request is not None and ending.answer is not None:
            said = replace(ending.answer, content=redact(ending.answer.content))
            request, answer = sealed(_REQUEST, ending.request), sealed(_ANSWER, said)
        return json.dumps(row), request, answer


def _fitting(waiting: Sequence[_Waiting]) -> int:
    """How many of them go into one message: bodies are written into its text, two characters a byte."""
    size = 0
    for count, (_, (_, request, answer), _) in enumerate(waiting[:_MOST_AT_ONCE]):
        size += len(request or b"") + len(answer or b"")
        if count and size > _MOST_BYTES:
            return count
    return min(len(waiting), _MOST_AT_ONCE)


def _tell(batch: Sequence[_Waiting], error: Exception | None) -> None:
    for _, _, done in batch:
        if done.done():  # who waited was cancelled
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


async def expire(db: Database) -> int:
    """Charge what dead gateways left, forget bodies whose time is over; how many calls were lost."""
    async with db.system() as connection:
        row = await (await connection.execute(query("models.expire_records"))).fetchone()
    return int(row[0]) if row else 0


async def find_body(db: Database, organisation_id: UUID, call_id: UUID) -> Body | None:
    """What was asked and answered in one call; None when it is not kept (any more)."""
    async with db.organisation(organisation_id) as connection:
        row = await (
            await connection.execute(query("models.find_body"), [organisation_id, call_id])
        ).fetchone()
    if row is None:
        return None
    request = _REQUEST.validate_json(_opened(row[4]))
    return Body(row[0], row[1], row[2], row[3], request, opened_answer(row[5]))


async def list_calls(
    db: Database, organisation_id: UUID, *, run_id: UUID | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The newest calls as rows, of one run when that is said."""
    values = {"organisation_id": organisation_id, "run_id": run_id, "limit": limit}
    async with db.organisation(organisation_id) as connection:
        return await rows_of(connection, "models.list_calls", values)


def sealed(adapter: TypeAdapter[Any], value: object) -> bytes | None:
    """A value as it is kept: JSON, compressed; None when it is too large to keep."""
    packed = zlib.compress(adapter.dump_json(value), 1)
    return packed if len(packed) <= _LARGEST_BODY else None


def opened_answer(packed: bytes) -> Answer:
    """The answer again."""
    return _ANSWER.validate_json(_opened(packed))


def _opened(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _LARGEST_RAW)


def _described(call: Call) -> dict[str, Any]:
    caller = {name: str(value) for name, value in asdict(call.caller).items() if value}
    return {
        **caller,
        "id": str(call.id),
        "request_id": str(call.request_id),
        "request_hash": call.request_hash.hex(),
        "asked_hash": call.asked_hash.hex(),
        "role": call.role,
        "provider": call.choice.provider.name,
        "model": call.choice.model,
        "input_tokens": call.input_tokens,
    }


def _limits(call: Call) -> dict[str, Any]:
    provider = call.choice.provider
    return {
        "provider_key": call.provider_key,
        "concurrency": provider.concurrency,
        "tokens_per_minute": provider.tokens_per_minute,
        "tokens": call.input_tokens + call.max_output_tokens,
        "reserve_microusd": call.reserve_microusd,
        "expires_s": call.expires_s,
    }
