"""Summaries in bulk: Ray Data carries questions about nodes to an actor that keeps N of them open at a time.

Level by level, since a directory is described by what was said of its files. One actor asks: only so can nobody have
more open than what is asked for, which is what the gateway lets through. Blocks carry prompts, the actor sees no git.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import ray.data

from panlect.llm.chat import Caller, ChatRequest, Message, Models
from panlect.summaries.run import Ask, Asking, Said, Work, ask_models, request_of
from pipelines.bulk_index import reading_nodes

GROUP = (
    4096  # nodes of a level that are prepared at once: their texts lie in this process until they are asked
)
_ROWS_AT_ONCE = 16  # of one block that Ray Data hands to an asynchronous function
_ASK_CPUS = 0.1
_PLACED_WITHIN_S = 120
OpenModels = Callable[[], Models]


def ask_with_ray(open_models: OpenModels, caller: Caller, in_flight: int, here: Models | None = None) -> Ask:
    """Asks through Ray Data, `in_flight` requests at a time; `open_models` is called where they are asked.

    No more questions than can be open at once are put to `here`, where that is given: an actor takes seconds to start.
    """
    nearby = None if here is None else ask_models(here, caller, in_flight)

    async def ask(works: Sequence[Work]) -> AsyncGenerator[tuple[Work, Said], None]:
        if nearby is not None and len(works) <= in_flight:
            async with aclosing(nearby(works)) as answers:
                async for answer in answers:
                    yield answer
            return
        by_path = {work.node.path: work for work in works}
        rows = await asyncio.to_thread(_answers, works, open_models, caller, in_flight)
        while (row := await asyncio.to_thread(next, rows, None)) is not None:
            yield by_path[str(row["path"])], Said(**json.loads(row["said"]))

    return ask


def _answers(
    works: Sequence[Work], open_models: OpenModels, caller: Caller, in_flight: int
) -> Iterator[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    context.wait_for_min_actors_s = _PLACED_WITHIN_S
    rows = [_row(work) for work in works]
    at_work = -(-in_flight // _ROWS_AT_ONCE)  # blocks that together have so many rows open
    blocks = min(len(rows), max(at_work, len(rows) // (2 * _ROWS_AT_ONCE)))
    asking: Any = AskRow  # a class whose objects are called; the types of Ray Data know functions alone
    dataset = ray.data.from_items(rows, override_num_blocks=blocks).map(
        asking,
        fn_constructor_args=(open_models, caller, in_flight),
        compute=ray.data.ActorPoolStrategy(size=1),
        num_cpus=_ASK_CPUS,
        max_concurrency=at_work,
        label_selector=reading_nodes(),
    )
    found: Iterator[dict[str, Any]] = iter(dataset.iter_rows())
    return found


class AskRow:
    """A row with a question -> a row with what was said, `in_flight` at a time over all rows of the actor."""

    def __init__(self, open_models: OpenModels, caller: Caller, in_flight: int) -> None:
        self._open, self._caller, self._in_flight = open_models, caller, in_flight
        self._asking: Asking | None = None

    async def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Ask about one node."""
        if self._asking is None:  # here, not in the constructor: what asks belongs to the loop it runs in
            self._asking = Asking(self._open(), self._caller, self._in_flight)
        said = await self._asking.say(_request(row))
        return {"path": row["path"], "said": json.dumps(asdict(said))}


def _row(work: Work) -> dict[str, Any]:
    request = request_of(work)
    turns = [[message.role, message.content] for message in request.messages]
    return {"path": work.node.path, "model": request.model, "tag": request.tag, "turns": json.dumps(turns)}


def _request(row: dict[str, Any]) -> ChatRequest:
    messages = tuple(Message(role, content) for role, content in json.loads(row["turns"]))
    return ChatRequest(str(row["model"]), messages, tag=str(row["tag"]))
