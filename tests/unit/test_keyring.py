"""The key ring: a secret opens with its key, for its organisation and purpose, and in no other way."""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from panlect import keyring
from panlect.errors import ConfigurationError, SecretKeyError

ORG = UUID(int=1)


def test_a_secret_opens_again() -> None:
    ring = keyring.parse(keyring.new_key())
    sealed = ring.encrypt(b"token", organisation_id=ORG, purpose="forge token")
    assert b"token" not in sealed
    assert ring.decrypt(sealed, organisation_id=ORG, purpose="forge token") == b"token"


def test_the_same_secret_never_looks_the_same_twice() -> None:
    ring = keyring.parse(keyring.new_key())
    sealed = {ring.encrypt(b"token", organisation_id=ORG, purpose="p") for _ in range(50)}
    assert len(sealed) == 50


@pytest.mark.parametrize(("organisation_id", "purpose"), [(uuid4(), "forge token"), (ORG, "webhook secret")])
def test_a_secret_moved_to_another_row_does_not_open(organisation_id: UUID, purpose: str) -> None:
    ring = keyring.parse(keyring.new_key())
    sealed = ring.encrypt(b"token", organisation_id=ORG, purpose="forge token")
    with pytest.raises(SecretKeyError, match="another organisation or purpose"):
        ring.decrypt(sealed, organisation_id=organisation_id, purpose=purpose)


def test_no_changed_bit_goes_unnoticed() -> None:
    ring = keyring.parse(keyring.new_key())
    sealed = ring.encrypt(b"t", organisation_id=ORG, purpose="p")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SecretKeyError):
            ring.decrypt(bytes(changed), organisation_id=ORG, purpose="p")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"token", b"\x01" * 36])
def test_what_is_no_ciphertext_is_refused(sealed: bytes) -> None:
    with pytest.raises(SecretKeyError):
        keyring.parse(keyring.new_key()).decrypt(sealed, organisation_id=ORG, purpose="p")


def test_the_newest_key_encrypts_and_every_key_decrypts_until_all_is_rotated() -> None:
    old, new = keyring.new_key(), keyring.new_key()
    sealed = keyring.parse(old).encrypt(b"token", organisation_id=ORG, purpose="p")
    both = keyring.parse(f"{new},{old}")
    assert both.decrypt(sealed, organisation_id=ORG, purpose="p") == b"token"
    rotated = both.rotate(sealed, organisation_id=ORG, purpose="p")
    assert both.rotate(rotated, organisation_id=ORG, purpose="p") == rotated
    assert keyring.parse(new).decrypt(rotated, organisation_id=ORG, purpose="p") == b"token"
    with pytest.raises(SecretKeyError, match="a key that is not here"):
        keyring.parse(new).decrypt(sealed, organisation_id=ORG, purpose="p")


@pytest.mark.parametrize("text", ["", " , ", "short", "A" * 44, "not base64 at all!"])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        keyring.parse(text)
    assert not text.strip(" ,") or text not in str(caught.value)
    assert "openssl rand" in caught.value.fix


def test_a_ring_does_not_show_its_keys() -> None:
    ring = keyring.parse(keyring.new_key())
    assert repr(ring) == "Keyring()"


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secret.key"
    first = keyring.load(None, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyring.load(None, path) == first
    assert list(path.parent.iterdir()) == [path]


def test_first_starts_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    rings: list[keyring.Keyring] = []
    threads = [
        threading.Thread(target=lambda: rings.append(keyring.load(None, tmp_path / "secret.key")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ring.keys for ring in rings}) == 1
    assert len(rings) == 8


def test_a_setting_comes_before_the_file(tmp_path: Path) -> None:
    setting = keyring.new_key()
    assert keyring.load(setting, tmp_path / "secret.key") == keyring.parse(setting)
    assert not (tmp_path / "secret.key").exists()


def test_a_key_file_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        keyring.load(None, tmp_path / "file" / "secret.key")
