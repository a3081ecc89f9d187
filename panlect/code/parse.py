"""One parse of one blob gives everything known of it: chunks, terms, symbols and the facts of the checks."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

import tree_sitter

from panlect.code import chunk, symbols, terms
from panlect.code.analysis import Analysis
from panlect.code.facts import FACTS_VERSION
from panlect.code.languages import SCRIPT, Language, is_minified, language_of, says_generated
from panlect.code.mentions import mentions_in
from panlect.code.scopes import scope_facts

ANALYSER_VERSION = f"3.{FACTS_VERSION}"  # part of every cache key: raise it when an analysis can differ
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parsed:
    """An analysis with the packed scope facts of the same parse (b"" for a language without checks)."""

    analysis: Analysis
    facts: bytes = b""


def parse(language: Language, source: bytes) -> tree_sitter.Tree:
    """The syntax tree of `source`. Errors in it are nodes of the tree; nothing is raised for them."""
    return _parser(language).parse(source)


@lru_cache(maxsize=64)
def _parser(language: Language) -> tree_sitter.Parser:
    return tree_sitter.Parser(language.load())


def analyse(path: str, source: bytes) -> Analysis:
    """What `source` says, read in the language of `path`. What cannot be read says why; nothing is raised."""
    return read(language_of(path, source), source, with_facts=False).analysis


def read(language: Language, source: bytes, *, with_facts: bool = True) -> Parsed:
    """Analysis and facts of one blob from one parse, with the same promise as `analyse`.

    Without facts it is what search alone needs: the scope facts and the mentions are left out.
    """
    if language is SCRIPT:
        language = language_of("", source)
    reason = unreadable(language, source)
    if reason:
        return Parsed(Analysis(language.name, "none", False, 0, skipped=reason))
    if not language.grammar:
        return Parsed(_mentioning(_by_lines(language, source), language, source))
    with _cycles_left_alone():
        tree = parse(language, source)
        analysis, facts = _by_syntax(language, tree.root_node, source), b""
        if with_facts and language.analysed:
            facts = scope_facts(tree.root_node, source, language.family).pack()
        return Parsed(_mentioning(analysis, language, source) if with_facts else analysis, facts)


@contextmanager
def _cycles_left_alone() -> Iterator[None]:
    """No cycle collection meanwhile: reading makes many small values and no cycles, and collecting costs a tenth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def unreadable(language: Language, source: bytes) -> str:
    """Why a blob is not analysed, "" when it can be."""
    if len(source) > MAX_BYTES:
        return "too large"
    if b"\0" in source:
        return "binary"
    if language.grammar and is_minified(source):
        return "minified"
    try:
        source.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""


def _by_syntax(language: Language, root: tree_sitter.Node, source: bytes) -> Analysis:
    found = symbols.symbols_of(language, root, source)
    chunks = chunk.to_chunks(source, chunk.cut_tree(root, source), found.spans)
    return Analysis(
        language=language.name,
        parser="tree-sitter",
        chunker="syntax",
        has_error=root.has_error,
        lines=_line_count(source),
        chunks=chunks,
        postings=terms.postings_of(
            source[c.start_byte : c.end_byte].decode("utf-8", "replace") for c in chunks
        ),
        definitions=found.definitions,
        references=found.references,
        imports=found.imports,
        generated=says_generated(source),
    )


def _by_lines(language: Language, source: bytes) -> Analysis:
    chunks = chunk.to_chunks(source, chunk.cut_lines(source), ())
    return Analysis(
        language=language.name,
        parser="lines",
        chunker="lines",
        has_error=False,
        lines=_line_count(source),
        chunks=chunks,
        postings=terms.postings_of(
            source[c.start_byte : c.end_byte].decode("utf-8", "replace") for c in chunks
        ),
        generated=says_generated(source),
    )


def _mentioning(analysis: Analysis, language: Language, source: bytes) -> Analysis:
    return replace(analysis, mentions=mentions_in(language.family, source, symbols.line_starts(source)))


def _line_count(source: bytes) -> int:
    return source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
