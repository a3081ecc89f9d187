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
from itertools import count, groupby
from typing import NamedTuple

import numpy as np
import tree_sitter
from tree_sitter import Node, QueryCursor

from panlect.code.analysis import REFERENCE_KINDS, Definition, Import, References
from panlect.code.languages import Language

_MAX_SIGNATURE = 300
_MAX_DEFINITIONS = 20_000  # of one blob: a file with more is data
_MAX_REFERENCES = 100_000
# Names in deeper nodes are not looked for: a query keeps a state for each level above, so that a chain of
# 100 000 dots would take it minutes. People nest some fifty levels.
_DEEPEST = 512
# When several patterns match one node, the kind that says most wins.
# An enum is a type, also where the grammar has it as a class.
_SPECIFIC = {"enum": 4, "method": 3, "class": 3, "interface": 3, "extension": 3, "function": 2, "field": 1}
_DOTTED = frozenset({"module", "extension"})  # whose names may be qualified
_EXTENDING = frozenset({"class", "interface", "type", "extension", "module"})  # what can have bases
_WITH_METHODS = frozenset({"class", "interface", "type", "extension"})  # a function right in one is a method
# What cannot hold what: a field that a constructor's parameter declares is its class's, and so is a type
# that a field of C declares in passing.
_NO_HOLDERS = {
    "field": frozenset({"function", "method"}),
    "class": frozenset({"field", "variable"}),
    "type": frozenset({"field", "variable"}),
    "constant": frozenset({"field", "variable"}),
}
_FUNCTIONS = frozenset({"function", "method"})
_RECEIVERS = frozenset({"self", "cls", "this", "super"})
_QUOTES = "\"'`<>"
_JOINS = re.compile(r"::|\\")
_JOIN = re.compile(rb"::|[.\\\\]")
_IMPORT_ROLES = ("module", "path", "imported", "alias", "default", "namespace", "itself", "everything")
_LONGEST_JOIN = 3  # bytes: `!!.` of Kotlin


def _bytes_table(members: bytes) -> np.ndarray:
    """256 truth values: which bytes are members."""
    return np.isin(np.arange(256), np.frombuffer(members, dtype=np.uint8))


_JOIN_PARTS = _bytes_table(b".:>?!&-").astype(np.int64)
_OTHER_BYTES = ~_bytes_table(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$" + bytes(range(128, 256))
)

Captures = Mapping[str, Sequence[Node]]
Range = tuple[int, int]  # start byte, end byte
_Part = tuple[Range, int, str, str]  # of an import: its range, where this part begins, role, text
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
    visible: bool | None  # what a modifier says; None: the language's rule decides


def symbols_of(language: Language, root: Node, source: bytes) -> Symbols:
    """Everything the language's query finds below `root`, in the order of the text."""
    cursor = QueryCursor(_query(language))
    cursor.set_max_start_depth(_DEEPEST)
    captures = cursor.captures(root)
    lines = line_starts(source)
    named = sorted(_named(captures, source), key=lambda one: (one.node_start, -one.end, one.name_start))
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
    bodies = dict(reversed(_owned(order, captures.get("body", ()), within=True)))  # the first body counts
    receivers: dict[Range, list[str]] = {}
    for range_, node in _owned(order, captures.get("receiver", ())):
        receivers.setdefault(range_, []).append(_dotted(_text(node, source)))
    bases: dict[Range, dict[str, None]] = {}
    for range_, node in _owned(order, captures.get("base", ())):
        if kinds[range_] in _EXTENDING:
            bases.setdefault(range_, {})[_text(node, source)] = None
    visible = _visible(order, captures)
    for range_, node in _owned(order, captures.get("name", ())):
        body = bodies.get(range_)
        yield _Named(
            widened.get(range_, range_[0]),
            range_[1],
            kinds[range_],
            _dotted(_plain(_text(node, source))) if kinds[range_] in _DOTTED else _plain(_text(node, source)),
            node.start_byte,
            range_[0],
            body.start_byte if body is not None else range_[1],
            ".".join(receivers.get(range_, ())),
            tuple(bases.get(range_, ())),
            visible.get(range_),
        )


def _visible(order: Sequence[Range], captures: Captures) -> dict[Range, bool]:
    """What modifiers (@public, @hidden) and the section of a class body (from @open, @closed on) say."""
    found: dict[Range, bool] = {}
    sections: dict[Range, list[tuple[int, bool]]] = {}
    for capture, opens in (("open", True), ("closed", False)):
        for owner, node in _owned(order, captures.get(capture, ())):
            sections.setdefault(owner, []).append((node.start_byte, opens))
    if sections:
        for owner, (start, end) in _parents(order):
            before = [row for row in sections.get(owner, ()) if row[0] < start]
            if before:
                found[start, end] = max(before)[1]
    found |= dict.fromkeys((owner for owner, _ in _owned(order, captures.get("public", ()))), True)
    found |= dict.fromkeys((owner for owner, _ in _owned(order, captures.get("hidden", ()))), False)
    return found


def _parents(order: Sequence[Range]) -> Iterator[tuple[Range, Range]]:
    """Each range inside another with the innermost one around it."""
    around: list[Range] = []
    for range_ in order:
        while around and around[-1][1] < range_[1]:
            around.pop()
        if around:
            yield around[-1], range_
        around.append(range_)


def _definition_nodes(captures: Captures) -> dict[Range, str]:
    """Byte range of each definition -> its kind. What an import binds is not defined here."""
    kinds: dict[Range, str] = {}
    for capture, nodes in sorted(
        captures.items(), key=lambda pair: (_SPECIFIC.get(pair[0][11:], 0), pair[0])
    ):
        if capture.startswith("definition."):
            kind = capture[11:] if capture != "definition.enum" else "type"
            kinds.update(((node.start_byte, node.end_byte), kind) for node in nodes)
    for capture in ("import", "skip"):
        for node in captures.get(capture, ()):
            kinds.pop((node.start_byte, node.end_byte), None)
    return kinds


def _owned(
    order: Sequence[Range], nodes: Sequence[Node], *, within: bool = False
) -> list[tuple[Range, Node]]:
    """Each node with the innermost range around it, in text order, each node once.

    `within`: a range that is the node's own does not count (a body that is one definition alone).
    """
    if not nodes:
        return []
    owned: list[tuple[Range, Node]] = []
    around: list[Range] = []
    coming, last = 0, -1
    for start, end, node in sorted(((n.start_byte, n.end_byte, n) for n in nodes), key=lambda row: row[:2]):
        while coming < len(order) and order[coming][0] <= start:
            while around and around[-1][1] < order[coming][1]:
                around.pop()
            around.append(order[coming])
            coming += 1
        while around and around[-1][1] < end:
            around.pop()
        if start == last:
            continue
        inner = 2 if within and around and around[-1] == (start, end) else 1
        if len(around) >= inner:
            owned.append((around[-inner], node))
            last = start
    return owned


def _widened(order: Sequence[Range], spans: Iterable[Node]) -> dict[Range, int]:
    """Where a decorated definition begins: the first definition after a span's start is the one it holds."""
    starts = [start for start, _ in order]
    found: dict[Range, int] = {}
    for node in spans:
        at = bisect_left(starts, node.start_byte)
        if at < len(order) and order[at][1] <= node.end_byte:
            found[order[at]] = min(node.start_byte, found.get(order[at], node.start_byte))
    return found


def _qualify(
    named: Sequence[_Named],
    captures: Captures,
    public_names: re.Pattern[str] | None,
    source: bytes,
    lines: Sequence[int],
) -> tuple[tuple[Definition, ...], tuple[Span, ...]]:
    """Qualify each name with what it stands in, by one sweep with a stack of open definitions."""
    outside = {(node.start_byte, node.end_byte) for node in captures.get("global", ())}
    exported = {node.start_byte for node in captures.get("exported", ())}
    listed = {_text(node, source) for node in captures.get("exported.name", ())}
    unlisted = {_plain(_text(node, source)) for node in captures.get("hidden.name", ())}
    definitions, spans = [], []
    around: list[tuple[int, int, str, bool, str]] = []
    for one in named:
        while around and (around[-1][1] < one.end or (around[-1][0], around[-1][1]) == (one.start, one.end)):
            around.pop()
        if (one.node_start, one.end) in outside and any(kind in _FUNCTIONS for *_, kind in around):
            continue
        skipped = _NO_HOLDERS.get(one.kind, frozenset())
        holders = around
        while holders and holders[-1][4] in skipped:
            holders = holders[:-1]
        _, _, parent, outer, around_it = holders[-1] if holders else (0, 0, "", True, "")
        if one.receiver:  # names what it belongs to, as seen from the module around it
            parent = f"{parent}.{one.receiver}" if around_it == "module" else one.receiver
        kind = "method" if one.kind == "function" and around_it in _WITH_METHODS else one.kind
        qualified = f"{parent}.{one.name}" if parent else one.name
        if one.name in unlisted:
            public = False
        elif one.visible is not None:
            public = one.visible and outer
        elif one.node_start in exported or one.name in listed:
            public = True
        elif public_names is not None:
            public = outer and public_names.match(one.name) is not None
        else:
            public = bool(parent) and outer
        first, last = bisect_right(lines, one.start), bisect_right(lines, max(one.start, one.end - 1))
        signature = _signature(one, source)
        definitions.append(
            Definition(one.name, qualified, kind, first, last, signature, parent, public, one.bases)
        )
        spans.append((one.start, one.end, qualified))
        around.append((one.start, one.end, qualified, public, kind))
    return tuple(definitions), tuple(spans)


def _signature(one: _Named, source: bytes) -> str:
    """The definition without its body, on one line."""
    end = min(max(one.body, one.node_start), one.node_start + 4 * _MAX_SIGNATURE)
    text = source[one.node_start : end].decode("utf-8", "replace")
    line = " ".join(text.split()).rstrip(" {:;").removesuffix("=>").rstrip(" {:;=")
    return line if len(line) <= _MAX_SIGNATURE else line[: _MAX_SIGNATURE - 1] + "…"


def _imports(captures: Captures, source: bytes, lines: Sequence[int]) -> Iterator[Import]:
    """Each imported name. An alias belongs to the name before it, or to the only one there is.

    Imports inside another (`use a::{b, c::d}`) are joined to the module of the one around them.
    """
    ranges = {(node.start_byte, node.end_byte) for node in captures.get("import", ())}
    if not ranges:
        return
    order = sorted(ranges, key=lambda range_: (range_[0], -range_[1]))
    parts: list[_Part] = sorted(
        (range_, node.start_byte, role, _plain(_text(node, source)))
        for role in _IMPORT_ROLES
        if role in captures
        for range_, node in _owned(order, captures.get(role, ()))
    )
    parts = _without_paths(parts)
    own = {range_: (at, text) for range_, at, role, text in reversed(parts) if role == "module"}
    around = {inner: outer for outer, inner in _parents(order)}
    holding = set(around.values())
    whole: dict[Range, str] = {}
    prefixes: dict[Range, str] = {}
    for range_ in order:
        prefix = prefixes[around[range_]] if range_ in around else ""
        at, module = own.get(range_, (0, ""))
        whole[range_] = prefix + module
        prefixes[range_] = whole[range_] + (_join_after(source, at + len(module.encode())) if module else "")
    for range_, group in groupby(parts, key=lambda part: part[0]):
        rows = list(group)
        module = whole[range_] or prefixes.get(around.get(range_, range_), "")
        names = [row for row in rows if row[2] in ("imported", "itself")]
        modules = [row for row in rows if row[2] == "module"]
        alias_of = _aliases(names or modules, rows)
        bound = range_ in holding or any(row[2] not in ("module", "alias") for row in rows)
        for _, at, role, text in rows:
            line = bisect_right(lines, at)
            if role == "default" and module:
                yield Import(module, "default", text, line)
            elif role == "namespace" and module:
                yield Import(module, "", text, line)
            elif role == "everything":
                yield Import(module, "*", "", line)
            elif role == "itself":
                yield Import(module, "", alias_of.get(at, ""), line)
            elif role == "imported" and module:
                yield Import(module, text, alias_of.get(at, ""), line)
            elif role == "module" and not bound:
                yield Import(module if len(modules) == 1 else text, "", alias_of.get(at, ""), line)


def _without_paths(parts: list[_Part]) -> list[_Part]:
    """@path names each step of a dotted module; its last step is the name imported, unless everything is."""
    paths = [part for part in parts if part[2] == "path"]
    if not paths:
        return parts
    whole = {range_ for range_, _, role, _ in parts if role == "everything"}
    steps: dict[Range, dict[int, str]] = {}
    for range_, at, _, text in paths:
        steps.setdefault(range_, {})[at] = text
    kept = []
    for part in parts:
        range_, at, role, _ = part
        if role == "imported" and at in steps.get(range_, ()):
            if range_ in whole:
                continue
            del steps[range_][at]
        if role != "path":
            kept.append(part)
    kept.extend(
        (range_, min(found), "module", ".".join(found.values())) for range_, found in steps.items() if found
    )
    return sorted(kept)


def _join_after(source: bytes, at: int) -> str:
    """What joins a module to what is imported of it: `::`, `.` or a backslash."""
    found = _JOIN.match(source, at)
    return found.group().decode() if found else ""


def _aliases(items: Sequence[_Part], rows: Sequence[_Part]) -> dict[int, str]:
    """Where an item begins -> its alias: the first one between it and the next item."""
    found: dict[int, str] = {}
    starts = {item[1] for item in items}
    at = items[0][1] if len(items) == 1 else -1
    for row in rows:
        if row[1] in starts:
            at = row[1]
        elif row[2] == "alias":
            found.setdefault(at, row[3])
    return found


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
    table = dict(zip(dict.fromkeys(names), count(), strict=False))
    ordinals = np.fromiter(map(table.__getitem__, names), "<u4", len(names))
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
    if not len(dotted):
        return (), found
    ends = starts[dotted]
    for _ in range(_LONGEST_JOIN):
        ends = ends - _JOIN_PARTS[text[ends]]
    # Where the run of word bytes that ends here begins, counted in the source: after the last other byte.
    others = np.flatnonzero(_OTHER_BYTES[text])
    firsts = others[np.searchsorted(others, ends, side="right") - 1]
    before = [source[first:end] for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)]
    words: dict[bytes, int] = {}
    numbers = {b"": 0}
    for word in dict.fromkeys(before):
        if word:  # PHP's `$cart` is cart; the `$` of JavaScript is a name
            numbers[word] = words.setdefault(word.lstrip(b"$") or word, len(words) + 1)
    found[dotted] = np.fromiter(map(numbers.__getitem__, before), "<u4", len(before))
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


def _plain(text: str) -> str:
    """A name without its quotes or angle brackets, or the colon of a symbol."""
    return text.strip(_QUOTES) if text[:1] in _QUOTES else text.lstrip(":")


def _dotted(text: str) -> str:
    """A qualified name as we write it, without type arguments: `shop::Cart<T>` is shop.Cart."""
    outside, depth = [], 0
    for character in text:
        depth += (character in "<[") - (character in ">]")
        if not depth and character not in ">] \n\t":
            outside.append(character)
    return _JOINS.sub(".", "".join(outside)).strip(".")


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")
