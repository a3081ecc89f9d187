"""Keys of the operator: by name, from a folder that only the gateway mounts, else from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from panlect.errors import ConfigurationError
from panlect.llm.store import KeySource, operator_key
from panlect.llm.table import Choice, Model, Provider

HOUSE = Choice(Provider("house", "openai", key="HOUSE_KEY"), "gpt", Model())


def test_a_file_of_the_folder_comes_before_the_environment(tmp_path: Path) -> None:
    source = KeySource(tmp_path, {"HOUSE_KEY": "from the environment"})
    assert operator_key(source, HOUSE) == "from the environment"
    (tmp_path / "HOUSE_KEY").write_text("from the folder\n")
    assert operator_key(source, HOUSE) == "from the folder"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "", ".hidden", "x" * 201])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "secret").write_text("secret")
    assert KeySource(tmp_path / "keys", {name: "x"}).find(name) == ""


def test_a_missing_key_says_which_name_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Provider house has no key") as caught:
        operator_key(KeySource(tmp_path, {}), HOUSE)
    assert "HOUSE_KEY" in caught.value.why


def test_a_source_does_not_show_its_keys() -> None:
    assert "sesame" not in repr(KeySource(None, {"HOUSE_KEY": "sesame"}))
