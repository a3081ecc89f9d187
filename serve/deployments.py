"""Ray Serve: the same applications as under uvicorn, hosted by replicas. The only file here that knows Ray."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ray import serve

from panlect import wiring
from panlect.settings import Settings, load

if TYPE_CHECKING:
    from fastapi import FastAPI
    from numpy.typing import NDArray
    from ray.serve.handle import DeploymentHandle

EMBEDDER_APP, EMBEDDER = "embedder", "Embedder"
_FRACTION = {"num_cpus": 0.1}  # logical: it places replicas, it does not bound them
_WORKER_QUEUES = ("webhook", "index", "review", "publish", "summarize", "jobs")


def laptop(settings: Settings) -> list[tuple[str, Any, str | None]]:
    """(application, its graph, its route prefix) of the profile for one machine, in the order to start them."""
    worker = Worker.options(max_ongoing_requests=4).bind(_WORKER_QUEUES)  # type: ignore[attr-defined]
    return [
        (EMBEDDER_APP, Embedder.bind(settings.embed_model), None),  # type: ignore[attr-defined]
        ("gateway", Gateway.bind(), "/llm"),  # type: ignore[attr-defined]
        ("edge", Edge.bind(), "/"),  # type: ignore[attr-defined]
        ("worker", worker, None),
    ]


class RemoteEmbedder:
    """Asks the embedder's replicas; what is passed to wiring, so that the domain sees only a function."""

    def __init__(self) -> None:
        self._handle: DeploymentHandle | None = None

    async def __call__(self, texts: list[str]) -> NDArray[Any]:
        """Unit vectors of `texts`, in their order."""
        if self._handle is None:
            self._handle = serve.get_deployment_handle(EMBEDDER, app_name=EMBEDDER_APP)
        return await self._handle.embed.remote(texts)


@serve.deployment(
    name="Edge", ray_actor_options=_FRACTION, max_ongoing_requests=128, graceful_shutdown_timeout_s=5
)
@serve.ingress()
class Edge:
    """Every router behind one replica."""

    async def __init__(self) -> None:
        self._services = await wiring.opened(load(), embedder=RemoteEmbedder())

    def __serve_build_asgi_app__(self) -> FastAPI:
        from serve.app import edge

        return edge(self._services)

    async def check_health(self) -> None:
        """Raises when the database has gone away."""
        await self._services.ping()

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

    async def __init__(self, queues: tuple[str, ...]) -> None:
        from jobs import ray_jobs
        from jobs.worker import hosted

        self._services = await wiring.opened(load(), embedder=RemoteEmbedder(), submit_bulk=ray_jobs.submit)
        self._loop = hosted(self._services, queues)
        await self._loop.start()
        self._depth = 0.0

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What the autoscaling policy sees: jobs that wait."""
        return {"queue_depth": self._loop.depth}

    async def check_health(self) -> None:
        """Raises when the loop has ended."""
        self._loop.check()

    async def __del__(self) -> None:
        await self._loop.stop()
        await self._services.close()


@serve.deployment(name="Embedder", ray_actor_options=_FRACTION, max_ongoing_requests=8)
class Embedder:
    """Vectors for queries and small batches; the only replica that loads torch."""

    def __init__(self, model: str) -> None:
        from panlect.wiring import embedder_named

        self._embedder = embedder_named(model)
        self._one_at_a_time = asyncio.Lock()

    async def embed(self, texts: list[str]) -> NDArray[Any]:
        """Unit vectors of `texts`, in their order."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._embedder.embed, texts)


@serve.deployment(name="Gateway", ray_actor_options=_FRACTION)
@serve.ingress()
class Gateway:
    """The model gateway; without a configured model it says so."""

    async def __init__(self) -> None:
        self._services = await wiring.opened(load())

    def __serve_build_asgi_app__(self) -> FastAPI:
        from serve.app import gateway

        return gateway(self._services)

    async def __del__(self) -> None:
        await self._services.close()
