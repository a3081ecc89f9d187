"""Where the gateway learns what is configured: a file, and above it each organisation's document in Postgres.

Keys are opened here, for the gateway alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.errors import BadInputError, ConfigurationError
from panlect.keyring import Keyring
from panlect.llm.document import above, layered, read_file
from panlect.llm.table import Choice, ModelTable

_FRESH_S = 2.0  # a change holds in every replica after this
_KEY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_LARGEST_KEY = 20_000
_WITHOUT_KEY = ("compatible", "bedrock")  # a local server wants none; Bedrock may use the machine's role


@dataclass(frozen=True, slots=True)
class KeySource:
    """The operator's keys by name: a file of a folder that only the gateway mounts, else an environment variable."""

    folder: Path | None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def find(self, name: str) -> str:
        """The key; "" when there is none of this name."""
        if not _KEY_NAME.fullmatch(name):
            return ""
        if self.folder is not None:
            try:
                return (self.folder / name).read_text(encoding="utf-8")[:_LARGEST_KEY].strip()
            except (OSError, UnicodeDecodeError):
                pass
        return self.environ.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class FileTables:
    """What the models file says, for everyone: the terminal's form."""

    models: ModelTable
    keys: KeySource

    async def table(self, organisation_id: UUID) -> ModelTable:  # noqa: ARG002
        """The same for everyone."""
        return self.models

    async def key(self, organisation_id: UUID, choice: Choice) -> str:  # noqa: ARG002
        """The provider's key. Raises ConfigurationError when it is not where the file says."""
        return operator_key(self.keys, choice)


def operator_key(keys: KeySource, choice: Choice) -> str:
    """The key of a provider of the models file. Raises ConfigurationError naming what is not set."""
    provider = choice.provider
    found = keys.find(provider.key) if provider.key else ""
    if not found and (provider.key or provider.kind not in _WITHOUT_KEY):
        raise ConfigurationError(
            f"Provider {provider.name} has no key.",
            why=f"{provider.key} is not set." if provider.key else "Its key is not named.",
            fix=f"Set {provider.key or 'key in the models file'}, or put it as a file into PANLECT_PROVIDER_KEYS_DIR.",
        )
    return found


@dataclass(slots=True)
class DatabaseTables:
    """The operator's file, and above it what each organisation wrote. Read again after two seconds."""

    db: Database
    ring: Keyring
    file: ModelTable
    keys: KeySource
    _known: dict[UUID, tuple[float, ModelTable]] = field(default_factory=dict)
    _sealed: dict[UUID, tuple[float, Mapping[str, bytes]]] = field(default_factory=dict)

    async def table(self, organisation_id: UUID) -> ModelTable:
        """What this organisation has configured, at most two seconds old."""
        read_at, known = self._known.get(organisation_id, (0.0, None))
        if known is None or time.monotonic() - read_at > _FRESH_S:
            document, _ = await find_document(self.db, organisation_id)
            known = above(self.file, document)
            self._known[organisation_id] = (time.monotonic(), known)
        return known

    async def key(self, organisation_id: UUID, choice: Choice) -> str:
        """The provider's key, opened. Raises ConfigurationError when it has none, SecretKeyError when it does not open."""
        provider = choice.provider
        if provider.shared:
            return operator_key(self.keys, choice)
        read_at, sealed = self._sealed.get(organisation_id, (0.0, None))
        if sealed is None or time.monotonic() - read_at > _FRESH_S:
            async with self.db.organisation(organisation_id) as connection:
                rows = await (
                    await connection.execute(query("models.list_keys"), [organisation_id])
                ).fetchall()
            sealed = {str(name): bytes(value) for name, value in rows}
            self._sealed[organisation_id] = (time.monotonic(), sealed)
        if provider.name in sealed:
            clear = self.ring.decrypt(
                sealed[provider.name], organisation_id=organisation_id, purpose=_purpose(provider.name)
            )
            return clear.decode()
        if provider.kind == "compatible":
            return ""
        # Not the machine's own role for Bedrock either: that is the operator's.
        raise ConfigurationError(
            f"Provider {provider.name} has no key.",
            fix=f"PUT /api/v1/models/keys/{provider.name}, or Settings, Models.",
        )


async def find_document(db: Database, organisation_id: UUID) -> tuple[Mapping[str, Any], int]:
    """What an organisation wrote, and its version; ({}, 0) when it wrote nothing."""
    async with db.organisation(organisation_id) as connection:
        row = await (await connection.execute(query("models.find_settings"), [organisation_id])).fetchone()
    return (row[0], int(row[1])) if row else ({}, 0)


async def store_document(
    db: Database,
    organisation_id: UUID,
    document: Mapping[str, Any],
    *,
    version: int,
    by: str,
    file: ModelTable,
) -> int:
    """Replace the document that was read as `version`; the new version.

    Raises ConfigurationError when it cannot work together with the operator's file, BadInputError when somebody else
    changed it meanwhile.
    """
    from psycopg.types.json import Jsonb

    above(file, document)
    values = {"organisation_id": organisation_id, "document": Jsonb(document), "version": version, "by": by}
    async with db.organisation(organisation_id) as connection:
        row = await (await connection.execute(query("models.store_settings"), values)).fetchone()
    if row is None:
        raise BadInputError(
            "The models were changed meanwhile.", fix="Read them again, then make your change."
        )
    return int(row[0])


async def store_key(db: Database, ring: Keyring, organisation_id: UUID, provider: str, key: str) -> None:
    """Keep a provider's key, sealed. Raises BadInputError for what is none, or for a provider that is not there."""
    document, _ = await find_document(db, organisation_id)
    if provider not in document.get("providers", {}):
        raise BadInputError(
            f"There is no provider {provider[:63]!r} of this organisation.",
            fix="Add it to the models document first.",
        )
    if not key.strip() or len(key) > _LARGEST_KEY or not key.isprintable():
        raise BadInputError("This is no key.", fix="Paste it as the provider shows it, on one line.")
    sealed = ring.encrypt(key.strip().encode(), organisation_id=organisation_id, purpose=_purpose(provider))
    async with db.organisation(organisation_id) as connection:
        await connection.execute(query("models.store_key"), [organisation_id, provider, sealed])


async def delete_key(db: Database, organisation_id: UUID, provider: str) -> bool:
    """Forget a provider's key; whether there was one."""
    async with db.organisation(organisation_id) as connection:
        cursor = await connection.execute(query("models.delete_key"), [organisation_id, provider])
    return bool(cursor.rowcount)


async def key_names(db: Database, organisation_id: UUID) -> list[str]:
    """Which providers have a key of their own."""
    async with db.organisation(organisation_id) as connection:
        rows = await (await connection.execute(query("models.list_key_names"), [organisation_id])).fetchall()
    return [str(row[0]) for row in rows]


def file_table(path: Path | None) -> ModelTable:
    """The operator's models file; nothing when there is none. Raises ConfigurationError when it is not valid."""
    return layered(ModelTable(), read_file(path)) if path is not None else ModelTable()


def _purpose(provider: str) -> str:
    return f"provider-key:{provider}"
