"""An analysis as bytes: four columns a blob, each read without the others.

`meta` is small and always read, `search` holds chunks and postings, `symbols` definitions, references and
imports (led by hashed names, so that one look-up decodes only the blobs that know a name), `facts` those of
the checks. msgpack with raw little-endian columns inside: numpy reads them in place, nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgpack

from panlect.code.analysis import Analysis, Chunk, Definition, Import, Mention, Postings, References
from panlect.code.parse import Parsed
from panlect.code.terms import term_id

Column = Literal["meta", "search", "symbols", "facts"]
COLUMNS: tuple[Column, ...] = ("meta", "search", "symbols", "facts")


class Packed(NamedTuple):
    """The columns of one blob."""

    meta: bytes
    search: bytes
    symbols: bytes
    facts: bytes


class Meta(NamedTuple):
    """What is asked of every blob."""

    language: str
    parser: str
    has_error: bool
    lines: int
    generated: bool
    skipped: str
    chunker: str


class SearchColumns(NamedTuple):
    """Chunks and postings as raw columns: u32 each; `hashes` 16 bytes a chunk."""

    start_bytes: bytes
    end_bytes: bytes
    start_lines: bytes
    end_lines: bytes
    scopes: tuple[str, ...]  # one a chunk
    hashes: bytes
    words: bytes  # and what follows: as `analysis.Postings`
    chunks: bytes
    counts: bytes
    word: bytes
    terms: bytes


class SymbolColumns(NamedTuple):
    """Hashed names (u64, ascending) that the blob defines, uses, extends and mentions; its symbols, still packed."""

    defined: bytes
    used: bytes
    extended: bytes
    mentioned: bytes  # of `mention_key`
    definitions: bytes
    references: bytes
    imports: bytes
    mentions: bytes


def pack(parsed: Parsed) -> Packed:
    """The columns of an analysis and its facts."""
    analysis = parsed.analysis
    meta = Meta(
        analysis.language,
        analysis.parser,
        analysis.has_error,
        analysis.lines,
        analysis.generated,
        analysis.skipped,
        analysis.chunker,
    )
    return Packed(_packb(meta), _packb(_search(analysis)), _packb(_symbols(analysis)), parsed.facts)


def crashed(language: str, reason: str) -> Packed:
    """The columns of a blob whose analysis killed its process, or took too long."""
    return pack(Parsed(Analysis(language, "none", has_error=False, lines=0, skipped=reason)))


def meta_of(column: bytes) -> Meta:
    """Raises ValueError when the bytes are no such column."""
    return Meta._make(_row(column, len(Meta._fields)))


def search_of(column: bytes) -> SearchColumns:
    """Raises ValueError when the bytes are no such column."""
    return SearchColumns._make(_row(column, len(SearchColumns._fields)))


def symbols_of(column: bytes) -> SymbolColumns:
    """Raises ValueError when the bytes are no such column."""
    return SymbolColumns._make(_row(column, len(SymbolColumns._fields)))


def definitions_of(symbols: SymbolColumns) -> tuple[Definition, ...]:
    """The definitions of a blob."""
    return tuple(map(Definition._make, _unpackb(symbols.definitions)))


def mentions_of(symbols: SymbolColumns) -> tuple[Mention, ...]:
    """The mentions of a blob."""
    return tuple(map(Mention._make, _unpackb(symbols.mentions)))


def references_of(symbols: SymbolColumns) -> References:
    """The references of a blob."""
    return References(*_unpackb(symbols.references))


def imports_of(symbols: SymbolColumns) -> tuple[Import, ...]:
    """The imports of a blob."""
    return tuple(map(Import._make, _unpackb(symbols.imports)))


def unpack(meta: bytes, search: bytes, symbols: bytes) -> Analysis:
    """The analysis that `pack` was given. Raises ValueError when the bytes are anything else."""
    head, found, names = meta_of(meta), search_of(search), symbols_of(symbols)
    return Analysis(
        language=head.language,
        parser=head.parser,
        has_error=head.has_error,
        lines=head.lines,
        chunks=chunks_of(found),
        postings=Postings(*found[6:]),
        definitions=definitions_of(names),
        references=references_of(names),
        imports=imports_of(names),
        mentions=mentions_of(names),
        generated=head.generated,
        skipped=head.skipped,
        chunker=head.chunker,
    )


def chunks_of(columns: SearchColumns) -> tuple[Chunk, ...]:
    """The chunks of a blob."""
    hashes = (columns.hashes[at : at + 16].hex() for at in range(0, len(columns.hashes), 16))
    numbers = (_from_u32(column) for column in columns[:4])
    return tuple(Chunk(*row) for row in zip(*numbers, columns.scopes, hashes, strict=True))


def _search(analysis: Analysis) -> SearchColumns:
    chunks, postings = analysis.chunks, analysis.postings
    return SearchColumns(
        _u32([c.start_byte for c in chunks]),
        _u32([c.end_byte for c in chunks]),
        _u32([c.start_line for c in chunks]),
        _u32([c.end_line for c in chunks]),
        tuple(c.scope for c in chunks),
        bytes.fromhex("".join(c.hash for c in chunks)),
        postings.words,
        postings.chunks,
        postings.counts,
        postings.word,
        postings.terms,
    )


def _symbols(analysis: Analysis) -> SymbolColumns:
    uses = analysis.references
    return SymbolColumns(
        _name_ids(sorted({d.name for d in analysis.definitions})),
        _name_ids(uses.names),
        _name_ids(sorted({base for d in analysis.definitions for base in d.bases})),
        _name_ids(sorted({mention_key(m.kind, m.name) for m in analysis.mentions})),
        _packb(analysis.definitions),
        _packb((uses.names, uses.name, uses.kind, uses.line, uses.enclosing, uses.receivers, uses.receiver)),
        _packb(analysis.imports),
        _packb(analysis.mentions),
    )


def mention_key(kind: str, name: str) -> str:
    """Under which a mention is found: no name of code looks like it."""
    return f"{kind}\0{name}"


@lru_cache(maxsize=1 << 16)
def name_id(name: str) -> int:
    """The id under which a name is found in `defined` and `used`."""
    return term_id(name)


def _name_ids(names: Sequence[str]) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in sorted(map(name_id, names)))


def _u32(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _from_u32(column: bytes) -> list[int]:
    return [int.from_bytes(column[at : at + 4], "little") for at in range(0, len(column), 4)]


def _row(column: bytes, fields: int) -> Any:
    row = _unpackb(column)
    if not isinstance(row, tuple) or len(row) != fields:
        raise ValueError("not a column of an analysis")
    return row


def _packb(row: Any) -> bytes:
    return bytes(msgpack.packb(row))


def _unpackb(column: bytes) -> Any:
    try:
        return msgpack.unpackb(column, use_list=False)
    except (msgpack.exceptions.UnpackException, ValueError) as error:
        raise ValueError("not a column of an analysis") from error
