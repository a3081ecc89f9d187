"""Repositories one after the other: what one of them cannot do is no matter of the others."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from uuid import UUID

import pytest

from jobs.repositories import (
    ConnectedRepository,
    StuckError,
    Wanted,
    add_options,
    in_flight_of,
    one_by_one,
    shard_of,
    wanted_of,
)
from panlect.errors import ForgeUnavailableError

pytestmark = pytest.mark.anyio
SHOP, DEAD, BLOG = (
    ConnectedRepository(UUID(int=number), UUID(int=9), name)
    for number, name in enumerate(("acme/shop", "acme/dead", "acme/blog"))
)


async def test_a_host_that_is_away_fails_its_own_repository_alone(capsys: pytest.CaptureFixture[str]) -> None:
    async def work(one: ConnectedRepository) -> tuple[bool, str]:
        if one is DEAD:
            raise ForgeUnavailableError("https://forge.test does not answer.")
        return True, "done"

    assert await one_by_one([SHOP, DEAD, BLOG], work) == 1
    said = capsys.readouterr().out
    assert "[2/3] acme/dead: failed https://forge.test does not answer." in said
    assert "[3/3] acme/blog: done" in said


async def test_one_that_cannot_be_ended_ends_them_all() -> None:
    begun = []

    async def work(one: ConnectedRepository) -> tuple[bool, str]:
        begun.append(one)
        if one is DEAD:
            raise StuckError("It goes on.")
        return False, "failed"

    assert await one_by_one([SHOP, DEAD, BLOG], work) == 3
    assert begun == [SHOP, DEAD]


def test_every_job_names_repositories_alike() -> None:
    parser = ArgumentParser()
    add_options(parser)
    given = parser.parse_args(["--all", "--shard", "1/4", "--organisation", "acme"])
    assert wanted_of(given) == Wanted("acme", "", 1, 4)
    assert wanted_of(parser.parse_args(["--repo", "acme/shop"])) == Wanted("default", "acme/shop", 0, 1)
    for wrong in ("4/4", "-1/4", "1", "a/b", ""):
        with pytest.raises(ArgumentTypeError, match="no shard"):
            shard_of(wrong)


@pytest.mark.parametrize("text", ["0", "-1", "1025", "many", "", "1.5", "²", "9" * 100])
def test_a_number_of_open_requests_that_cannot_be_is_refused_in_words(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no number from 1 to 1024"):
        in_flight_of(text)


def test_one_and_the_most_requests_may_be_open() -> None:
    assert [in_flight_of("1"), in_flight_of("1024")] == [1, 1024]
