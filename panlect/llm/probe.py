"""Ask one model for one word: whether it answers, how soon, and at what cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from panlect.errors import PanlectError
from panlect.llm.chat import Caller, ChatRequest, Message, Models

SCHEMA_VERSION = 1
_PROMPT = "Answer with the single word: ready"
_TOKENS = 512  # a model that thinks first needs room to end
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Tested:
    """How one model answered; `error` says why it did not."""

    model: str
    ok: bool
    ms: float
    said: str = ""
    error: str = ""
    cost_microusd: int | None = None


async def probe(models: Models, caller: Caller, name: str) -> Tested:
    """Ask `provider/model`, past every chain. Raises nothing: what went wrong is the answer."""
    began = time.perf_counter()
    try:
        answer = await models.chat(ChatRequest(name, (Message("user", _PROMPT),), max_tokens=_TOKENS), caller)
    except PanlectError as error:
        return Tested(name, False, _ms(began), error=f"{error.what} {error.why}".strip())
    return Tested(name, True, _ms(began), answer.content[:_SHOWN], cost_microusd=answer.cost_microusd)


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
