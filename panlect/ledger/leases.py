"""Keep the leases of this process alive, from a thread that no busy event loop can hold up."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.db import sql

if TYPE_CHECKING:
    from psycopg import Connection

_LOG = logging.getLogger(__name__)
_BEATS_PER_LEASE = 3


class Heartbeat:
    """Beats for every lease it is told of, on a connection of its own; use as a context manager.

    A lease that the database no longer knows is dropped: its worker learns so at its next write. When the
    database is away the thread keeps trying, and the leases run out as they should.
    """

    def __init__(self, url: str, *, lease_s: float) -> None:
        self._url = url
        self._lease_s = lease_s
        self._tokens: set[UUID] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def add(self, token: UUID) -> None:
        """Beat for this lease from now on."""
        with self._lock:
            self._tokens.add(token)

    def drop(self, token: UUID) -> None:
        """Beat for it no longer."""
        with self._lock:
            self._tokens.discard(token)

    def _run(self) -> None:
        import psycopg

        connection: Connection[Any] | None = None
        while not self._stop.wait(self._lease_s / _BEATS_PER_LEASE):
            try:
                connection = connection or self._connected()
                self._beat(connection)
            except psycopg.Error as error:
                _LOG.warning("A lease heartbeat failed and will be tried again: %s", error)
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _connected(self) -> Connection[Any]:
        import psycopg

        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        connection.execute("set search_path = panlect")
        connection.execute("set role panlect_system")
        # A beat that waits longer than a lease for a lock is worth nothing.
        connection.execute(
            "select set_config('statement_timeout', %s, false)", [f"{int(self._lease_s * 1000)}ms"]
        )
        return connection

    def _beat(self, connection: Connection[Any]) -> None:
        with self._lock:
            tokens = list(self._tokens)
        if not tokens:
            return
        values = {"tokens": tokens, "lease_s": self._lease_s}
        alive = {row[0] for row in connection.execute(sql.query("runs.beat_leases"), values)}
        with self._lock:
            self._tokens -= set(tokens) - alive
