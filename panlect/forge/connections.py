"""Which code hosts an organisation is connected to; their secrets are opened here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.errors import BadSignatureError, ForgeError, SecretKeyError
from panlect.forge import github, http
from panlect.forge.types import Delivery
from panlect.keyring import Keyring
from panlect.metrics import Metrics

_LOG = logging.getLogger(__name__)
TOKEN, WEBHOOK_SECRET = "forge-token", "webhook-secret"


@dataclass(frozen=True, slots=True)
class Connection:
    """A code host as one organisation uses it. Its token never shows in a repr."""

    id: UUID
    organisation_id: UUID
    base_url: str
    account_login: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that is connected already, and the secret that its webhooks are signed with."""

    id: UUID
    secret: str = field(repr=False)


class Connections:
    """Stores connections, checks deliveries against them, opens clients to them."""

    def __init__(
        self, db: Database, keys: Keyring, *, allow: Sequence[str] = (), metrics: Metrics | None = None
    ) -> None:
        self._db, self._keys, self._allow = db, keys, tuple(allow)
        self._metrics = metrics or Metrics()

    @property
    def allow(self) -> Sequence[str]:
        """Private hosts that an administrator lets through."""
        return self._allow

    async def add(self, organisation_id: UUID, *, base_url: str, token: str, secret: str, login: str) -> UUID:
        """Store a GitHub-compatible host, or give the known one of the same address new secrets; its id."""
        sealed = self._keys.encrypt(token.encode(), organisation_id=organisation_id, purpose=TOKEN)
        sealed_secret = self._keys.encrypt(
            secret.encode(), organisation_id=organisation_id, purpose=WEBHOOK_SECRET
        )
        async with self._db.organisation(organisation_id) as connection:
            known = await (
                await connection.execute(
                    query("forge.connection_of_url"), [organisation_id, "github", base_url]
                )
            ).fetchone()
            if known is not None:
                await connection.execute(
                    query("forge.change_connection"), [sealed, [sealed_secret], login, known[0]]
                )
                return UUID(str(known[0]))
            values = [organisation_id, "github", base_url, login, sealed, [sealed_secret]]
            row = await (await connection.execute(query("forge.add_connection"), values)).fetchone()
        assert row is not None
        return UUID(str(row[0]))

    async def find(self, organisation_id: UUID, base_url: str) -> KnownHost | None:
        """The connection to a host with its webhook secret, when there is one."""
        async with self._db.organisation(organisation_id) as connection:
            row = await (
                await connection.execute(
                    query("forge.connection_of_url"), [organisation_id, "github", base_url]
                )
            ).fetchone()
        if row is None or not row[1]:
            return None
        return KnownHost(UUID(str(row[0])), self._secret(bytes(row[1][0]), organisation_id))

    async def get(self, organisation_id: UUID, connection_id: UUID) -> Connection:
        """One connection with its token opened. Raises ForgeError when it is gone."""
        async with self._db.organisation(organisation_id) as connection:
            row = await (
                await connection.execute(query("forge.get_connection"), [organisation_id, connection_id])
            ).fetchone()
        if row is None:
            raise ForgeError("The connection to this code host is gone.", fix="Connect the repository again.")
        token = self._keys.decrypt(bytes(row[2]), organisation_id=organisation_id, purpose=TOKEN).decode()
        return Connection(connection_id, organisation_id, row[0], row[1], token)

    @asynccontextmanager
    async def client(self, organisation_id: UUID, connection_id: UUID) -> AsyncIterator[http.ForgeClient]:
        """A client that calls the host with this connection's token."""
        found = await self.get(organisation_id, connection_id)
        async with http.connect(http.Host(found.base_url, found.token, self._allow), self._metrics) as client:
            yield client

    async def verify_github(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """The delivery in a webhook, attributed to the connection whose secret signed it.

        Raises BadSignatureError when none did, BadPayloadError when the body is not what GitHub sends.
        """
        github.check_signature_shape(headers)  # what cannot be a signature costs no look-up
        async with self._db.system() as connection:
            rows = await (
                await connection.execute("select * from webhook_connections('github', null)")
            ).fetchall()
        # Off the event loop: a body of 26 MB is hashed once for each connection.
        connection_id = await asyncio.to_thread(self._signer, body, headers, rows)
        if connection_id is None:
            raise BadSignatureError(
                "The signature does not fit the body.",
                fix="Set the same secret in the host's webhook settings.",
            )
        return github.delivery(body, headers, connection_id)

    def _signer(self, body: bytes, headers: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> UUID | None:
        """The connection whose secret signed the body."""
        for row in rows:
            connection_id, organisation_id, sealed = row[0], row[1], row[5]
            try:
                github.verify(body, headers, [self._secret(bytes(one), organisation_id) for one in sealed])
            except BadSignatureError:
                continue
            except SecretKeyError as error:
                # One organisation's lost key must not stop the webhooks of all others.
                _LOG.warning("The webhook secret of connection %s does not open: %s", connection_id, error)
                continue
            return UUID(str(connection_id))
        return None

    def _secret(self, sealed: bytes, organisation_id: UUID) -> str:
        return self._keys.decrypt(sealed, organisation_id=organisation_id, purpose=WEBHOOK_SECRET).decode()
