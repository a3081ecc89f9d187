"""Ray Serve: the same applications as under uvicorn, hosted by replicas. The only file here that knows Ray."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from ray import serve

from jobs import ray_jobs
from jobs.handlers import handlers
from jobs.worker import WorkerOptions, run_worker
from panlect import wiring
from panlect.errors import DatabaseError
from panlect.index import models
from panlect.ledger.trace import waiting_runs
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage
from panlect.queue import QUEUES
from panlect.settings import load
from pipelines.gateway import GATEWAY, GATEWAY_APP, RemoteGateway

if TYPE_CHECKING:
    from fastapi import FastAPI
    from numpy.typing import NDArray
    from ray.serve.handle import DeploymentHandle

    from panlect.index.models import ModelSpec

log = logging.getLogger(__name__)
EMBEDDER_APP, EMBEDDER = "embedder", "Embedder"
_FRACTION = {"num_cpus": 0.1}  # logical: it places replicas, it does not bound them
_DEPTH_S = 2.0


def laptop() -> list[tuple[str, Any, str | None]]:
    """(application, its graph, its route prefix) of the profile for one machine, in the order to start them."""
    worker = Worker.options(max_ongoing_requests=4).bind(QUEUES)  # type: ignore[attr-defined]
    return [
        (EMBEDDER_APP, Embedder.bind(), None),  # type: ignore[attr-defined]
        (GATEWAY_APP, Gateway.bind(), "/llm"),  # type: ignore[attr-defined]
        ("edge", Edge.bind(), "/"),  # type: ignore[attr-defined]
        ("worker", worker, None),
    ]


class RemoteEmbedder:
    """Asks the embedder's replicas; what is passed to wiring, so that the domain sees only a function."""

    def __init__(self) -> None:
        self._handle: DeploymentHandle[Any] | None = None

    async def __call__(
        self, texts: list[str], *, spec: ModelSpec | None = None, query: bool = False
    ) -> NDArray[Any]:
        """Unit vectors of `texts`, in their order."""
        return (await self.with_key(texts, spec=spec, query=query))[0]

    async def with_key(
        self, texts: list[str], *, spec: ModelSpec | None = None, query: bool = False
    ) -> tuple[NDArray[Any], str]:
        """The same with the key of the model that made them."""
        if self._handle is None:
            self._handle = serve.get_deployment_handle(EMBEDDER, app_name=EMBEDDER_APP)
        vectors, key = await self._handle.embed.remote(texts, spec, query)
        return vectors, str(key)


@serve.deployment(
    name="Edge", ray_actor_options=_FRACTION, max_ongoing_requests=128, graceful_shutdown_timeout_s=5
)
@serve.ingress()
class Edge:
    """Every router behind one replica."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        self._services = await wiring.opened(load(), embedder=RemoteEmbedder(), gateway=RemoteGateway())

    def __serve_build_asgi_app__(self) -> FastAPI:
        from serve.app import edge

        return edge(self._services)

    async def __del__(self) -> None:
        await self._services.close()


@serve.deployment(
    name="Worker",
    ray_actor_options=_FRACTION,
    graceful_shutdown_timeout_s=30,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": 2,
        "upscale_delay_s": 5,
        "downscale_delay_s": 60,
        "policy": {"policy_function": "cluster.autoscale:queue_depth_policy"},
    },
)
class Worker:
    """The queue loop in a replica: it serves no requests, it works."""

    async def __init__(self, queues: tuple[str, ...]) -> None:  # type: ignore[misc]  # Serve awaits it
        settings = load()
        self._services = await wiring.opened(
            settings, embedder=RemoteEmbedder(), gateway=RemoteGateway(), submit_bulk=ray_jobs.submit
        )
        options = WorkerOptions.of(settings, queues)
        self._stop = asyncio.Event()
        work = run_worker(self._services.db, handlers(self._services), options, self._stop)
        self._tasks = [asyncio.create_task(work), asyncio.create_task(self._watch_depth())]
        self._depth = 0.0

    async def _watch_depth(self) -> None:
        while not self._stop.is_set():
            try:
                self._depth = await waiting_runs(self._services.db)
            except (DatabaseError, psycopg.Error):
                log.warning("The queue's depth is not known while the database is away.")
            await asyncio.sleep(_DEPTH_S)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What the autoscaling policy sees: runs that wait."""
        return {"queue_depth": self._depth}

    async def check_health(self) -> None:
        """Raises when the loop has ended: Serve then replaces the replica."""
        if self._tasks[0].done():
            raise RuntimeError("The queue loop has ended.")

    async def __del__(self) -> None:
        self._stop.set()
        self._tasks[1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._services.close()


@serve.deployment(name="Embedder", ray_actor_options=_FRACTION, max_ongoing_requests=8)
class Embedder:
    """Vectors for queries and small batches; the only replica that loads torch.

    It holds the configured model, and beside it the one that a repository is still asked with until its switch.
    """

    def __init__(self) -> None:
        settings = load()
        self._spec = wiring.embedding_spec(settings)
        self._endpoint = wiring.embedding_endpoint(settings)
        self._loaded = {self._spec: models.load(self._spec, self._endpoint)}
        self._one_at_a_time = asyncio.Lock()

    async def embed(
        self, texts: list[str], spec: ModelSpec | None = None, query: bool = False
    ) -> tuple[NDArray[Any], str]:
        """Unit vectors of `texts`, in their order, by the model of `spec`; and the key of that model."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._embed, texts, spec or self._spec, query)

    def _embed(self, texts: list[str], spec: ModelSpec, query: bool) -> tuple[NDArray[Any], str]:
        if spec not in self._loaded:
            kept = {self._spec: self._loaded[self._spec]}  # at most one more
            self._loaded = {**kept, spec: models.load(spec, self._endpoint)}
        model = self._loaded[spec]
        return model.embed(texts, query=query), model.model_id


@serve.deployment(
    name=GATEWAY, ray_actor_options=_FRACTION, max_ongoing_requests=256, graceful_shutdown_timeout_s=20
)
@serve.ingress()
class Gateway:
    """The model gateway: over HTTP for others, through a handle for our own. It alone opens providers' keys."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        self._services = await wiring.opened(load(), is_gateway=True)

    def __serve_build_asgi_app__(self) -> FastAPI:
        from serve.app import gateway

        return gateway(self._services)

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """As `Models` says."""
        return await self._services.models.chat(request, caller)

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """As `Models` says."""
        async with contextlib.aclosing(self._services.models.stream(request, caller)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
        """As `Models` says."""
        return await self._services.models.embed(model, texts, caller)

    async def named(self, role: str, organisation_id: UUID) -> str:
        """As `Models` says."""
        return await self._services.models.named(role, organisation_id)

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        """As `Models` says."""
        return await self._services.models.quote(role, usage, organisation_id)

    async def known(self, organisation_id: UUID) -> Sequence[str]:
        """As `Models` says."""
        return await self._services.models.known(organisation_id)

    async def __del__(self) -> None:
        await self._services.close()
