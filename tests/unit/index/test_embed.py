"""The embedder without a model: deterministic, unit length, near for shared words."""

from __future__ import annotations

import numpy as np
import pytest

from panlect.index.embed import HashingEmbedder


def test_vectors_have_unit_length_and_a_text_without_words_none() -> None:
    vectors = HashingEmbedder().embed(["capture the order", "refund", "", "!!"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0])


def test_the_same_text_gives_the_same_vector_in_every_process() -> None:
    vector = HashingEmbedder().embed(["capture"])[0]
    assert (
        np.flatnonzero(vector).tolist() == np.flatnonzero(HashingEmbedder().embed(["captures"])[0]).tolist()
    )


def test_shared_words_are_near() -> None:
    query, near, far = HashingEmbedder().embed(["retry a task", "tasks are retried later", "draw a circle"])
    assert query @ near > query @ far


def test_nothing_to_embed_is_no_row() -> None:
    assert HashingEmbedder().embed([]).shape == (0, 384)


def test_a_word_said_often_counts_with_the_root_of_its_number() -> None:
    many, once = HashingEmbedder().embed(["alpha alpha alpha alpha beta", "beta"])
    assert many @ once == pytest.approx(1 / 5**0.5)
