"""Questions over the API and on a page: one answer, or its events as they come. Whoever leaves ends the work."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import nh3
from fastapi import APIRouter, Form, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from markdown_it import MarkdownIt
from markupsafe import Markup

from panlect.accounts.keys import Principal
from panlect.ask.agent import LONGEST_QUESTION, Asking, Done, Event, Failed, Source, Step, Summaries, Text
from panlect.ask.hosted import HostedCorpus, hosted_corpus
from panlect.ask.report import answer_json, extract_json, step_json
from panlect.errors import BadInputError, PanlectError
from panlect.forge.repositories import list_repositories
from panlect.index import summaries
from panlect.index.store import PostgresStore
from panlect.llm.chat import Caller
from panlect.wiring import Services
from serve.auth import Reader, Writer, services
from serve.pages import page, rendered
from serve.schemas import MOST_REPOSITORIES, Question

router = APIRouter(tags=["ask"])
_HEARTBEAT_S = 15.0
_LEFT = 499  # nobody reads it: the client has gone
_EVENT_STREAM = "text/event-stream"
_TAGS = {
    "p", "ul", "ol", "li", "code", "pre", "em", "strong", "h1", "h2", "h3", "h4", "blockquote", "hr", "br",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_BRACKETS = re.compile(r"\[([^\[\]\n]+)\]")
_MARK = re.compile("\ue000([0-9]+)\ue001")  # stands for a citation while Markdown is rendered


@router.post("/api/v1/ask")
async def ask(request: Request, who: Writer, asked: Question) -> Response:
    """Answer a question about code with cited sources; as events with `stream`."""
    asking = await _asking(request, who, asked.repositories, asked.k)
    if asked.stream:
        return _event_stream(_api_events(request, asked.question, asking))
    answer = await _whole(request, asked.question, asking)
    return Response(status_code=_LEFT) if answer is None else JSONResponse(answer)


@router.get("/ask", include_in_schema=False)
async def ask_page(request: Request, who: Reader) -> Response:
    """Where a question is asked."""
    return _page(await _rows(request, who), may_ask=who.may("write"))


@router.post("/ask", include_in_schema=False)
async def answer_page(
    request: Request,
    who: Writer,
    question: Annotated[str, Form(max_length=LONGEST_QUESTION)] = "",
    repository: Annotated[list[str] | None, Form(max_length=MOST_REPOSITORIES)] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The answer as a page; as events for the page's own script."""
    rows = await _rows(request, who)
    chosen = repository or []
    asking = await _asking(request, who, chosen or "all", 8)
    if not question.strip():
        raise BadInputError("The question is empty.", fix="Ask something.")
    if _EVENT_STREAM in accept:
        return _event_stream(_page_events(request, question, asking))
    answer = await _whole(request, question, asking)
    if answer is None:
        return Response(status_code=_LEFT)
    return _page(rows, question=question, chosen=chosen, answer=answer)


def _page(rows: Sequence[Any], *, may_ask: bool = True, **values: Any) -> Response:
    shown = {"question": "", "chosen": [], "answer": None, **values}
    if shown["answer"] is not None:
        shown["answer_html"] = answer_html(shown["answer"])
    repositories = [row["full_name"] for row in rows if row["commit_sha"]]
    return page(
        "ask.html", here="ask", repositories=repositories, may_ask=may_ask, longest=LONGEST_QUESTION, **shown
    )


# Who is asked about what


async def _rows(request: Request, who: Principal) -> list[Any]:
    async with services(request).db.organisation(who.organisation_id) as connection:
        return list(await list_repositories(connection, who.organisation_id))


async def _asking(request: Request, who: Principal, wanted: str | Sequence[str], k: int) -> Asking:
    """The conversation. Raises BadInputError for a repository that is not connected, or has no index."""
    built = services(request)
    ids = chosen(await _rows(request, who), wanted)
    corpus = await hosted_corpus(built.search, who.organisation_id, ids, built.mirrors)
    caller = Caller(who.organisation_id, ids[0] if len(ids) == 1 else None, step="ask")
    return Asking(
        corpus, built.models, caller, k=k, summaries=_summaries_of(built, who.organisation_id, corpus)
    )


def _summaries_of(built: Services, organisation_id: UUID, corpus: HostedCorpus) -> Summaries:
    """What a model said of files, by the name of their repository."""

    async def find(repository: str, paths: Sequence[str]) -> Mapping[str, str]:
        repository_id = corpus.id_of(repository)

        def placed() -> Mapping[str, str]:
            with PostgresStore(built.db.app_url, organisation_id) as store:
                found = summaries.placed(store, repository_id, paths, by_model=True)
            return {one.path: one.summary.text for one in found}

        return await asyncio.to_thread(placed)

    return find


def chosen(rows: Sequence[Any], wanted: str | Sequence[str]) -> list[UUID]:
    """The ids of the repositories that are asked about, each once. Raises BadInputError for one that is not there."""
    if isinstance(wanted, str):
        ids = [row["id"] for row in rows if row["commit_sha"]]
        if not ids:
            raise BadInputError(
                "No repository has an index yet.", fix="Connect one, and wait for its first index run."
            )
    else:
        known = {name: row["id"] for row in rows for name in (str(row["id"]), row["full_name"])}
        missing = [name for name in wanted if name not in known]
        if missing or not wanted:
            raise BadInputError("A repository is not connected.", fix="See GET /api/v1/repositories.")
        ids = list(dict.fromkeys(known[name] for name in wanted))
    if len(ids) > MOST_REPOSITORIES:
        raise BadInputError(
            f"{len(ids)} repositories are too many for one question.",
            fix=f"Name at most {MOST_REPOSITORIES}.",
        )
    return ids


# Events


async def _heard(
    request: Request, asking: Asking, question: str, beat_s: float = _HEARTBEAT_S
) -> AsyncGenerator[Event | None, None]:
    """The events as they come, None where nothing came for a while; it ends early when the client hangs up.

    They are made in one task: what they are made by may bind to it. Closing this ends the work.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue()  # as long as an answer is, and those are bounded

    async def work() -> None:
        async with aclosing(asking.events(question)) as events:
            async for event in events:
                queue.put_nowait(event)

    working, leaving = asyncio.create_task(work()), asyncio.create_task(_hung_up(request))
    for task in (working, leaving):
        task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while True:
            try:
                async with asyncio.timeout(beat_s):
                    event = await queue.get()
            except TimeoutError:
                yield None
                continue
            if event is None:
                break
            yield event
        if working.done():
            await working  # it may have raised
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait([working, leaving])


async def _hung_up(request: Request) -> None:
    """Returns when the client has gone. `request.is_disconnected` cannot tell: behind a middleware it loses the word."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _whole(request: Request, question: str, asking: Asking) -> dict[str, Any] | None:
    """The JSON of the whole answer; None when the client has left. Raises PanlectError when no answer came."""
    began = time.perf_counter()
    steps: list[Step] = []
    async with aclosing(_heard(request, asking, question)) as events:
        async for event in events:
            if isinstance(event, Step):
                steps.append(event)
            elif isinstance(event, Failed):
                raise PanlectError("The question was not answered.", why=event.reason, fix="Try again.")
            elif isinstance(event, Done):
                return answer_json(question, event, steps, (time.perf_counter() - began) * 1000)
    return None


async def _told(
    request: Request, question: str, asking: Asking, beat_s: float = _HEARTBEAT_S
) -> AsyncGenerator[tuple[str, dict[str, Any]] | None, None]:
    """(event, data) for a client; None for a sign of life."""
    began = time.perf_counter()
    steps: list[Step] = []
    try:
        async with aclosing(_heard(request, asking, question, beat_s)) as events:
            async for event in events:
                match event:
                    case None:
                        yield None
                    case Step():
                        steps.append(event)
                        yield "step", step_json(event)
                    case Text():
                        yield "text", {"delta": event.delta}
                    case Source():
                        yield "source", {"number": event.number, **extract_json(event.extract)}
                    case Done():
                        took = (time.perf_counter() - began) * 1000
                        yield "done", answer_json(question, event, steps, took)
                    case Failed():
                        failed = {"error": "The question was not answered.", "why": event.reason}
                        yield "error", {**failed, "fix": "Try again."}
    except PanlectError as error:
        yield "error", {"error": error.what, "why": error.why, "fix": error.fix}


async def _api_events(
    request: Request, question: str, asking: Asking, beat_s: float = _HEARTBEAT_S
) -> AsyncGenerator[str, None]:
    async with aclosing(_told(request, question, asking, beat_s)) as told:
        async for one in told:
            yield _written(one)


async def _page_events(request: Request, question: str, asking: Asking) -> AsyncGenerator[str, None]:
    """As the API's; what is done comes as the page would show it."""
    async with aclosing(_told(request, question, asking)) as told:
        async for one in told:
            if one is not None and one[0] == "done":
                fragment = rendered("answer.html", answer=one[1], answer_html=answer_html(one[1]))
                yield _written(("done", {"html": fragment}))
            else:
                yield _written(one)


def _written(told: tuple[str, dict[str, Any]] | None) -> str:
    """One server-sent event, or a comment that keeps the connection open. JSON has no line ends of its own."""
    return ": still here\n\n" if told is None else f"event: {told[0]}\ndata: {json.dumps(told[1])}\n\n"


def _event_stream(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(events, media_type=_EVENT_STREAM, headers={"x-accel-buffering": "no"})


# The answer as HTML


def answer_html(answer: dict[str, Any]) -> Markup:
    """A model's Markdown as HTML that holds neither links nor images nor scripts; citations lead to their frames."""
    names = [_name(source) for source in answer["sources"]]

    def marked(found: re.Match[str]) -> str:
        parts = found[1].split(", ")
        if not all(part in names for part in parts):
            return found[0]
        return ", ".join(f"\ue000{names.index(part) + 1}\ue001" for part in parts)

    text = answer["answer"].replace("\ue000", "").replace("\ue001", "")
    clean = nh3.clean(_markdown().render(_BRACKETS.sub(marked, text)), tags=_TAGS, attributes={})

    def linked(found: re.Match[str]) -> str:
        number = int(found[1])
        return f'<a class="cited" href="#source-{number}">{html.escape(names[number - 1])}</a>'

    return Markup(_MARK.sub(linked, clean))  # noqa: S704 - cleaned above, names escaped here


def _name(source: dict[str, Any]) -> str:
    prefix = f"{source['repository']}:" if "repository" in source else ""
    return f"{prefix}{source['path']}:{source['start_line']}-{source['end_line']}"


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
