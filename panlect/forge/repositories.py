"""Connect a repository: read it from its host, remember it, ask the host for webhooks; and list what is connected."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query, rows_of
from panlect.errors import ForgeError
from panlect.forge import http
from panlect.forge.connections import Connections

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected repository and the newest commit of its default branch."""

    id: UUID
    full_name: str
    head_sha: str


async def connect_repository(
    db: Database,
    connections: Connections,
    organisation_id: UUID,
    *,
    base_url: str,
    token: str,
    full_name: str,
    webhook_url: str,
) -> Connected:
    """Connect `full_name` of the host at `base_url`; again is fine, and renews token and webhook.

    Raises EgressRefusedError for a host that may not be called, ForgeError when the host refuses.
    """
    host = http.Host(base_url.rstrip("/"), token, connections.allow)
    async with http.connect(host) as client:
        found = await client.repository(full_name)  # before anything is stored: does the token work?
        branch = await client.default_branch(full_name)
        login = await client.login()
        known = await connections.find(organisation_id, host.api_url)
        secret = known.secret if known else secrets.token_urlsafe(32)
        connection_id = await connections.add(
            organisation_id, base_url=host.api_url, token=token, secret=secret, login=login
        )
        try:
            await client.create_hook(full_name, webhook_url, secret)
        except ForgeError as error:
            if error.status != _UNPROCESSABLE:  # the host has this webhook already
                raise
    async with db.organisation(organisation_id) as connection:
        values = [organisation_id, connection_id, found.full_name, found.clone_url, found.default_branch]
        row = await (await connection.execute(query("forge.upsert_repository"), values)).fetchone()
    assert row is not None
    return Connected(UUID(str(row[0])), found.full_name, branch.head_sha)


async def list_repositories(connection: AsyncConnection[Any], organisation_id: UUID) -> list[dict[str, Any]]:
    """Every connected repository with the state of its index, by name."""
    return await rows_of(connection, "forge.list_repositories", [organisation_id])
