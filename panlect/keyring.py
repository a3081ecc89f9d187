"""Secrets at rest: AES-GCM under a ring of keys, bound to the organisation and the purpose they are for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from panlect.errors import ConfigurationError, SecretKeyError

_KEY_BYTES = 32
_NONCE_BYTES = 12  # 96 bits, random: safe for some 2^32 secrets under one key
_KEY_ID_BYTES = 8
_VERSION = b"\x01"
_FIX = "Put the key that wrote it back into PANLECT_SECRET_KEY (or the key file); newest first."


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys, newest first: the first one encrypts, every one decrypts."""

    keys: tuple[bytes, ...] = field(repr=False)

    def encrypt(self, clear: bytes, *, organisation_id: UUID, purpose: str) -> bytes:
        """The secret as it may lie in the database: version, key id, nonce, ciphertext."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self.keys[0]
        head = _VERSION + _key_id(key)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return head + nonce + AESGCM(key).encrypt(nonce, clear, _bound(head, organisation_id, purpose))

    def decrypt(self, sealed: bytes, *, organisation_id: UUID, purpose: str) -> bytes:
        """The secret again. Raises SecretKeyError when it was written with a key that is not at hand, was
        changed, or belongs to another organisation or purpose."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head, nonce, body = _split(sealed)
        key = next((key for key in self.keys if _key_id(key) == head[1:]), None)
        if key is None:
            raise SecretKeyError("A secret was written with a key that is not here.", fix=_FIX)
        try:
            return AESGCM(key).decrypt(nonce, body, _bound(head, organisation_id, purpose))
        except InvalidTag:
            raise SecretKeyError(
                "A secret does not open.",
                why="It was changed, or belongs to another organisation or purpose.",
                fix="Enter it again.",
            ) from None

    def rotate(self, sealed: bytes, *, organisation_id: UUID, purpose: str) -> bytes:
        """The same secret under the newest key; unchanged when it is already."""
        if _split(sealed)[0][1:] == _key_id(self.keys[0]):
            return sealed
        clear = self.decrypt(sealed, organisation_id=organisation_id, purpose=purpose)
        return self.encrypt(clear, organisation_id=organisation_id, purpose=purpose)


def parse(text: str) -> Keyring:
    """The ring that a setting spells: base64 keys of 32 bytes, newest first, comma or line separated.

    Raises ConfigurationError, without repeating what it was given.
    """
    keys = tuple(_parse_one(part) for part in text.replace("\n", ",").split(",") if part.strip())
    if not keys:
        raise ConfigurationError("There is no key to encrypt secrets with.", fix=_how_to_make_one())
    return Keyring(keys)


def load(setting: str | None, key_file: Path) -> Keyring:
    """The ring of the setting, else of the key file, which is made (0600) when it is not there yet.

    Raises ConfigurationError when either is not a ring, or the file cannot be read or made.
    """
    if setting:
        return parse(setting)
    try:
        return parse(_made_file(key_file))
    except OSError as error:
        raise ConfigurationError(
            f"The key file {key_file} cannot be used.", why=str(error), fix="Set PANLECT_SECRET_KEY instead."
        ) from None


def new_key() -> str:
    """A fresh key as a setting spells it."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _made_file(path: Path) -> str:
    """The file's text. Of several first starts one makes it: it appears whole, under its name, or not."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(making, path)  # unlike a rename, this never replaces the key of a faster process
        except FileExistsError:
            pass
        finally:
            making.unlink()
    return path.read_text()


def _parse_one(part: str) -> bytes:
    try:
        key = base64.b64decode(part.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError("A secret key is not 32 bytes in base64.", fix=_how_to_make_one())
    return key


def _how_to_make_one() -> str:
    return "Make one with `openssl rand -base64 32`."


def _key_id(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_KEY_ID_BYTES, person=b"panlect-key-id").digest()


def _bound(head: bytes, organisation_id: UUID, purpose: str) -> bytes:
    """What a ciphertext is tied to: moved to another row, it does not open."""
    return head + organisation_id.bytes + purpose.encode()


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    head_size = 1 + _KEY_ID_BYTES
    if len(sealed) < head_size + _NONCE_BYTES + 16 or sealed[:1] != _VERSION:
        raise SecretKeyError("This is no secret of ours.", fix="Enter it again.")
    return (
        sealed[:head_size],
        sealed[head_size : head_size + _NONCE_BYTES],
        sealed[head_size + _NONCE_BYTES :],
    )
