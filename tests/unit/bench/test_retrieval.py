"""Recall and rank are what their names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.retrieval import Quality, mean, named, quality


def test_recall_is_the_share_of_the_true_ones_and_rank_that_of_the_first() -> None:
    found = quality([("abcdefghijk", "bk"), ("xyz", "x")])
    assert found == Quality(2, (0.5 + 1) / 2, (0.5 + 1) / 2, (1 / 2 + 1) / 2)


def test_the_tenth_counts_and_the_eleventh_does_not() -> None:
    assert quality([("abcdefghijk", "j")]).r10 == 1.0
    assert quality([("abcdefghijk", "k")]).r10 == 0.0


def test_nothing_found_is_nothing() -> None:
    assert quality([([], "a")]) == Quality(1, 0.0, 0.0, 0.0)
    assert quality([]).n == quality([("a", "")]).n == 0


def test_the_mean_counts_each_repository_the_same() -> None:
    found = mean([Quality(1, 1.0, 1.0, 1.0), Quality(99, 0.5, 0.6, 0.7)])
    assert (found.n, found.r5, found.r10, found.mrr) == (100, 0.75, 0.8, 0.85)
    assert mean([]) == Quality(0, 0.0, 0.0, 0.0)


def test_figures_are_rounded_under_the_usual_names() -> None:
    assert Quality(3, 2 / 3, 1.0, 0.5).as_json() == {"n": 3, "R@5": 0.6667, "R@10": 1.0, "MRR": 0.5}


@pytest.mark.parametrize(
    ("given", "name", "path"),
    [("/a/shop", "shop", "/a/shop"), ("shop=/a/b", "shop", "/a/b")],
)
def test_a_path_may_have_a_name(given: str, name: str, path: str) -> None:
    assert named([given]) == {name: Path(path)}
