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

_NO_RUN = UUID(int=0)  # texts come from Postgres: no node needs a mirror


@dataclass(frozen=True, slots=True)
class Change:
    """From which vectors to which."""

    spec: ModelSpec
    key: str
    switch: bool
    drop_old: bool


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
            return True, await asyncio.to_thread(_reembed, services, organisation_id, one.id, change)

        failed = await one_by_one(repositories, reembed)
    finally:
        await services.close()
    return 1 if failed else 0


def _reembed(services: Services, organisation_id: UUID, repository_id: UUID, change: Change) -> str:
    """One repository, from what is missing to the switch; in words."""
    join_cluster()
    with PostgresStore(services.db.url, organisation_id) as store:
        active = snapshots.active(store, repository_id)
        if active is None:
            return "not indexed yet"
        before = vectors.serving(store, repository_id)
        missing = vectors.missing(store, repository_id, active.id, change.key)
        source = Source(_NO_RUN, organisation_id, repository_id)
        made = embed_chunks(
            missing, change.spec, wiring.embedding_endpoint(services.settings), source, lambda _: None
        )
        model = vectors.find(store, change.key)
        if model is None:
            return "nothing to embed"
        vectors.ensure_index(store, repository_id, model)
        if not change.switch:
            return f"{made} vectors made, not switched"
        vectors.serve(store, repository_id, change.key, switch=True)
        if not change.drop_old or before is None or before.key == change.key:
            return f"{made} vectors made, switched to {change.key}"
        dropped = vectors.drop(store, repository_id, before.key)
        return f"{made} vectors made, switched to {change.key}, {dropped} of {before.key} dropped"


if __name__ == "__main__":
    raise SystemExit(main())
