"""Errors cross processes: what a replica raises must be what its caller sees."""

from __future__ import annotations

import pickle

import pytest

from panlect import errors


def leaves(kind: type[errors.PanlectError]) -> list[type[errors.PanlectError]]:
    return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]


@pytest.mark.parametrize("kind", [k for k in leaves(errors.PanlectError) if k.__module__ == errors.__name__])
def test_an_error_comes_out_of_a_pickle_as_it_went_in(kind: type[errors.PanlectError]) -> None:
    error = kind("what", why="why")
    error.__dict__["fix"] = "fix"
    again = pickle.loads(pickle.dumps(error))  # our own bytes
    assert type(again) is kind
    assert (str(again), again.__dict__) == (str(error), error.__dict__)
