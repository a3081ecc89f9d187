"""On a cluster: summarise 60 files through Ray Data, with models that count how many questions are open. Prints JSON."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import ray

from panlect.index.memory import MemoryRepository
from panlect.index.summaries import MemorySummaries
from panlect.llm.chat import Answer, Caller, ChatRequest
from panlect.llm.scripted import ScriptedModels
from panlect.summaries.plan import plan
from panlect.summaries.run import summarize
from pipelines.bulk_summarize import ask_with_ray

FILES = {f"shop/part{number}.py": f"x = {number}\n" for number in range(60)}
IN_FLIGHT = 20


class Counting(ScriptedModels):
    """Says how many questions have been open at a time so far."""

    open = most = 0

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.1)
        self.open -= 1
        parts = request.messages[-1].content.count("<data-")
        return Answer(json.dumps([self.most, parts]), "stop")


def open_models() -> Counting:
    return Counting(lambda _: "")


def main() -> None:
    ray.init(address="auto", log_to_driver=False, configure_logging=False)
    snapshot = MemoryRepository().snapshot(FILES)
    kept = MemorySummaries()
    ask = ask_with_ray(open_models, Caller(UUID(int=1)), IN_FLIGHT, open_models())
    made = [asyncio.run(summarize(plan(snapshot, "m"), snapshot, kept, ask)) for _ in range(2)]
    said = {path: json.loads(one.text) for path, one in made[0].summaries.items()}
    most = max(most for most, _ in said.values())
    print(json.dumps({"most": most, "calls": [one.calls for one in made], "parts": said["shop"][1]}))


if __name__ == "__main__":
    main()
