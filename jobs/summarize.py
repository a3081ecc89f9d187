"""Summaries as a Ray job: `ray job submit ... -- python -m jobs.summarize --repo OWNER/NAME | --all --in-flight 64`.

What is described already costs nothing, so a job that is killed goes on where it was. Without a model everything is
taken out of the code itself, right here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from uuid import UUID

from jobs.by_hand import work_off_run
from jobs.handlers import studio_of
from jobs.ray_jobs import join_cluster
from jobs.repositories import (
    MOST_IN_FLIGHT,
    ConnectedRepository,
    Wanted,
    add_options,
    connected,
    in_flight_of,
    one_by_one,
    wanted_of,
)
from panlect import wiring
from panlect.errors import PanlectError
from panlect.ledger.runs import Lease, RunStatus
from panlect.llm.chat import Caller, Models
from panlect.llm.nobody import Nobody
from panlect.settings import load
from panlect.summaries.hosted import Studio, queue_summaries, summarize_commit
from panlect.summaries.run import Ask
from panlect.wiring import Services
from pipelines.bulk_summarize import GROUP, ask_with_ray
from pipelines.gateway import RemoteGateway


def main(arguments: list[str] | None = None) -> int:
    """Summarise what is asked for; 0 when all of it is described."""
    given = _parser().parse_args(arguments)
    try:
        return asyncio.run(_summarize_all(wanted_of(given), given.in_flight))
    except PanlectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.summarize",
        description="Describe repositories in bulk on this Ray cluster: what is described already costs nothing.",
    )
    add_options(parser)
    parser.add_argument(
        "--in-flight",
        type=in_flight_of,
        default=32,
        metavar="N",
        help=f"requests that are open at a time, at most {MOST_IN_FLIGHT}",
    )
    return parser


async def _summarize_all(wanted: Wanted, in_flight: int) -> int:
    """Each repository as a run of its own, worked on here, one after the other."""
    join_cluster()
    gateway = RemoteGateway()
    if not gateway.is_there():
        print("model: none. No gateway runs in this cluster; the code speaks for itself.", file=sys.stderr)
    services = await wiring.opened(load(), gateway=gateway if gateway.is_there() else Nobody())
    studio = replace(studio_of(services), in_flight=in_flight, ask_with=_ask, group=GROUP)
    try:
        organisation_id, repositories = await connected(services, wanted)

        async def summarize(one: ConnectedRepository) -> tuple[bool, str]:
            status, said = await _summarize_one(services, studio, organisation_id, one)
            return status is RunStatus.DONE, f"{status} {said}"

        failed = await one_by_one(repositories, summarize)
    finally:
        await services.close()
    return 1 if failed else 0


def _ask(models: Models, caller: Caller, in_flight: int) -> Ask:
    return ask_with_ray(RemoteGateway, caller, in_flight, models)


async def _summarize_one(
    services: Services, studio: Studio, organisation_id: UUID, one: ConnectedRepository
) -> tuple[RunStatus, str]:
    """A run for the commit that is searched, worked on under a lease; one that a worker took first is waited for."""
    run_id = await queue_summaries(studio, organisation_id, one.id, cause="job", again=True)
    if run_id is None:
        return RunStatus.DONE, "not indexed yet"

    async def execute(lease: Lease) -> None:
        await summarize_commit(studio, lease)

    late = PanlectError(
        f"Other summaries of {one.full_name} did not end.",
        fix="See GET /api/v1/runs?kind=summarize; cancel the run, or start a worker.",
    )
    ended = await work_off_run(services, organisation_id, run_id, execute, late)
    said = ended.detail
    told = f"{said.get('summaries', 0)} summaries by {said.get('model')}"
    told += f", {said.get('made', 0)} made, {said.get('calls', 0)} calls"
    return ended.status, ended.reason or said.get("skipped") or told


if __name__ == "__main__":
    raise SystemExit(main())
