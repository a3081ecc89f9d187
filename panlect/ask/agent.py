"""A question about code becomes an answer with cited sources: a bounded loop of model and tools.

The first turn holds what search finds, so a model without tools can answer too. Without any model the answer is the
ranked sources themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from panlect.ask import prompt
from panlect.ask.citations import Citations
from panlect.ask.corpus import Corpus, Place
from panlect.ask.reading import Extract
from panlect.ask.tools import Toolbox, printable, tools
from panlect.errors import (
    BadInputError,
    BudgetExhaustedError,
    ModelError,
    ModelUnavailableError,
    NoModelError,
    PanlectError,
)
from panlect.llm.chat import Answer, Caller, ChatRequest, Message, Models, ToolCall
from panlect.llm.outgoing import may_leave
from panlect.llm.prompts import new_tag
from panlect.llm.tokens import estimate_tokens

ROLE = "ask"
LONGEST_QUESTION = 4000  # characters
NOT_CITED = "No source was cited."
_MOST_CALLS = 6  # of one step
_HELD_BACK = 240  # characters: what a model says before it calls a tool is no answer
_EXTRACT_LINES = 12  # of a source, without a model
_MOST_SUMMARIES = 10
_LONGEST_RETOLD = 8000  # characters of arguments
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one question may use. A step is one request to the model; the last one has no tools."""

    steps: int = 8
    tokens: int = 120_000  # of all requests and answers together
    window: int = 24_000  # of one request
    answer_tokens: int = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """A tool is about to be used. Text that streamed before a step is no part of the answer."""

    number: int
    tool: str
    arguments: str  # a short line for people


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer."""

    delta: str


@dataclass(frozen=True, slots=True)
class Source:
    """A place that the answer cites, sent when it first does."""

    number: int
    extract: Extract


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer. `read` is what was shown to the model when it cited nothing of it.

    `model` is "none" where none answered, and `why` says why. `cost_microusd` is None when a price is not known.
    `notes` say what is not as it should be: a cut answer, a bound that was reached.
    """

    answer: str
    sources: tuple[Extract, ...]
    mode: str
    model: str
    why: str = ""
    read: tuple[Extract, ...] = ()
    dropped: int = 0
    steps: int = 0
    tokens: int = 0
    cost_microusd: int | None = 0
    degraded: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer came of it."""

    reason: str


Event = Step | Text | Source | Done | Failed
Recorder = Callable[[Step, str], None]  # a step, and what the model was told
Summaries = Callable[
    [str, Sequence[str]], Awaitable[Mapping[str, str]]
]  # repository, paths -> summary by path


@dataclass(slots=True)
class _Spent:
    """What the requests of one question used."""

    tokens: int = 0
    cost: int | None = 0
    model: str = ""
    degraded: str = ""

    def add(self, answer: Answer) -> None:
        self.tokens += answer.usage.input_tokens + answer.usage.output_tokens
        unknown = self.cost is None or answer.cost_microusd is None
        self.cost = None if unknown else (self.cost or 0) + (answer.cost_microusd or 0)
        self.model = "/".join(part for part in (answer.provider, answer.model) if part) or self.model
        self.degraded = answer.degraded or self.degraded


@dataclass(slots=True)
class Asking:
    """One conversation. `with_tools` is False for a model that has none; `summaries` may know files."""

    corpus: Corpus
    models: Models
    caller: Caller
    bounds: Bounds = Bounds()
    k: int = 8
    with_tools: bool = True
    summaries: Summaries | None = None
    record: Recorder | None = None
    _box: Toolbox = field(init=False)
    _spent: _Spent = field(default_factory=_Spent)
    _steps: int = 0
    _notes: list[str] = field(default_factory=list)
    _latest: Step = field(init=False, default=Step(0, "", ""))

    def __post_init__(self) -> None:
        """Each conversation has fences of its own."""
        self._box = Toolbox(self.corpus, new_tag())

    async def events(self, question: str) -> AsyncGenerator[Event, None]:
        """Steps, text and sources as they come; Done or Failed, last.

        Raises BadInputError for a question that cannot be. Whoever stops listening closes it, and the work ends.
        """
        asked = question.strip()
        if not asked or len(asked) > LONGEST_QUESTION:
            raise BadInputError(
                "This cannot be asked.", fix=f"Ask something of at most {LONGEST_QUESTION} characters."
            )
        try:
            try:
                async with aclosing(self._conversation(asked)) as events:
                    async for event in events:
                        yield event
            except (NoModelError, BudgetExhaustedError, ModelUnavailableError, _SilentError) as error:
                async for event in self._without_model(asked, str(error)):
                    yield event
        except PanlectError as error:
            yield Failed(str(error))

    # With a model

    async def _conversation(self, question: str) -> AsyncGenerator[Event, None]:
        if await self.models.named(ROLE, self.caller.organisation_id) == "none":
            raise NoModelError("No model is configured for questions.")
        yield self._step("search", question)
        places = await self._box.places(question, self.k)
        found = await self._box.shown(places)
        self._recorded(found)
        summaries = await self._summaries(places)
        system, first = prompt.first_turns(
            self.corpus.names, question, found, summaries, self._box.tag, tools=self.with_tools
        )
        messages, results = [system, first], list[tuple[str, str]]()
        for number in range(1, self.bounds.steps + 1):
            is_last = not self.with_tools or number == self.bounds.steps or self._is_spent(messages, number)
            if is_last and results:
                messages = [system, Message("user", prompt.all_at_once(first.content, results))]
            citations = Citations(self._box.reading, self.corpus.names, self.corpus.has)
            answer: Answer | None = None
            said = ""
            async with aclosing(self._answered(messages, citations, with_tools=not is_last)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        said += piece.delta if isinstance(piece, Text) else ""
                        yield piece
            assert answer is not None
            if is_last or not answer.tool_calls:
                yield self._done(answer, said, citations)
                return
            messages.append(Message("assistant", answer.content, tuple(map(_retold, answer.tool_calls))))
            for at, call in enumerate(answer.tool_calls):
                step = self._step(call.name, _summary(call.arguments))
                yield step
                shown = "error: too many calls at once." if at >= _MOST_CALLS else await self._box.run(call)
                self._recorded(shown)
                messages.append(Message("tool", shown, tool_call_id=call.id))
                results.append((f"{printable(call.name[:40])}({step.arguments})", shown))

    def _is_spent(self, messages: Sequence[Message], number: int) -> bool:
        """Whether this request has to be the last one."""
        said = (text for m in messages for text in (m.content, *(call.arguments for call in m.tool_calls)))
        size = sum(map(estimate_tokens, said))
        # The next two requests are at least as large as this one.
        over = size > self.bounds.window or self._spent.tokens + 2 * size > self.bounds.tokens
        if over and number > 1:
            self._notes.append(
                "The budget of this question was spent before the model had read all it asked for."
            )
        return over

    async def _answered(
        self, messages: Sequence[Message], citations: Citations, *, with_tools: bool
    ) -> AsyncGenerator[Text | Source | Answer, None]:
        """One request: text as far as its citations stand, then the answer."""
        request = ChatRequest(
            ROLE,
            tuple(messages),
            tools=tools(several=self._box.several) if with_tools else (),
            max_tokens=self.bounds.answer_tokens,
            tag=self._box.tag,
        )
        held, shows = "", not with_tools
        told = 0
        answer: Answer | None = None
        async with aclosing(self.models.stream(request, self.caller)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    answer = piece
                    continue
                held += piece.text
                shows = shows or len(held) > _HELD_BACK
                if shows:
                    text, held = citations.feed(held), ""
                    if text:
                        yield Text(text)
                    for number in range(told, len(citations.sources)):
                        yield Source(number + 1, citations.sources[number])
                    told = len(citations.sources)
        if answer is None:
            raise ModelUnavailableError("The model's answer broke off.")
        self._spent.add(answer)
        if not (with_tools and answer.tool_calls):
            text = citations.feed(held) + citations.rest()
            if text:
                yield Text(text)
            for number in range(told, len(citations.sources)):
                yield Source(number + 1, citations.sources[number])
        yield answer

    def _done(self, answer: Answer, said: str, citations: Citations) -> Done:
        text = said.strip()
        if not text:
            refused = answer.refusal or (
                "its filter stopped it" if answer.finish_reason == "content_filter" else ""
            )
            raise _SilentError(f"The model gave no answer{': ' + refused[:300] if refused else ''}.")
        if answer.finish_reason == "length":
            self._notes.append("The answer was cut at its longest length.")
        sources = tuple(citations.sources)
        return Done(
            text if sources else f"{text}\n\n{NOT_CITED}",
            sources,
            self._box.mode,
            self._spent.model,
            read=() if sources else tuple(self._box.reading.extracts()),
            dropped=citations.dropped,
            steps=self._steps,
            tokens=self._spent.tokens,
            cost_microusd=self._spent.cost,
            degraded=self._spent.degraded,
            notes=tuple(self._notes),
        )

    # Without one

    async def _without_model(self, question: str, why: str) -> AsyncGenerator[Event, None]:
        """The places that search finds, best first, as the answer."""
        yield self._step("search", question)
        places = await self._box.places(question, self.k)
        self._recorded(await self._box.shown(places))
        summaries = await self._summaries(places)
        lines = ["No model answered. These places fit the question best:" if places else "Nothing was found."]
        sources: list[Extract] = []
        for place in places:
            repository = place.repository if self._box.several else ""
            last = min(place.end_line, place.start_line + _EXTRACT_LINES - 1)
            found = self._box.reading.within(repository, place.path, place.start_line, last)
            if found is None:
                continue
            sources.append(found)
            about = summaries.get(place.path, "") or place.why
            lines.append(
                f"- [{found.name}] {place.symbol}{': ' if place.symbol else ''}{' '.join(about.split())}"
            )
        text = "\n".join(lines)
        yield Text(text)
        for number, source in enumerate(sources, 1):
            yield Source(number, source)
        yield Done(
            text,
            tuple(sources),
            self._box.mode,
            "none",
            why=why,
            steps=self._steps,
            tokens=self._spent.tokens,
            cost_microusd=self._spent.cost,
            notes=tuple(self._notes),
        )

    # Both

    async def _summaries(self, places: Sequence[Place]) -> dict[str, str]:
        if self.summaries is None:
            return {}
        found: dict[str, str] = {}
        for repository in dict.fromkeys(place.repository for place in places):
            paths = list(dict.fromkeys(p.path for p in places if p.repository == repository))
            known = await self.summaries(repository or self.corpus.names[0], paths[:_MOST_SUMMARIES])
            found |= {path: text[:600] for path, text in known.items() if may_leave(path)}
        return found

    def _step(self, tool: str, arguments: str) -> Step:
        self._steps += 1
        self._latest = Step(self._steps, printable(tool[:40]), printable(arguments[:120]))
        return self._latest

    def _recorded(self, said: str) -> None:
        if self.record is not None:
            self.record(self._latest, said)


class _SilentError(ModelError):
    """The model ended its answer without a word."""


def _retold(call: ToolCall) -> ToolCall:
    """A call as it can be sent back: providers refuse a name or arguments that cannot be, even their own model's."""
    try:
        is_object = isinstance(json.loads(call.arguments[:_LONGEST_RETOLD]), dict)
    except (ValueError, RecursionError):
        is_object = False
    name = call.name if _NAME.fullmatch(call.name) else "unknown"
    return ToolCall(call.id, name, call.arguments if is_object else "{}")


def _summary(arguments: str) -> str:
    """A call's arguments on one line: the values alone where they are what they should be."""
    try:
        sent = json.loads(arguments[:2000] or "{}")
    except (ValueError, RecursionError):
        return arguments
    values = sent.values() if isinstance(sent, dict) else [sent]
    return ", ".join(str(value)[:60] for value in values)
