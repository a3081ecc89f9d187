"""API tokens: made once, shown once, stored as a hash; a caller's token becomes a principal."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.errors import NotAuthorisedError

PREFIX = "panlect_"
SCOPES = ("read", "write", "admin")
_SHAPE = re.compile(r"panlect_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: one token of one organisation. Each scope includes the ones before it."""

    organisation_id: UUID
    token_id: UUID
    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether this principal holds `scope`, or one above it."""
        return any(held in self.scopes for held in SCOPES[SCOPES.index(scope) :])


def new_token() -> str:
    """A token: 32 random bytes behind a prefix and a checksum, so that scanners can recognise it."""
    body = secrets.token_urlsafe(32)
    return f"{PREFIX}{body}{_checksum(body)}"


def well_formed(token: str) -> bool:
    """Whether `token` can be one of ours; spares the database a look-up for guesses."""
    body = token[len(PREFIX) : -8]
    return bool(_SHAPE.fullmatch(token)) and secrets.compare_digest(token[-8:], _checksum(body))


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def digest(token: str) -> bytes:
    """What is stored of a token: enough to find it, useless to whoever reads the table."""
    return hashlib.sha256(token.encode()).digest()


async def principal_of(db: Database, token: str) -> Principal:
    """The principal of a token. Raises NotAuthorisedError when it is unknown, revoked or expired."""
    if well_formed(token):
        (row,) = await db.call_system(("select * from find_token(%s)", [digest(token)]))
        if row is not None:
            return Principal(row[0], row[1], row[2], frozenset(row[3]))
    raise NotAuthorisedError(
        "This needs a valid token.", fix="Sign in, or send Authorization: Bearer <token>."
    )


async def issue(db: Database, organisation_id: UUID, name: str, scopes: Sequence[str], token: str) -> None:
    """Store `token` under `name`; the same token again changes nothing."""
    if not well_formed(token):
        raise NotAuthorisedError("This is not a token that Panlect made.", fix="Unset it: a new one is made.")
    async with db.organisation(organisation_id) as connection:
        await connection.execute(
            query("accounts.issue_token"), [organisation_id, name, digest(token), list(scopes)]
        )
