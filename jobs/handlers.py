"""What the queue's tasks call: one function a kind of run, with the services of this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from jobs.tasks import Handlers
from panlect.errors import PanlectError
from panlect.inbox import StoredDelivery
from panlect.index.cache import BlobCache
from panlect.ledger.runs import Lease, RunKind
from panlect.metrics import RUNS
from panlect.redact import log_ids
from panlect.review.pull_request import Workshop, publish_review, review_pull_request
from panlect.review.sync import sync
from panlect.wiring import Services

Execute = Callable[[Lease], Awaitable[object]]


def handlers(services: Services) -> Handlers:
    """The handlers of this process; node-local caches are opened now."""
    shop = Workshop(
        db=services.db,
        connections=services.connections,
        mirrors=services.mirrors,
        store=BlobCache(services.settings.data_dir / "cache", max_bytes=services.settings.cache_max_bytes),
        public_url=services.public_url,
        metrics=services.metrics,
    )
    kinds: Mapping[RunKind, Execute] = {
        RunKind.REVIEW: lambda lease: review_pull_request(shop, lease),
        RunKind.PUBLISH: lambda lease: publish_review(shop, lease),
    }

    async def sync_pull_request(delivery: StoredDelivery) -> None:
        with log_ids(delivery=delivery.delivery_id):
            await sync(services.db, services.connections, delivery)

    async def execute_run(lease: Lease) -> None:
        run = lease.run
        execute = kinds.get(run.kind)
        if execute is None:
            raise PanlectError(f"No worker knows runs of kind {run.kind}.", fix="Update Panlect.")
        with log_ids(run=str(run.id), organisation=str(run.organisation_id)):
            await execute(lease)
        services.metrics.count(RUNS, kind=run.kind.value, outcome="done")

    return Handlers(sync_pull_request, execute_run)
