"""What one blob says: chunks, definitions, references, imports, terms and the scope facts of the checks.

Pure values, made by `parse.analyse` from bytes alone and addressed by (blob sha, analyser version).
Lines are 1-based and inclusive; bytes are offsets into the blob.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file that search returns: about 950 non-white bytes, cut at syntax (cAST)."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    scope: str  # qualified name of the innermost definition around it, "" at module level
    hash: str  # blake2b-128 hex over (scope, text): what an embedding is keyed by
    terms: tuple[tuple[str, int], ...]  # split + stemmed term -> count


@dataclass(frozen=True, slots=True)
class Definition:
    """A named thing. `kind`: function, method, class, interface, type, constant, variable, field."""

    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int
    signature: str  # one line, without the body
    parent: str = ""
    exported: bool = True


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name. `kind`: call, attribute, name, type. `enclosing`: the definition it stands in."""

    name: str
    kind: str
    line: int
    enclosing: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """`from module import name as alias`; `name` is "" for the module itself, "*" for everything."""

    module: str
    name: str
    alias: str
    line: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything known of one blob in one language. `parser` records what read it: tree-sitter or lines."""

    language: str
    parser: str
    has_error: bool
    lines: int
    chunks: tuple[Chunk, ...]
    definitions: tuple[Definition, ...]
    references: tuple[Reference, ...]
    imports: tuple[Import, ...]
    skipped: str = ""  # why nothing was analysed: too large, minified, binary, generated
