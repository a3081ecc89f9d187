"""What one blob says: chunks, definitions, references, imports and term counts.

Pure values, made by `parse.analyse` from bytes alone and addressed by (analyser version, language, blob sha).
Lines are 1-based and inclusive; bytes are offsets into the blob. What there are thousands of in a file is a
named tuple: four times quicker to make than a frozen dataclass, and packed as it is.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Chunk(NamedTuple):
    """A piece of a file that search returns: about 950 non-white bytes, cut at syntax (cAST)."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    scope: str  # qualified name of the innermost definition around it, "" at module level
    hash: str  # blake2b-128 hex over (scope, text): what an embedding is keyed by


@dataclass(frozen=True, slots=True)
class Postings:
    """Which words stand in which chunk how often, and the terms each word stands for. Columns for numpy.

    One row for each word of each chunk: `words` u32 ordinals of the blob's distinct words, `chunks` u32
    ordinals of its chunks, `counts` u16. One row for each term of each word: `word` u32, `terms` u64 ids
    of `terms.term_id`. All little-endian. A word is spelt out into its terms only when a segment is made,
    for all blobs at once.
    """

    words: bytes = b""
    chunks: bytes = b""
    counts: bytes = b""
    word: bytes = b""
    terms: bytes = b""


class Definition(NamedTuple):
    """A named thing. `kind`: function, method, class, interface, type, constant, variable, field, module,
    extension (adds members or bases to a type that is defined elsewhere, under that type's name).
    """

    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int
    signature: str  # one line, without the body
    parent: str = ""  # qualified name of what holds it
    exported: bool = True
    bases: tuple[str, ...] = ()  # last names of what it extends, implements or embeds, as written


class Reference(NamedTuple):
    """A use of a name. `kind`: call, attribute, name, type. `enclosing`: the definition it stands in.

    `receiver`: the word before the dot (`cart` of `self.cart.total()`), "" where there is none.
    """

    name: str
    kind: str
    line: int
    enclosing: str = ""
    receiver: str = ""


REFERENCE_KINDS = ("call", "type", "attribute", "name")


@dataclass(frozen=True, slots=True)
class References:
    """All uses of names in a blob as columns: there is one for every forty bytes of code.

    `name` u32 ordinals into `names`, `kind` u8 ordinals into REFERENCE_KINDS, `line` u32, `enclosing` u32:
    one more than the ordinal of the definition around it, 0 for none; `receiver` u32: the same into
    `receivers`. All little-endian, in text order.
    """

    names: tuple[str, ...] = ()
    name: bytes = b""
    kind: bytes = b""
    line: bytes = b""
    enclosing: bytes = b""
    receivers: tuple[str, ...] = ()
    receiver: bytes = b""

    def __len__(self) -> int:
        return len(self.kind)

    def rows(self, definitions: Sequence[Definition], wanted: str | None = None) -> Iterator[Reference]:
        """The references of one name (of all when it is None), with `definitions` of the same analysis."""
        if wanted is not None and wanted not in self.names:
            return
        chosen = None if wanted is None else self.names.index(wanted)
        numbers = map(_u32, (self.name, self.line, self.enclosing, self.receiver))
        for name, line, enclosing, receiver, kind in zip(*numbers, self.kind, strict=True):
            if chosen is None or name == chosen:
                around = definitions[enclosing - 1].qualified_name if enclosing else ""
                before = self.receivers[receiver - 1] if receiver else ""
                yield Reference(self.names[name], REFERENCE_KINDS[kind], line, around, before)


def _u32(column: bytes) -> Sequence[int]:
    values = array("I", column)
    if sys.byteorder == "big":
        values.byteswap()
    return values


class Import(NamedTuple):
    """`from module import name as alias`; `name` is "" for the module itself, "*" for everything."""

    module: str
    name: str
    alias: str
    line: int


class Mention(NamedTuple):
    """A name that code shares with the world by a string: `kind` env, route, flag, config, table, column, feature."""

    kind: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything known of one blob in one language.

    `parser` records what read it (tree-sitter, lines, or none), `chunker` what cut it (syntax, lines, or none).
    """

    language: str
    parser: str
    has_error: bool
    lines: int
    chunks: tuple[Chunk, ...] = ()
    postings: Postings = Postings()
    definitions: tuple[Definition, ...] = ()
    references: References = References()
    imports: tuple[Import, ...] = ()
    mentions: tuple[Mention, ...] = ()
    generated: bool = False  # a comment near the top says that a tool wrote it
    chunker: str = "none"
    skipped: str = ""  # why nothing was analysed: too large, not UTF-8, minified, binary, parser crashed
