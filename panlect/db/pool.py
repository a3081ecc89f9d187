"""One way into Postgres for both journeys: a transaction under a role, never a bare connection.

`organisation()` sees the rows of one organisation, `system()` may call the few listed functions that work
before or across organisations. What a transaction may see ends with the transaction, so a pooled
connection carries nothing from one caller to the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID
from weakref import WeakKeyDictionary

from panlect.errors import DatabaseError

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection
    from psycopg_pool import AsyncConnectionPool

DEFAULT_ORGANISATION = UUID("00000000-0000-0000-0000-000000000001")
APP_ROLE = "panlect_app"
SYSTEM_ROLE = "panlect_system"
_WAIT_S = 10.0
_ENTER = (
    "select set_config('search_path', 'panlect, queue, public', true),"
    " set_config('app.organisation_id', %s, true), set_config('role', %s, true)"
)
_FRESH_S = 1.0  # a connection that worked so lately is not tried before it is used again
Call = tuple[LiteralString, Sequence[object]]


class Database:
    """A pool per login, opened by the first transaction of this process's event loop.

    `app_url` and `system_url` are for installations that give each role a login of its own.
    """

    def __init__(
        self, url: str, *, app_url: str | None = None, system_url: str | None = None, pool_size: int = 8
    ) -> None:
        self.url = url
        self.app_url = app_url or url
        self.system_url = system_url or url
        self._urls = {APP_ROLE: self.app_url, SYSTEM_ROLE: self.system_url}
        self._pool_size = pool_size
        self._pools: dict[str, AsyncConnectionPool[AsyncConnection[Any]]] = {}
        self._worked: WeakKeyDictionary[AsyncConnection[Any], float] = WeakKeyDictionary()
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def organisation(self, organisation_id: UUID) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """A transaction that sees and writes the rows of one organisation.

        Committed when the block ends, rolled back when it raises. Raises DatabaseError when Postgres cannot
        be reached.
        """
        return self._transaction(APP_ROLE, str(organisation_id))

    def system(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """A transaction before or across organisations: the listed functions and the queue, no tables."""
        return self._transaction(SYSTEM_ROLE, "")

    async def call_system(self, *calls: Call) -> list[tuple[Any, ...] | None]:
        """Call listed functions, all in one transaction and one round trip; the first row of each.

        For what every request waits for. Values are written into the text (by psycopg, as literals), since a
        message of several statements takes no parameters.
        """
        from psycopg import AsyncClientCursor
        from psycopg.sql import SQL

        async with self._connection(self._urls[SYSTEM_ROLE]) as connection:
            cursor = AsyncClientCursor(connection)
            texts = [cursor.mogrify(_ENTER, ["", SYSTEM_ROLE])]
            texts += [cursor.mogrify(text, values) for text, values in calls]
            await cursor.execute(SQL(";\n".join(texts)))
            rows: list[tuple[Any, ...] | None] = []
            while cursor.nextset():
                rows.append(await cursor.fetchone())
            return rows

    async def close(self) -> None:
        """Give every connection back to the server."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    @asynccontextmanager
    async def _transaction(self, role: str, organisation_id: str) -> AsyncIterator[AsyncConnection[Any]]:
        from psycopg import AsyncClientCursor, OperationalError
        from psycopg.sql import SQL

        async with self._connection(self._urls[role]) as connection:
            enter = AsyncClientCursor(connection).mogrify(_ENTER, [organisation_id, role])
            await connection.execute(SQL(f"begin;\n{enter}"), prepare=False)  # one round trip
            try:
                yield connection
            except BaseException:
                with suppress(OperationalError):  # it is broken: the pool makes another
                    await connection.rollback()
                raise
            await connection.commit()

    @asynccontextmanager
    async def _connection(self, url: str) -> AsyncIterator[AsyncConnection[Any]]:
        from psycopg_pool import PoolTimeout

        pool = self._pools.get(url) or await self._opened(url)
        try:
            connection = await pool.getconn(timeout=_WAIT_S)
        except PoolTimeout as error:
            raise DatabaseError(
                f"No database connection became free in {_WAIT_S:.0f} s.",
                why=str(error),
                fix="Check the server, or raise PANLECT_POOL_SIZE.",
            ) from None
        try:
            yield connection
            self._worked[connection] = time.monotonic()
        finally:
            await pool.putconn(connection)

    async def _check(self, connection: AsyncConnection[Any]) -> None:
        from psycopg_pool import AsyncConnectionPool

        if time.monotonic() - self._worked.get(connection, 0.0) > _FRESH_S:
            await AsyncConnectionPool.check_connection(connection)

    async def _opened(self, url: str) -> AsyncConnectionPool[AsyncConnection[Any]]:
        from psycopg_pool import AsyncConnectionPool

        async with self._opening:
            if url not in self._pools:
                await _probe(url)
                pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
                    url,
                    min_size=0,
                    max_size=self._pool_size,
                    max_idle=300,
                    open=False,
                    kwargs={"autocommit": True},  # transactions are opened by name, in one place
                    check=self._check,
                    name="panlect",
                )
                await pool.open()
                self._pools[url] = pool
            return self._pools[url]


def enter(connection: Connection[Any], role: str, organisation_id: str) -> None:
    """Begin a synchronous transaction as `Database` begins its own: under a role, for one organisation."""
    connection.execute(_ENTER, [organisation_id, role])


async def _probe(url: str) -> None:
    """Say at once what is wrong; a pool would try again until its timeout and then not know why."""
    import psycopg

    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=10)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise DatabaseError(
            "Postgres cannot be reached.",
            why=str(error).strip(),
            fix="Check DATABASE_URL, or unset it to use the embedded Postgres.",
        ) from None
    await connection.close()
