"""Definitions, imports and references of a parsed blob, found by one run of the language's query.

The query's captures come as flat lists, which costs a third of asking for matches. What belongs together
is found by position: a name, a body, a receiver belong to the innermost definition around them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby
from typing import NamedTuple

import numpy as np
import tree_sitter
from tree_sitter import Node, QueryCursor

from panlect.code.analysis import REFERENCE_KINDS, Definition, Import, References
from panlect.code.languages import Language

_MAX_SIGNATURE = 300
_MAX_DEFINITIONS = 20_000  # of one blob: a file with more is data
_MAX_REFERENCES = 100_000
# When several patterns match one node, the kind that says most wins.
_SPECIFIC = {"method": 3, "class": 3, "interface": 3, "function": 2, "field": 1}
_RECEIVERS = frozenset({"self", "cls", "this", "super"})
_LONGEST_JOIN = 3  # bytes: `!!.` of Kotlin


def _bytes_table(members: bytes) -> np.ndarray:
    """256 truth values: which bytes are members."""
    return np.isin(np.arange(256), np.frombuffer(members, dtype=np.uint8))


_JOIN_PARTS = _bytes_table(b".:>?!&-").astype(np.int64)
_WORD_BYTES = _bytes_table(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$@" + bytes(range(128, 256))
)

Captures = Mapping[str, Sequence[Node]]
Span = tuple[int, int, str]  # start byte, end byte, qualified name


@dataclass(frozen=True, slots=True)
class Symbols:
    """What the query found; `spans` belong to `definitions`, in the same order."""

    definitions: tuple[Definition, ...]
    references: References
    imports: tuple[Import, ...]
    spans: tuple[Span, ...]


class _Named(NamedTuple):
    """One definition before it is qualified: offsets of its node, name and body."""

    start: int
    end: int
    kind: str
    name: str
    name_start: int
    node_start: int  # without decorators
    body: int  # where the signature ends
    receiver: str
    bases: tuple[str, ...]


def symbols_of(language: Language, root: Node, source: bytes) -> Symbols:
    """Everything the language's query finds below `root`, in the order of the text."""
    captures = QueryCursor(_query(language)).captures(root)
    lines = line_starts(source)
    named = list(_named(captures, source))
    definitions, spans = _qualify(named, captures, language.exported, source, lines)
    imports = tuple(_imports(captures, source, lines))
    own_names = [one.name_start for one in named]
    return Symbols(definitions, _references(captures, source, spans, own_names, lines), imports, spans)


@lru_cache(maxsize=64)
def _query(language: Language) -> tree_sitter.Query:
    folder = resources.files("panlect.code") / "queries"
    text = "\n".join((folder / name).read_text("utf-8") for name in language.queries)
    return tree_sitter.Query(language.load(), text)


def _named(captures: Captures, source: bytes) -> Iterator[_Named]:
    """Definitions by start (outer before inner), each with its name; one node may have several names."""
    kinds = _definition_nodes(captures)
    order = sorted(kinds, key=lambda range_: (range_[0], -range_[1]))[:_MAX_DEFINITIONS]
    widened = _widened(order, captures.get("span", ()))
    bodies = dict(reversed(_owned(order, captures.get("body", ()))))  # the first body counts
    receivers = dict(_owned(order, captures.get("receiver", ())))
    bases: dict[tuple[int, int], dict[str, None]] = {}
    for range_, node in _owned(order, captures.get("base", ())):
        bases.setdefault(range_, {})[_text(node, source)] = None
    for range_, node in _owned(order, captures.get("name", ())):
        body = bodies.get(range_)
        receiver = receivers.get(range_)
        yield _Named(
            widened.get(range_, range_[0]),
            range_[1],
            kinds[range_],
            _text(node, source).strip("\"'`"),
            node.start_byte,
            range_[0],
            body.start_byte if body is not None else range_[1],
            _text(receiver, source) if receiver is not None else "",
            tuple(bases.get(range_, ())),
        )


def _definition_nodes(captures: Captures) -> dict[tuple[int, int], str]:
    """Byte range of each definition -> its kind."""
    kinds: dict[tuple[int, int], str] = {}
    for capture, nodes in sorted(captures.items(), key=lambda pair: _SPECIFIC.get(pair[0][11:], 0)):
        if capture.startswith("definition."):
            kinds.update(((node.start_byte, node.end_byte), capture[11:]) for node in nodes)
    return kinds


def _owned(order: Sequence[tuple[int, int]], nodes: Sequence[Node]) -> list[tuple[tuple[int, int], Node]]:
    """Each node with the innermost range around it, in text order, each node once."""
    if not nodes:
        return []
    owned: list[tuple[tuple[int, int], Node]] = []
    around: list[tuple[int, int]] = []
    coming, last = 0, -1
    for start, end, node in sorted(((n.start_byte, n.end_byte, n) for n in nodes), key=lambda row: row[:2]):
        while coming < len(order) and order[coming][0] <= start:
            while around and around[-1][1] < order[coming][1]:
                around.pop()
            around.append(order[coming])
            coming += 1
        while around and around[-1][1] < end:
            around.pop()
        if around and start != last:
            owned.append((around[-1], node))
            last = start
    return owned


def _widened(order: Sequence[tuple[int, int]], spans: Iterable[Node]) -> dict[tuple[int, int], int]:
    """Where a decorated definition begins: the first definition after a span's start is the one it holds."""
    starts = [start for start, _ in order]
    found: dict[tuple[int, int], int] = {}
    for node in spans:
        at = bisect_left(starts, node.start_byte)
        if at < len(order):
            found[order[at]] = node.start_byte
    return found


def _qualify(
    named: Sequence[_Named],
    captures: Captures,
    public_names: re.Pattern[str] | None,
    source: bytes,
    lines: Sequence[int],
) -> tuple[tuple[Definition, ...], tuple[Span, ...]]:
    """Qualify each name with what it stands in, by one sweep with a stack of open definitions."""
    exported = {node.start_byte for node in captures.get("exported", ())}
    listed = {_text(node, source) for node in captures.get("exported.name", ())}
    definitions, spans = [], []
    around: list[tuple[int, int, str, bool]] = []
    for one in named:
        while around and (around[-1][1] < one.end or (around[-1][0], around[-1][1]) == (one.start, one.end)):
            around.pop()
        parent, outer = (around[-1][2], around[-1][3]) if around else ("", True)
        parent = one.receiver or parent
        qualified = f"{parent}.{one.name}" if parent else one.name
        if public_names is not None:
            public = outer and public_names.match(one.name) is not None
        else:
            public = one.node_start in exported or one.name in listed or (bool(parent) and outer)
        first, last = bisect_right(lines, one.start), bisect_right(lines, max(one.start, one.end - 1))
        signature = _signature(one, source)
        definitions.append(
            Definition(one.name, qualified, one.kind, first, last, signature, parent, public, one.bases)
        )
        spans.append((one.start, one.end, qualified))
        around.append((one.start, one.end, qualified, public))
    return tuple(definitions), tuple(spans)


def _signature(one: _Named, source: bytes) -> str:
    """The definition without its body, on one line."""
    end = min(max(one.body, one.node_start), one.node_start + 4 * _MAX_SIGNATURE)
    text = source[one.node_start : end].decode("utf-8", "replace")
    line = " ".join(text.split()).rstrip(" {:;=>")
    return line if len(line) <= _MAX_SIGNATURE else line[: _MAX_SIGNATURE - 1] + "…"


def _imports(captures: Captures, source: bytes, lines: Sequence[int]) -> Iterator[Import]:
    """Each imported name. An alias belongs to the name before it, or to the only one there is."""
    order = sorted({(node.start_byte, node.end_byte) for node in captures.get("import", ())})
    parts = sorted(
        (range_, node.start_byte, role, _text(node, source).strip("\"'`"))
        for role in ("module", "imported", "alias", "default", "namespace")
        for range_, node in _owned(order, captures.get(role, ()))
    )
    for _, group in groupby(parts, key=lambda part: part[0]):
        rows = list(group)
        modules = [row for row in rows if row[2] == "module"]
        names = [row for row in rows if row[2] == "imported"]
        bound = any(row[2] in ("imported", "default", "namespace") for row in rows)
        for _, at, role, text in rows:
            line = bisect_right(lines, at)
            if role == "default" and modules:
                yield Import(modules[0][3], "default", text, line)
            elif role == "namespace" and modules:
                yield Import(modules[0][3], "", text, line)
            elif role == "imported" and modules:
                yield Import(modules[0][3], text, _alias_of(at, names, rows), line)
            elif role == "module" and not bound:
                yield Import(text, "", _alias_of(at, modules, rows), line)


def _alias_of(
    at: int,
    items: Sequence[tuple[tuple[int, int], int, str, str]],
    rows: Sequence[tuple[tuple[int, int], int, str, str]],
) -> str:
    following = min((row[1] for row in items if row[1] > at), default=1 << 62)
    begin = -1 if len(items) == 1 else at
    return next((row[3] for row in rows if row[2] == "alias" and begin < row[1] < following), "")


def _references(
    captures: Captures, source: bytes, spans: Sequence[Span], own_names: Sequence[int], lines: Sequence[int]
) -> References:
    """Uses of names with the definition around each; a name's own definition is none."""
    nodes = [captures.get(f"reference.{kind}", ()) for kind in REFERENCE_KINDS]
    starts = np.array([node.start_byte for found in nodes for node in found], dtype=np.int64)
    ends = np.array([node.end_byte for found in nodes for node in found], dtype=np.int64)
    kinds = np.repeat(np.arange(len(nodes), dtype=np.uint8), [len(found) for found in nodes])
    # Of several kinds at one place the first says most; a stable sort by place keeps that order.
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = starts[1:] > starts[:-1]
    is_own = np.zeros(len(source), dtype=bool)
    is_own[own_names] = True
    kept &= ~is_own[starts]
    order = order[kept][:_MAX_REFERENCES]
    starts, ends, kinds = starts[kept][:_MAX_REFERENCES], ends[order], kinds[order]
    text = source.decode("latin-1")  # one character a byte, so that offsets fit
    names = [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if not source.isascii():
        names = [name.encode("latin-1").decode("utf-8", "replace") for name in names]
    table: dict[str, int] = {}
    ordinals = np.array([table.setdefault(name, len(table)) for name in names], dtype="<u4")
    line = np.searchsorted(np.asarray(lines), starts, side="right")
    is_receiver = np.zeros(len(table), dtype=bool)
    is_receiver[[table[name] for name in _RECEIVERS if name in table]] = True
    kept = ~is_receiver[ordinals]
    before, receiver = _before_the_dot(source, starts[kept])
    return References(
        tuple(table),
        ordinals[kept].tobytes(),
        kinds[kept].tobytes(),
        line[kept].astype("<u4").tobytes(),
        _enclosing(starts, spans)[kept].astype("<u4").tobytes(),
        before,
        receiver.tobytes(),
    )


def _before_the_dot(source: bytes, starts: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct words that stand right before `.name`, `::name`, `->name`; for each offset one more than
    the ordinal of its word, 0 where none stands there. Read from the text: no grammar needs to help.
    """
    found = np.zeros(len(starts), dtype="<u4")
    text = np.frombuffer(b"\0\0" + source, dtype=np.uint8)[1:]  # text[i] is the byte before source[i]
    last, before_last = text[starts], text[starts - 1]
    joined = (last == ord(".")) | ((last == ord(":")) & (before_last == ord(":")))
    joined |= (last == ord(">")) & (before_last == ord("-"))
    dotted = np.flatnonzero(joined)
    ends = starts[dotted]
    for _ in range(_LONGEST_JOIN):
        ends = ends - _JOIN_PARTS[text[ends]]
    begins = np.where(_WORD_BYTES[text], 0, np.arange(1, len(text) + 1, dtype=np.int64))
    np.maximum.accumulate(begins, out=begins)
    firsts = begins[ends] - 1  # of the run of word bytes that ends here, counted in the source
    words: dict[bytes, int] = {}
    for at, first, end in zip(dotted.tolist(), firsts.tolist(), ends.tolist(), strict=True):
        if first < end:
            found[at] = words.setdefault(source[first:end], len(words)) + 1
    return tuple(word.decode("utf-8", "replace") for word in words), found


def _enclosing(starts: np.ndarray, spans: Sequence[Span]) -> np.ndarray:
    """For each offset one more than the ordinal of the innermost span around it, 0 for none."""
    offsets, owners = [0], [0]  # from offsets[i] on, owners[i] is innermost
    around: list[tuple[int, int]] = []

    def close_until(offset: int) -> None:
        while around and around[-1][0] <= offset:
            end, _ = around.pop()
            offsets.append(end)
            owners.append(around[-1][1] if around else 0)

    for ordinal, (start, end, _) in enumerate(spans, start=1):
        close_until(start)
        around.append((end, ordinal))
        offsets.append(start)
        owners.append(ordinal)
    close_until(1 << 62)
    return np.asarray(owners)[np.searchsorted(offsets, starts, side="right") - 1]


def line_starts(source: bytes) -> list[int]:
    """The offset at which each line begins."""
    newlines = np.flatnonzero(np.frombuffer(source, dtype=np.uint8) == ord("\n"))
    return [0, *(newlines + 1).tolist()]


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")
