"""Named queries: found by file and name, each with its reason."""

from __future__ import annotations

import pytest

from panlect.db import sql


@pytest.mark.parametrize("name", sql.names())
def test_a_query_begins_with_the_line_that_says_why(name: str) -> None:
    assert sql.query(name).startswith("-- ")


@pytest.mark.parametrize("name", ["runs.nothing", "runs", ""])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises((KeyError, FileNotFoundError)):
        sql.query(name)
