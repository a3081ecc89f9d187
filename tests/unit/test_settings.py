"""Settings are read once, frozen; a wrong one is named with its fix, a secret one never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from panlect.errors import ConfigurationError
from panlect.settings import Settings, is_secret, known_variables, load, shown, variable


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in known_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("PANLECT_DATADIR", "PANLECT_DATA_DIR"),
        ("PANLECT_LOGLEVEL", "PANLECT_LOG_LEVEL"),
        ("PANLECT_SECRET_KEYS", "PANLECT_SECRET_KEY"),
        ("PANLECT_SECRETKEY_FILE", "PANLECT_SECRET_KEY_FILE"),
        ("PANLECT_data_dir", "PANLECT_DATA_DIR"),
        ("PANLECT_PORT_FILE", "PANLECT_PORT"),  # no secret: it has no file
    ],
)
def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch, name: str, near: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Unknown setting {name}") as caught:
        load({name: "x"})
    assert near in caught.value.fix


def test_variables_of_others_are_left_alone() -> None:
    load({"PATH": "/bin", "PANLECTED": "x", "MY_PANLECT_PORT": "x"})


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_PORT", "9000")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/x")
    monkeypatch.setenv("PANLECT_EGRESS_ALLOW", '["forge.lan", "127.0.0.1:8400"]')
    found = load()
    assert (found.port, found.egress_allow) == (9000, ("forge.lan", "127.0.0.1:8400"))
    assert found.database_url is not None
    assert found.database_url.get_secret_value() == "postgresql://db/x"


@pytest.mark.parametrize("name", ["NO_PROXY", "PANLECT_EGRESS_NO_PROXY"])
@pytest.mark.parametrize("value", ["a.example, .corp.example,", '["a.example", ".corp.example"]'])
def test_the_usual_names_of_a_proxy_are_understood(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter22@proxy.example:3128")
    monkeypatch.setenv(name, value)
    found = load()
    assert found.egress_no_proxy == ("a.example", ".corp.example")
    assert found.reveal("egress_proxy") == "http://user:hunter22@proxy.example:3128"
    assert "hunter22" not in repr(found)
    monkeypatch.setenv("PANLECT_EGRESS_PROXY", "http://ours.example:3128")
    assert load().reveal("egress_proxy") == "http://ours.example:3128"
    monkeypatch.setenv("PANLECT_EGRESS_NO_PROXY", "[no list")
    with pytest.raises(ConfigurationError, match="PANLECT_EGRESS_NO_PROXY"):
        load()


def test_an_argument_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_PORT", "9000")
    assert load(port=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PANLECT_PORT", "0"),
        ("PANLECT_PORT", "65536"),
        ("PANLECT_PORT", "http"),
        ("PANLECT_POOL_SIZE", "0"),
        ("PANLECT_LEASE_S", "0"),
        ("PANLECT_LEASE_S", "-1"),
        ("PANLECT_LOG_JSON", "perhaps"),
        ("PANLECT_WEBHOOK_MAX_BYTES", "10"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        load()
    assert "config show" in caught.value.fix


def test_nothing_changes_once_it_is_read() -> None:
    with pytest.raises(ValidationError):
        load().port = 1


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("c2VjcmV0\n")
    (tmp_path / "url").write_text("postgresql://db/x\n")
    found = load(
        {"PANLECT_SECRET_KEY_FILE": str(tmp_path / "key"), "DATABASE_URL_FILE": str(tmp_path / "url")}
    )
    assert found.secret_key == SecretStr("c2VjcmV0")
    assert found.database_url == SecretStr("postgresql://db/x")


def test_the_variable_itself_comes_before_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from the file")
    monkeypatch.setenv("PANLECT_SECRET_KEY", "from the variable")
    monkeypatch.setenv("PANLECT_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert load().secret_key == SecretStr("from the variable")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="PANLECT_SECRET_KEY_FILE cannot be read"):
        load({"PANLECT_SECRET_KEY_FILE": str(path)})


def test_a_wrong_secret_is_not_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_PORT", "hunter22")
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert "hunter22" not in str(caught.value)


def test_every_setting_is_shown_with_its_meaning_and_no_secret() -> None:
    rows = shown(load(secret_key="hunter22", bootstrap_token="hunter22"))
    assert "hunter22" not in str(rows)
    values = {name: value for name, value, _ in rows}
    assert (values["PANLECT_SECRET_KEY"], values["PANLECT_RAY_TOKEN"]) == ("****", "")
    assert values["PANLECT_PORT"] == "8000"
    assert len(rows) == len(Settings.model_fields)
    assert all(meaning.endswith(".") or meaning.endswith(").") for _, _, meaning in rows)


def test_secrets_are_not_in_a_repr() -> None:
    assert "hunter22" not in repr(load(secret_key="hunter22", DATABASE_URL="postgresql://u:hunter22@db/x"))


def test_every_secret_and_nothing_else_can_be_a_file() -> None:
    files = {name for name in known_variables() if name.endswith("_FILE")}
    secrets = {variable(field) for field in Settings.model_fields if is_secret(field)}
    assert {f"{name}_FILE" for name in secrets} <= files
    assert "PANLECT_PORT_FILE" not in files
