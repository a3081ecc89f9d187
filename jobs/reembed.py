"""`ray job submit ... -- python -m jobs.reembed --model NAME --repo OWNER/NAME | --all`: another embedding model.

The vectors of the new model fill in beside the old ones, which are searched until all are there. Then each
repository is switched in one transaction; `--drop-old` forgets the old vectors afterwards. A job that is killed
goes on where it was: a vector that is there is not made again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from jobs.ray_jobs import join_cluster
from jobs.repositories import ConnectedRepository, Wanted, add_options, connected, one_by_one, wanted_of
from panlect import wiring
from panlect.errors import PanlectError
from panlect.index import models, snapshots, vectors
from panlect.index.models import ModelSpec
from panlect.index.store import PostgresStore
from panlect.settings import load
from panlect.wiring import Services
from pipelines.bulk_index import Source, embed_chunks

_ROUNDS = 5
_NO_RUN = UUID(int=0)  # texts come from Postgres: no node needs a mirror


@dataclass(frozen=True, slots=True)
class Change:
    """From which vectors to which."""

    spec: ModelSpec
    key: str
    switch: bool
    drop_old: bool


class Filled(NamedTuple):
    """How many vectors were made, and how many are missing still."""

    made: int
    left: int


def main(arguments: list[str] | None = None) -> int:
    """Re-embed what is asked for; 0 when all of it is done."""
    given = _parser().parse_args(arguments)
    spec = models.named(
        given.model,
        dimension=given.dimension,
        query_prompt=given.query_prompt,
        document_prompt=given.document_prompt,
    )
    try:
        change = Change(spec, models.key_of(spec), not given.no_switch, given.drop_old)
        return asyncio.run(_reembed_all(wanted_of(given), change))
    except PanlectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.reembed",
        description="Embed what is indexed with another model, and switch searches to it when all is there. "
        "Set PANLECT_EMBED_MODEL to the same model, so that new commits are embedded with it too.",
    )
    parser.add_argument(
        "--model", required=True, help="as PANLECT_EMBED_MODEL: bundled, qwen3, a folder, endpoint:MODEL"
    )
    parser.add_argument("--dimension", type=int, default=0, help="numbers of a vector; 0: the model's own")
    parser.add_argument("--query-prompt", default="", help="what the model wants before a query")
    parser.add_argument("--document-prompt", default="", help="what the model wants before code")
    add_options(parser)
    parser.add_argument(
        "--no-switch", action="store_true", help="only fill in; search goes on with the old vectors"
    )
    parser.add_argument(
        "--drop-old", action="store_true", help="forget the vectors of the model that was searched"
    )
    return parser


async def _reembed_all(wanted: Wanted, change: Change) -> int:
    services = await wiring.opened(load())
    try:
        organisation_id, repositories = await connected(services, wanted)

        async def reembed(one: ConnectedRepository) -> tuple[bool, str]:
            return await asyncio.to_thread(_reembed, services, organisation_id, one.id, change)

        failed = await one_by_one(repositories, reembed)
    finally:
        await services.close()
    return 1 if failed else 0


def _reembed(
    services: Services, organisation_id: UUID, repository_id: UUID, change: Change
) -> tuple[bool, str]:
    """One repository, from what is missing to the switch: whether that is done, and in words."""
    join_cluster()
    with PostgresStore(services.db.url, organisation_id) as store:
        if snapshots.active(store, repository_id) is None:
            return True, "not indexed yet"
        before = vectors.serving(store, repository_id)

        def fill() -> Filled:
            return _fill(store, Source(_NO_RUN, organisation_id, repository_id), change)

        made, left = fill()
        model = vectors.find(store, change.key)
        if model is None:
            return True, "nothing to embed"
        vectors.ensure_index(store, repository_id, model)
        if not change.switch:
            return not left, f"{made} vectors made, not switched{_lacking(left)}"
        more, left = fill()  # of what was pushed while all that went on
        made += more
        if left:
            return False, f"{made} vectors made, not switched{_lacking(left)}"
        vectors.serve(store, repository_id, change.key, switch=True)
        more, left = fill()  # a commit activated since the last look was embedded by the old model alone
        said = f"{made + more} vectors made, switched to {change.key}{_lacking(left)}"
        if left or not change.drop_old or before is None or before.key == change.key:
            return not left, said
        dropped = vectors.drop(store, repository_id, before.key)
        return True, f"{said}, {dropped} of {before.key} dropped"


def _fill(store: PostgresStore, source: Source, change: Change) -> Filled:
    """Make what the active commit lacks, until it lacks nothing: it may be another one each time."""
    made = 0
    missing = _missing(store, source.repository_id, change)
    for _ in range(_ROUNDS):
        if not missing:
            break
        made += embed_chunks(missing, change.spec, source, lambda _: None)
        missing = _missing(store, source.repository_id, change)
    return Filled(made, len(missing))


def _missing(store: PostgresStore, repository_id: UUID, change: Change) -> list[tuple[bytes, str]]:
    active = snapshots.active(store, repository_id)
    return vectors.missing(store, repository_id, active.id, change.key) if active else []


def _lacking(left: int) -> str:
    return (
        f": {left} chunks still lack one, commits come faster than their vectors; run this again"
        if left
        else ""
    )


if __name__ == "__main__":
    raise SystemExit(main())
