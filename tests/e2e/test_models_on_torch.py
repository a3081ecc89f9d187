"""Models that torch runs: the packaged one, and the same as any folder, cut to fewer numbers and with a prompt."""

from __future__ import annotations

import numpy as np
import pytest

from panlect.errors import ConfigurationError
from panlect.index.minilm import SentenceModel, bundled_folder
from panlect.index.models import BUNDLED, ModelSpec, key_of, load

TEXTS = ["def capture_payment(order): ...", "def parse_header(line): ...", "def render_template(name): ..."]


@pytest.fixture(scope="module")
def bundled() -> SentenceModel:
    return SentenceModel(ModelSpec(BUNDLED))


def test_the_packaged_model_finds_what_is_meant(bundled: SentenceModel) -> None:
    vectors = bundled.embed(TEXTS)
    assert (vectors.shape, bundled.dimension) == ((3, 384), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    asked = bundled.embed(["take money for an order"], query=True)[0]
    assert int(np.argmax(vectors @ asked)) == 0


def test_a_folder_may_be_cut_to_fewer_numbers(bundled: SentenceModel) -> None:
    spec = ModelSpec(str(bundled_folder()), 128)
    cut = load(spec)
    assert (cut.embed(TEXTS).shape, cut.dimension) == ((3, 128), 128)
    assert cut.model_id == key_of(spec) != bundled.model_id
    whole = bundled.embed(TEXTS)[:, :128]
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    assert np.allclose(cut.embed(TEXTS), whole, atol=0.02)


def test_a_query_prompt_is_for_queries_alone(bundled: SentenceModel) -> None:
    prompted = load(ModelSpec(str(bundled_folder()), query_prompt="Represent this question: "))
    assert np.allclose(prompted.embed(TEXTS[:1]), bundled.embed(TEXTS[:1]), atol=0.02)
    assert not np.allclose(prompted.embed(TEXTS[:1], query=True), bundled.embed(TEXTS[:1]), atol=0.02)


def test_more_numbers_than_a_model_has_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="PANLECT_EMBED_DIMENSION"):
        load(ModelSpec(str(bundled_folder()), 1000))
