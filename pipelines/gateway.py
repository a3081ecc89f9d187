"""The gateway from anywhere in the cluster: a handle to its replicas, in the shape of `Models`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ray import serve
from ray.exceptions import RayTaskError
from ray.serve.exceptions import RayServeException

from panlect.errors import ModelUnavailableError, PanlectError
from panlect.llm.chat import Answer, Caller, ChatRequest, Delta, Embeddings, Usage

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

GATEWAY_APP, GATEWAY = "gateway", "Gateway"


class RemoteGateway:
    """Asks the gateway's replicas: every other process asks for models through it, and holds no provider's key."""

    def __init__(self) -> None:
        self._found: DeploymentHandle[Any] | None = None

    def is_there(self) -> bool:
        """Whether this cluster runs a gateway at all."""
        try:
            self._handle()
        except ModelUnavailableError:
            return False
        return True

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """As `Models` says."""
        answer: Answer = await _said(self._handle().chat.remote(request, caller))
        return answer

    async def stream(self, request: ChatRequest, caller: Caller) -> AsyncGenerator[Delta | Answer, None]:
        """As `Models` says; who leaves early cancels the call."""
        answers: Any = self._handle().options(stream=True).stream.remote(request, caller)
        try:
            while True:
                try:
                    piece = await _said(anext(answers))
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            answers.cancel()

    async def embed(self, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
        """As `Models` says."""
        made: Embeddings = await _said(self._handle().embed.remote(model, list(texts), caller))
        return made

    async def named(self, role: str, organisation_id: UUID) -> str:
        """As `Models` says."""
        return str(await _said(self._handle().named.remote(role, organisation_id)))

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        """As `Models` says."""
        cost: int | None = await _said(self._handle().quote.remote(role, usage, organisation_id))
        return cost

    async def known(self, organisation_id: UUID) -> Sequence[str]:
        """As `Models` says."""
        names: Sequence[str] = await _said(self._handle().known.remote(organisation_id))
        return names

    async def aclose(self) -> None:
        """A handle holds no connection of its own."""

    def _handle(self) -> DeploymentHandle[Any]:
        if self._found is None:
            try:
                self._found = serve.get_deployment_handle(GATEWAY, app_name=GATEWAY_APP)
            except RayServeException as error:
                raise ModelUnavailableError(
                    "The gateway does not run in this cluster.",
                    why=str(error).splitlines()[0][:200],
                    fix=f"Deploy Serve's application {GATEWAY_APP!r}.",
                ) from None
        return self._found


async def _said(answer: Awaitable[Any]) -> Any:
    """What a replica answers, or the error that it raised, as it raised it."""
    try:
        return await answer
    except RayTaskError as error:
        if isinstance(error.cause, PanlectError):
            raise error.cause from None
        raise
