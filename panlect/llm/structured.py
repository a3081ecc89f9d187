"""An answer of a given shape out of whatever a model sends back.

Asked with a JSON schema; read leniently; repaired once; then taken item by item. What cannot be used is counted and
dropped, never the whole answer with it. Nothing that a model says makes this raise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from panlect.errors import BudgetExhaustedError, ModelError, NoModelError
from panlect.hidden import without_hidden
from panlect.llm.chat import Answer, Caller, ChatRequest, Message, Models, Schema
from panlect.llm.prompts import Block, Slot, new_tag, render

T = TypeVar("T", bound=BaseModel)
_MOST_ITEMS = 100
_MOST_CHARACTERS = 1_000_000  # of an answer that are looked at
_MOST_CHECKED = 2000  # values in it that are held against the schema
_MOST_ECHOED = 24_000  # of a bad answer that are shown to its model again
_DEEPEST = 40  # brackets within one another; json's own parser recurses
_WRAPPERS = 3  # {"result": {"findings": [...]}}, JSON in a string: unpacked so often
_MOST_SPANS = 1000
_MOST_MARKS = 200_000  # brackets and strings that are gone through in search of spans
_REFUSED_WITHIN = 120  # characters: further on it is about the text
_MOST_NOTES, _LONGEST_NOTE = 8, 200
_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S)
_TOKEN = re.compile(
    r'[{}\[\]]|"[^"\\]*(?:\\(?:.|\Z)[^"\\]*)*(?:"|\Z)', re.S
)  # a string always ends: no backtracking
_NO_BRACKETS = re.compile(r'[^{}\[\]"]+|"[^"\\]*(?:\\(?:.|\Z)[^"\\]*)*(?:"|\Z)', re.S)
_EMPTY = re.compile(r"(?:\{\}|\[\])+")
_PAIR = {"}": "{", "]": "["}
_OPENINGS = ('{"', "{\n", "[{", "[\n")
_REFUSAL = re.compile(
    r"\b(?:I(?:'m| am) (?:sorry|unable|not able)|I (?:can(?:'|no)t|cannot|won't|must decline)|As an AI)\b",
    re.I,
)


class Outcome(StrEnum):
    """How asking for a shape ended."""

    OK = "ok"
    REPAIRED = "repaired"  # whole, at the second try
    PARTIAL = "partial"  # some of it was dropped, cut or over the cap
    EMPTY = "empty"  # nothing was said
    REFUSED = "refused"
    UNPARSABLE = "unparsable"
    UNAVAILABLE = "unavailable"
    NO_BUDGET = "no budget"
    NO_MODEL = "no model"

    @property
    def is_answer(self) -> bool:
        """Whether the items are what the model has to say, if not all of it."""
        return self in (Outcome.OK, Outcome.REPAIRED, Outcome.PARTIAL)


@dataclass(frozen=True, slots=True)
class Structured(Generic[T]):
    """What a model said, as far as it can be used.

    `dropped` items were malformed, `surplus` over the cap, `repeated` said before; `notes` say in words what was
    wrong. `error` is what the call raised where none came to an answer.
    """

    outcome: Outcome
    items: tuple[T, ...] = ()
    dropped: int = 0
    surplus: int = 0
    repeated: int = 0
    is_cut: bool = False
    notes: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    error: ModelError | None = None

    @property
    def item(self) -> T | None:
        """The one that was asked for, where it was one."""
        return self.items[0] if self.items else None


@dataclass(slots=True)
class _Read(Generic[T]):
    """One answer, read."""

    items: list[T] = field(default_factory=list)
    is_shaped: bool = False  # there was a value of the shape, if an empty one
    is_broken: bool = False  # and it breaks off, or has something in it that is no JSON
    dropped: int = 0
    surplus: int = 0
    repeated: int = 0
    is_cut: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return self.is_shaped and not (self.dropped or self.is_cut or self.is_broken)

    def note(self, said: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(said[:_LONGEST_NOTE])


async def structured(
    models: Models,
    request: ChatRequest,
    caller: Caller,
    kind: type[T],
    *,
    items: str = "",
    most: int = _MOST_ITEMS,
) -> Structured[T]:
    """Ask for objects of `kind` under the field `items`, or for one object where that is "".

    Two calls at the most. Raises nothing of a model's or a provider's: see `outcome` and `error`.
    """
    schema = schema_of(kind, items)
    request = replace(request, schema=schema, tag=request.tag or new_tag())
    try:
        first = await models.chat(request, caller)
    except ModelError as error:
        return Structured(_failed(error), error=error)
    if is_refusal(first):
        return Structured(Outcome.REFUSED, notes=_said(first), answers=(first,))
    read = _read(first, kind, items, most)
    if read.is_whole or (read.is_cut and read.items):  # what was cut at its limit would be cut again
        return _result(read, Outcome.OK, (first,))
    try:
        second = await models.chat(_repair(request, schema, first, read), caller)
    except ModelError:
        return _result(read, Outcome.OK, (first,))
    again: _Read[T] = _Read() if is_refusal(second) else _read(second, kind, items, most)
    answers = (first, second)
    if again.is_shaped and len(again.items) >= len(read.items):
        return _result(again, Outcome.REPAIRED, answers)
    return _result(read, Outcome.OK, answers)


def schema_of(kind: type[BaseModel], items: str = "") -> Schema:
    """What is asked for, as a JSON schema."""
    one = kind.model_json_schema()
    if not items:
        return Schema(kind.__name__, one)
    definitions = one.pop("$defs", {})
    whole = {
        "type": "object",
        "properties": {items: {"type": "array", "items": one}},
        "required": [items],
        "additionalProperties": False,
    }
    return Schema(items, {**whole, "$defs": definitions} if definitions else whole)


def is_refusal(answer: Answer) -> bool:
    """Whether the model, or its provider's filter, would not answer."""
    if answer.refusal or answer.finish_reason == "content_filter":
        return True
    said = answer.content[:_REFUSED_WITHIN]
    return bool(_REFUSAL.search(said)) and not set("{[") & set(answer.content)


def _failed(error: ModelError) -> Outcome:
    if isinstance(error, NoModelError):
        return Outcome.NO_MODEL
    return Outcome.NO_BUDGET if isinstance(error, BudgetExhaustedError) else Outcome.UNAVAILABLE


def _said(answer: Answer) -> tuple[str, ...]:
    return (without_hidden(answer.refusal or answer.content)[0][:_LONGEST_NOTE],)


def _result(read: _Read[T], whole: Outcome, answers: tuple[Answer, ...]) -> Structured[T]:
    if not read.is_shaped:
        silent = not any(answer.content.strip() or answer.tool_calls for answer in answers)
        outcome = Outcome.EMPTY if silent else Outcome.UNPARSABLE
    elif read.is_whole and not read.surplus:
        outcome = whole
    else:
        outcome = Outcome.PARTIAL if read.items or read.surplus else Outcome.UNPARSABLE
    return Structured(
        outcome,
        tuple(read.items),
        read.dropped,
        read.surplus,
        read.repeated,
        read.is_cut,
        tuple(read.notes),
        answers,
    )


def _repair(request: ChatRequest, schema: Schema, answer: Answer, read: _Read[T]) -> ChatRequest:
    """The question, the bad answer, and what was wrong with it."""
    text = answer.content or "\n".join(call.arguments for call in answer.tool_calls)
    error = "\n".join(read.notes) or "It was empty."
    if answer.finish_reason == "length":
        error += "\nIt was cut at the limit of its length: be shorter."
    slots: dict[str, Slot] = {"error": Block("error", error), "schema": json.dumps(schema.schema)}
    echoed = Message("assistant", text[:_MOST_ECHOED] or "(nothing)")
    return replace(
        request, messages=(*request.messages, echoed, *render("repair", slots, request.tag)), tools=()
    )


def _read(answer: Answer, kind: type[T], items: str, most: int) -> _Read[T]:
    """The items of an answer, wherever in it they are."""
    read: _Read[T] = _Read(is_cut=answer.finish_reason == "length")
    texts = _looked_at(answer)
    found = _found(texts, kind, items)
    if found is None:
        found = _salvaged(texts, kind)
        read.is_broken = found is not None
        if found is not None:
            read.note("It breaks off, or something in it is no JSON.")
    read.is_shaped = found is not None
    if found is not None:
        _take(read, found, most)
    elif any(text.strip() for text in texts):
        read.note("There is no JSON value of the schema in it.")
    return read


def _looked_at(answer: Answer) -> list[str]:
    """The texts of an answer, up to so many characters of all of them."""
    texts, left = [], _MOST_CHARACTERS
    for text in (answer.content, *(call.arguments for call in answer.tool_calls)):
        texts.append(text[:left])
        left -= len(texts[-1])
    return texts


@dataclass(frozen=True, slots=True)
class _Checked(Generic[T]):
    """Values held against the schema: an item, or what is wrong, for each. `unread` more were too many to look at."""

    values: Sequence[T | Exception]
    unread: int = 0

    @property
    def fits(self) -> bool:
        return not all(isinstance(one, Exception) for one in self.values)


def _checked(values: Sequence[object], kind: type[T], most: int) -> _Checked[T]:
    return _Checked([_item(one, kind) for one in values[:most]], max(0, len(values) - most))


def _item(value: object, kind: type[T]) -> T | Exception:
    try:
        return kind.model_validate(value)
    except (ValidationError, RecursionError, OverflowError) as error:
        return error


def _found(texts: Sequence[str], kind: type[T], items: str) -> _Checked[T] | None:
    """The items of the first value in which one fits; else of the first that is plainly meant; else None."""
    meant: _Checked[T] | None = None
    left = _MOST_CHECKED
    for text in texts:
        for value, is_alone in _values(text):
            listed = _listed(value, kind, items)
            if listed is None:
                continue
            checked = _checked(listed, kind, left)
            left -= len(checked.values)
            if checked.fits:
                return checked
            if meant is None and (is_alone or (isinstance(value, dict) and items in value)):
                meant = checked
            if left <= 0:
                return meant
    return meant


def _take(read: _Read[T], found: _Checked[T], most: int) -> None:
    """Item by item: what is whole is taken, once, up to the cap; the rest is counted."""
    seen: set[str] = set()
    for number, item in enumerate(found.values):
        if isinstance(item, Exception):
            read.dropped += 1
            if len(read.notes) < _MOST_NOTES:
                read.note(f"{number}: {_wrong(item)}")
            continue
        key = item.model_dump_json()
        if key in seen:
            read.repeated += 1
        elif len(read.items) >= most:
            read.surplus += 1
        else:
            seen.add(key)
            read.items.append(item)
    if len(read.items) >= most:
        read.surplus += found.unread
    elif found.unread:
        read.dropped += found.unread
        read.notes.insert(0, f"It has more values than the first {len(found.values)}, which alone are read.")


def _wrong(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return type(error).__name__
    said = error.errors(include_url=False, include_context=False, include_input=False)[:3]
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in said)


def _listed(value: object, kind: type[T], items: str) -> Sequence[object] | None:
    """The items that a value stands for, unpacked; None when it is something else."""
    for _ in range(_WRAPPERS):
        if isinstance(value, str):
            value = _loaded(value)
        if isinstance(value, list):
            return value if items or len(value) == 1 else None
        if not isinstance(value, dict):
            return None
        if items and items in value:
            return _inner(value[items])
        if _fits(value, kind):
            return [value]
        inside = _wrapped(value, items)
        if inside is None:
            return None if items else [value]
        value = inside
    return None


def _inner(value: object) -> Sequence[object]:
    """What stands under the field of the items: a list, mostly."""
    if isinstance(value, str):
        value = _loaded(value)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _wrapped(value: dict[str, object], items: str) -> object:
    """What an object is only a wrapper of; None when it is more than that."""
    kinds: tuple[type, ...] = (list, dict) if items else (dict,)
    for kind in kinds:
        inside = [one for one in value.values() if isinstance(one, kind)]
        if len(inside) == 1:
            return inside[0]
    only = list(value.values())
    return only[0] if len(only) == 1 and isinstance(only[0], str) else None


def _fits(value: object, kind: type[BaseModel]) -> bool:
    return not isinstance(_item(value, kind), Exception)


def _values(text: str) -> Iterator[tuple[object, bool]]:
    """The JSON values of a text, the likeliest first, and whether each stands alone: in fences or as all of it."""
    for part in (text, *(match[1] for match in _FENCE.finditer(text))):
        value = _loaded(part)
        if value is not None:
            yield value, True
    for span in _spans(text, 0):
        value = _loaded(span)
        if value is not None:
            yield value, False


def _salvaged(texts: Sequence[str], kind: type[T]) -> _Checked[T] | None:
    """The whole objects inside something that is not whole itself, in order; None when there is none that fits."""
    for text in texts:
        for depth in (2, 1, 3):
            loaded = (_loaded(span) for span in _spans(text, depth))
            checked = _checked([one for one in loaded if isinstance(one, dict)], kind, _MOST_SPANS)
            if checked.fits:
                return checked
    return None


def _spans(text: str, depth: int) -> Iterator[str]:
    """The bracketed parts at a depth whose brackets fit.

    From the first bracket that looks like JSON: a quotation mark in the prose before it would turn strings inside out.
    """
    start = min((at for mark in _OPENINGS if (at := text.find(mark)) >= 0), default=0)
    return islice(_bracketed(text, start, depth), _MOST_SPANS)


def _bracketed(text: str, at: int, depth: int) -> Iterator[str]:
    opened: list[tuple[str, int]] = []
    for match in islice(_TOKEN.finditer(text, at), _MOST_MARKS):
        mark = match[0]
        if mark in "{[":
            opened.append((mark, match.start()))
        elif mark in "}]" and opened and opened[-1][0] == _PAIR[mark]:
            _, start = opened.pop()
            if len(opened) == depth:
                yield text[start : match.end()]


def _loaded(text: str) -> Any:
    """A JSON value without hidden characters; None when the text is none, or one that is nested too deep."""
    stripped = text.strip().lstrip("\ufeff")
    if stripped[:1] not in ("{", "[", '"') or _depth(stripped) > _DEEPEST:
        return None
    try:
        return _seen(json.loads(stripped, strict=False, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    """How deep its brackets stand within one another, as far as anybody asks; what is no JSON has no depth."""
    brackets = _NO_BRACKETS.sub("", text)
    for depth in range(_DEEPEST + 1):
        if not brackets:
            return depth
        within, brackets = len(brackets), _EMPTY.sub("", brackets)
        if len(brackets) == within:
            break
    return _DEEPEST + 1


def _seen(value: Any) -> Any:
    """The value with every text as people see it: an escape can bring in what the text itself may not hold."""
    if isinstance(value, str):
        return without_hidden(value)[0]
    if isinstance(value, list):
        return [_seen(one) for one in value]
    if isinstance(value, dict):
        return {_seen(key): _seen(one) for key, one in value.items()}
    return value
