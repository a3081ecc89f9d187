"""Summaries in order: what is missing of a plan is made, level by level, and kept; the rest costs nothing.

Who is asked is an argument: models in this process, nobody, or Ray Data (`pipelines/bulk_summarize.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from panlect.code.languages import kind_of, language_by_name
from panlect.errors import BudgetExhaustedError, ModelError, NoModelError
from panlect.hidden import without_hidden
from panlect.index.snapshot import Snapshot
from panlect.index.summaries import EXTRACTIVE, Summary, SummaryStore
from panlect.llm.chat import Answer, Caller, ChatRequest, Models
from panlect.llm.prompts import Block, Slot, new_tag, render, unfenced
from panlect.llm.structured import is_refusal
from panlect.summaries.extract import extract_directory, extract_file, first_paragraph, first_sentence
from panlect.summaries.plan import (
    MOST_CHARACTERS,
    MOST_CHILDREN,
    PROMPTS,
    Node,
    Plan,
    fallback_key,
)

ROLE = "summarize"
IN_FLIGHT = 8
GROUP = 256  # nodes that are prepared, asked for and kept together
_KEPT_AT_ONCE = 16  # answers: what is lost when this process dies
_MOST_TEXT = 1500
_GIVEN_UP_AFTER = 5  # failures in a row: the provider is away, and thousands of others would wait for it too
_FENCE = re.compile(r"\A```[a-z]*\n(.*?)\n?```\Z", re.S)
_END = re.compile(r"[.!?](?=\s|\Z)")
_README = re.compile(r"(?:\A|/)readme(?:\.[a-z]+)?\Z", re.I)
# README, and what packages keep their own description in.
_SPEAKS_FOR_ALL = re.compile(
    r"(?:\A|/)(?:readme(?:\.[a-z]+)?|__init__\.py|doc\.go|mod\.rs|lib\.rs|package-info\.java|index\.[cm]?[jt]sx?)\Z",
    re.I,
)

Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """A node with what its prompt is filled with, and what is said of it where no model answers."""

    node: Node
    slots: Mapping[str, Slot] = field(default_factory=dict)
    extract: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one question: a text, or `why` there is none. `final`: nobody need be asked any more."""

    text: str = ""
    model: str = ""  # who said it: the first of the chain, or who stood in for it
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microusd: int | None = 0
    why: str = ""
    final: bool = False


Ask = Callable[[Sequence[Work]], AsyncGenerator[tuple[Work, Said], None]]


@dataclass(slots=True)
class Made:
    """What a run of summaries did. `summaries` is the whole tree, by path; `failed` counts by reason."""

    model: str
    summaries: dict[str, Summary] = field(default_factory=dict)
    made: int = 0
    reused: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microusd: int | None = 0  # None when a price is not known
    failed: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, Any]:
        """What it took, as notes of runs and the terminal's JSON say it."""
        names = ("made", "reused", "calls", "tokens_in", "tokens_out", "cost_microusd")
        return {**{name: getattr(self, name) for name in names}, "failed": dict(self.failed)}


async def summarize(
    plan: Plan,
    snapshot: Snapshot,
    kept: SummaryStore,
    ask: Ask | None = None,
    progress: Progress | None = None,
    group: int = GROUP,
) -> Made:
    """Every summary of `plan`, those that are missing made by `ask`, or taken out of the code where it is None.

    One that fails is taken out of the code too, and asked for again the next time. What is made is kept as it
    comes: a run that is killed goes on where it was.
    """
    nodes = list(plan.nodes)
    known = await asyncio.to_thread(kept.known, [node.key for node in nodes])
    made = Made(plan.model)
    total = sum(node.key not in known for node in nodes)
    made.summaries.update((node.path, known[node.key]) for node in nodes if node.key in known)
    made.reused = len(made.summaries)
    for level in plan.levels:
        todo = [node for node in level if node.key not in known]
        for at in range(0, len(todo), group):
            works = await asyncio.to_thread(_works, todo[at : at + group], snapshot, made.summaries)
            async with aclosing(_answered(works, plan.model, ask, made)) as answered:
                async for some in _some(answered, _KEPT_AT_ONCE if ask else GROUP):
                    await asyncio.to_thread(kept.put, some)
                    made.made += len(some)
                    if progress is not None:
                        await progress(made.made, total)
    return made


async def _some(summaries: AsyncIterator[Summary], count: int) -> AsyncIterator[list[Summary]]:
    some: list[Summary] = []
    async for one in summaries:
        some.append(one)
        if len(some) == count:
            yield some
            some = []
    if some:
        yield some


def ask_models(models: Models, caller: Caller, in_flight: int = IN_FLIGHT) -> Ask:
    """Asks the role `summarize`, at most `in_flight` requests at a time."""
    asking = Asking(models, caller, in_flight)

    async def ask(works: Sequence[Work]) -> AsyncGenerator[tuple[Work, Said], None]:
        async def one(work: Work) -> tuple[Work, Said]:
            return work, await asking.say(request_of(work))

        tasks = [asyncio.ensure_future(one(work)) for work in works]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()

    return ask


class Asking:
    """Asks one at a time or several, until it is plain that nobody answers."""

    def __init__(self, models: Models, caller: Caller, in_flight: int) -> None:
        self._models, self._caller = models, caller
        self._turns = asyncio.Semaphore(max(1, in_flight))
        self._in_a_row = 0
        self._stopped = ""

    async def say(self, request: ChatRequest) -> Said:
        """What the model says."""
        async with self._turns:
            if self._stopped:
                return Said(why=self._stopped, final=True)
            try:
                answer = await self._models.chat(request, self._caller)
            except ModelError as error:
                self._failed(error)
                return Said(why=_reason(error))
            self._in_a_row = 0
        return said_of(answer, request.tag)

    def _failed(self, error: ModelError) -> None:
        self._in_a_row += 1
        if isinstance(error, (NoModelError, BudgetExhaustedError)) or self._in_a_row >= _GIVEN_UP_AFTER:
            self._stopped = _reason(error)


def request_of(work: Work) -> ChatRequest:
    """The question about a node."""
    tag = new_tag()
    return ChatRequest(ROLE, render(PROMPTS[work.node.kind], work.slots, tag), tag=tag)


def said_of(answer: Answer, tag: str) -> Said:
    """The summary in an answer, as plain text of bounded length, or why there is none. `tag`: of the fences asked with."""
    usage = answer.usage
    by = f"{answer.provider}/{answer.model}" if answer.provider else ""
    spent = (by, usage.input_tokens, usage.output_tokens, answer.cost_microusd)
    if is_refusal(answer):
        return Said("", *spent, why="refused")
    text = _plain(unfenced(answer.content, tag))
    return Said(text, *spent, why="" if text else "empty")


def _plain(content: str) -> str:
    text = without_hidden(content)[0].strip()
    text = (fence[1] if (fence := _FENCE.match(text)) else text).strip()
    if text.startswith("{"):  # some models cannot help it
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            loaded = None
        values = list(loaded.values()) if isinstance(loaded, dict) else []
        text = values[0] if len(values) == 1 and isinstance(values[0], str) else ""
    text = " ".join(text.split())
    if len(text) <= _MOST_TEXT:
        return text
    ends = [match.end() for match in _END.finditer(text[:_MOST_TEXT])]
    return text[: ends[-1]] if ends else text[:_MOST_TEXT]


def _reason(error: ModelError) -> str:
    if isinstance(error, NoModelError):
        return "no model"
    return "budget spent" if isinstance(error, BudgetExhaustedError) else "model unavailable"


async def _answered(
    works: Sequence[Work], model: str, ask: Ask | None, made: Made
) -> AsyncGenerator[Summary, None]:
    """A summary for each of the works, also into `made.summaries`."""
    for work in works:
        if work.node.passes_on or ask is None:
            yield _note(made, work.node, _without_model(work, made, ask is None))
    asked = [work for work in works if not work.node.passes_on]
    if ask is None or not asked:
        return
    async with aclosing(ask(asked)) as answers:
        async for work, said in answers:
            yield _taken(made, model, work, said)


def _taken(made: Made, model: str, work: Work, said: Said) -> Summary:
    """What came of a question, counted: a summary, or what stands in for it."""
    made.calls += not said.final
    made.tokens_in, made.tokens_out = made.tokens_in + said.tokens_in, made.tokens_out + said.tokens_out
    if made.cost_microusd is not None:
        made.cost_microusd = None if said.cost_microusd is None else made.cost_microusd + said.cost_microusd
    node = work.node
    if said.why:
        made.failed[said.why] += 1
        return _note(made, node, _extracted(node, fallback_key(node.key), work.extract))
    spent = (said.tokens_in, said.tokens_out)
    return _note(
        made,
        node,
        Summary(node.key, node.kind, said.model or model, node.prompt_version, said.text, False, *spent),
    )


def _without_model(work: Work, made: Made, extracts: bool) -> Summary:
    """What is said of a node that no model is asked about: it passes on what its only directory says, or no model is there."""
    node = work.node
    if not node.passes_on:
        return _extracted(node, node.key, work.extract)
    inner = made.summaries[node.passes_on]
    stands_in = inner.extractive and not extracts
    key = fallback_key(node.key) if stands_in else node.key
    return Summary(key, node.kind, inner.model, node.prompt_version, inner.text, inner.extractive)


def _extracted(node: Node, key: bytes, text: str) -> Summary:
    return Summary(key, node.kind, EXTRACTIVE, node.prompt_version, text, True)


def _note(made: Made, node: Node, summary: Summary) -> Summary:
    made.summaries[node.path] = summary
    return summary


def _works(nodes: Sequence[Node], snapshot: Snapshot, summaries: Mapping[str, Summary]) -> list[Work]:
    """Nodes with what is said of them: the files' texts in one read."""
    files = [node for node in nodes if node.kind == "file"]
    texts = snapshot.texts([node.path for node in files])
    snapshot.prefetch("symbols", [node.path for node in files])
    readmes = snapshot.texts([path for node in nodes if (path := _readme_of(node))])
    return [
        _file_work(node, texts[node.path].decode("utf-8", "replace"), snapshot)
        if node.kind == "file"
        else _directory_work(node, readmes.get(_readme_of(node), b"").decode("utf-8", "replace"), summaries)
        for node in nodes
    ]


def _file_work(node: Node, text: str, snapshot: Snapshot) -> Work:
    definitions = snapshot.definitions(node.path)
    extract = extract_file(text, definitions, is_documentation=kind_of(node.path) == "documentation")
    shown = text[:MOST_CHARACTERS]
    blocks = [Block("file", shown, node.path)]
    cut = ""
    if len(text) > len(shown):
        first_hidden = shown.count("\n") + 1
        cut = f"Only its beginning is shown, {len(shown)} of {len(text)} characters, then what the rest defines."
        rest = [one.signature for one in definitions if one.start_line >= first_hidden][:200]
        blocks.append(Block("outline", "\n".join(rest)[: MOST_CHARACTERS // 4], node.path))
    slots: dict[str, Slot] = {"language": node.language, "cut": cut, "file": blocks}
    return Work(node, slots, extract or f"A {node.language} file.")


def _directory_work(node: Node, readme: str, summaries: Mapping[str, Summary]) -> Work:
    """A directory with what is said of its parts: all of them, or as many as a prompt holds."""
    parts = {path: summaries[path] for path in sorted(node.children, key=lambda path: _rank(path, summaries))}
    shown = list(parts)[:MOST_CHILDREN]
    left_out = len(parts) - len(shown)
    said = f"{left_out} more parts were left out for their number." if left_out else ""
    own = first_paragraph(readme) if readme else _own_words(parts)
    told = {_name(path, one): one.text for path, one in parts.items() if not _SPEAKS_FOR_ALL.search(path)}
    extract = extract_directory(told, own)
    slots: dict[str, Slot] = {
        "count": str(len(shown)),
        "left_out": said,
        "children": [Block(f"{parts[path].kind}-summary", parts[path].text, path) for path in shown],
    }
    if node.kind == "directory":
        slots["directory"] = Block("directory", node.path, node.path)
    else:
        slots["languages"] = _languages(summaries)
        slots["readme"] = Block("file", readme[: MOST_CHARACTERS // 3], _readme_of(node))
    return Work(node, slots, extract or "A directory.")


def _own_words(parts: Mapping[str, Summary]) -> str:
    """What the file says that speaks for its whole directory, such as `__init__.py`."""
    speakers = (one.text for path, one in parts.items() if _SPEAKS_FOR_ALL.search(path))
    return next((said for text in speakers if (said := first_sentence(text))), "")


def _rank(path: str, summaries: Mapping[str, Summary]) -> tuple[bool, bool, bool, str]:
    """Which parts are shown first where not all can be: the README, directories, what is no test."""
    name = path.rpartition("/")[2].lower()
    is_test = name.startswith(("test", "spec")) or "test" in name.split(".")
    return not _README.search(path), is_test, summaries[path].kind != "directory", path


def _name(path: str, summary: Summary) -> str:
    return path.rpartition("/")[2] + ("/" if summary.kind == "directory" else "")


def _readme_of(node: Node) -> str:
    return next((path for path in node.children if _README.search(path)), "")


def _languages(summaries: Mapping[str, Summary]) -> str:
    counts = Counter(language_by_name(path).name for path, one in summaries.items() if one.kind == "file")
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(8)) or "none"
