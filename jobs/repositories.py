"""Which repositories a job is about: the options of its command line, and one repository after the other."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from panlect.db.sql import query
from panlect.errors import BadInputError, PanlectError
from panlect.wiring import Services

MOST_IN_FLIGHT = 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    organisation: str
    full_name: str  # "" for every repository
    shard: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class ConnectedRepository:
    """A repository to work on."""

    id: UUID
    connection_id: UUID
    full_name: str


class StuckError(PanlectError):
    """What was begun for a repository could not be ended: beside it nothing else may begin."""


def add_options(parser: argparse.ArgumentParser) -> Any:
    """Add the options that name repositories; the group of those of which one must be given."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--repo", metavar="OWNER/NAME", help="one connected repository")
    what.add_argument("--all", action="store_true", help="every connected repository")
    parser.add_argument(
        "--shard",
        type=shard_of,
        default=(0, 1),
        metavar="I/N",
        help="with --all: the I-th of N parts, from 0",
    )
    parser.add_argument("--organisation", default="default", metavar="SLUG", help="whose repositories")
    return what


def wanted_of(given: argparse.Namespace) -> Wanted:
    """What the options of `add_options` say."""
    shard, of = given.shard
    return Wanted(given.organisation, given.repo or "", shard, of)


def shard_of(text: str) -> tuple[int, int]:
    """`0/4` as (0, 4). Raises ArgumentTypeError for anything else."""
    part, _, of = text.partition("/")
    if not (part.isdigit() and of.isdigit() and int(part) < int(of)):
        raise argparse.ArgumentTypeError(f"{text!r} is no shard: give I/N with I from 0 to N-1, as in 0/4")
    return int(part), int(of)


def in_flight_of(text: str) -> int:
    """How many requests may be open. Raises ArgumentTypeError for what is no number from 1 to 1024."""
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_IN_FLIGHT):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 1 to {MOST_IN_FLIGHT}")
    return int(text)


async def connected(services: Services, wanted: Wanted) -> tuple[UUID, Sequence[ConnectedRepository]]:
    """The organisation and its repositories that are meant. Raises BadInputError when there are none such."""
    async with services.db.system() as connection:
        cursor = await connection.execute(query("index.find_organisation"), {"slug": wanted.organisation})
        row = await cursor.fetchone()
    if row is None or row[0] is None:
        raise BadInputError(
            f"There is no organisation {wanted.organisation!r}.", fix="Give its slug with --organisation."
        )
    values = {
        "organisation_id": row[0],
        "full_name": wanted.full_name,
        "shard": wanted.shard,
        "of": wanted.of,
    }
    async with services.db.organisation(row[0]) as connection:
        rows = await (await connection.execute(query("index.repositories"), values)).fetchall()
    if not rows and wanted.full_name:
        raise BadInputError(
            f"{wanted.full_name} is not connected.", fix="Connect it first: POST /api/v1/repositories."
        )
    return row[0], [ConnectedRepository(*one) for one in rows]


async def one_by_one(
    repositories: Sequence[ConnectedRepository],
    work: Callable[[ConnectedRepository], Awaitable[tuple[bool, str]]],
) -> int:
    """Do `work` for each and print what it says; how many failed.

    A repository whose host is away fails by itself, and the others are worked on; a StuckError ends them all.
    """
    failed = 0
    for number, one in enumerate(repositories, start=1):
        head = f"[{number}/{len(repositories)}] {one.full_name}"
        print(head, flush=True)
        try:
            good, said = await work(one)
        except StuckError as error:
            print(f"{head}: failed {error}", flush=True)
            return failed + len(repositories) - number + 1
        except PanlectError as error:
            good, said = False, f"failed {error}"
        print(f"{head}: {said}".rstrip(), flush=True)
        failed += not good
    return failed
