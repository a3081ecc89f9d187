"""Which model made a vector: other weights, another length or another prompt is another key."""

from __future__ import annotations

from pathlib import Path

import pytest

from panlect.errors import ConfigurationError
from panlect.index.models import QWEN3, ModelSpec, folder_of, key_of, load, named, weights_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.safetensors").write_bytes(b"weights")
    return tmp_path / "small"


def test_the_key_tells_weights_dimension_and_prompts_apart(folder: Path) -> None:
    spec = ModelSpec(str(folder))
    keys = {
        key_of(spec),
        key_of(ModelSpec(str(folder), 256)),
        key_of(ModelSpec(str(folder), query_prompt="query: ")),
        key_of(ModelSpec(str(folder), document_prompt="query: ")),
    }
    assert len(keys) == 4
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert key_of(spec) not in keys


def test_the_keys_of_what_is_kept_already_stay() -> None:
    assert key_of(ModelSpec("bundled")) == "all-MiniLM-L6-v2"
    assert key_of(ModelSpec("hashing")) == "hashing-384"


def test_all_weight_files_count(folder: Path) -> None:
    before = weights_digest(folder)
    (folder / "model-2.safetensors").write_bytes(b"more")
    assert weights_digest(folder) != before


def test_a_preset_brings_its_dimension_and_prompt() -> None:
    assert named("qwen3") == QWEN3
    assert (QWEN3.dimension, QWEN3.query_prompt.endswith("Query:")) == (512, True)
    assert named("qwen3", dimension=256).dimension == 256


def test_a_spec_survives_being_stored() -> None:
    assert ModelSpec.of(QWEN3.as_json()) == QWEN3


def test_a_model_that_is_not_here_is_not_fetched() -> None:
    with pytest.raises(ConfigurationError, match="nothing is downloaded"):
        folder_of(ModelSpec("Qwen/Qwen3-Embedding-0.6B"))


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model weights"):
        key_of(ModelSpec(str(tmp_path)))


def test_hashing_comes_in_any_dimension() -> None:
    embedder = load(ModelSpec("hashing", 128))
    assert (embedder.model_id, embedder.embed(["some words"]).shape) == ("hashing-128", (1, 128))
