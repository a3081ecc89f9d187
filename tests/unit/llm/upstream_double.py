"""A provider whose behaviour is chosen by the model's name: `ok`, `429`, `500`, `auth`, `cut`, `slow`, `long` ..."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from panlect.errors import ProviderError
from panlect.llm.chat import Answer, ChatRequest, Delta, Embeddings, Usage
from panlect.llm.upstreams import Target

FAILURES = {
    "429": ("rate_limited", 3.0),
    "500": ("unavailable", 0.0),
    "auth": ("auth", 0.0),
    "garbage": ("garbage", 0.0),
    "rejected": ("rejected", 0.0),
}


@dataclass
class Double:
    """Counts what it was asked and how many calls it had at once."""

    asked: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    requests: list[ChatRequest] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(10, 5))
    embedded: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    pause_s: float = 0.0

    async def chat(self, request: ChatRequest, target: Target) -> Answer:
        model = target.choice.model
        self.asked.append(target.choice.name)
        self.targets.append(target)
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(30 if model == "slow" else self.pause_s)
        finally:
            self.at_once -= 1
        if model in FAILURES:
            outcome, wait_s = FAILURES[model]
            raise ProviderError(
                f"{model}!", outcome=outcome, retry_after_s=wait_s, billed=outcome == "garbage"
            )
        return Answer(f"from {model}", "stop", usage=self.usage)

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Delta | Answer, None]:
        if target.choice.model == "cut":
            yield Delta("half an ")
            raise ProviderError("cut!", outcome="cut", billed=True)
        answer = await self.chat(request, target)
        yield Delta("from ")
        yield Delta(target.choice.model)
        yield answer

    async def embed(self, texts: Sequence[str], target: Target) -> Embeddings:
        self.asked.append(target.choice.name)
        self.embedded += texts
        return Embeddings(tuple((float(len(text)),) for text in texts), Usage(len(texts), 0))

    async def aclose(self) -> None:
        return None
