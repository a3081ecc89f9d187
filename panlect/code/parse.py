"""One parse of one blob gives everything known of it: chunks, terms, symbols and the facts of the checks."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import tree_sitter

from panlect.code import chunk, sections, symbols, terms
from panlect.code.analysis import Analysis, Chunk, Mention
from panlect.code.facts import FACTS_VERSION
from panlect.code.languages import SCRIPT, Language, is_minified, language_of, says_generated
from panlect.code.mentions import mentions_in
from panlect.code.scopes import scope_facts

ANALYSER_VERSION = f"4.{FACTS_VERSION}"  # part of every cache key: raise it when an analysis can differ
MAX_BYTES = 1024 * 1024
_MAX_DISORDER = 10**9  # of the children of each error, squared: half a second of a query


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
        return Parsed(_by_lines(language, source, mentions=with_facts))
    with _cycles_left_alone():
        tree = parse(language, source)
        facts = b""
        if with_facts and language.analysed:
            facts = scope_facts(tree.root_node, source, language.family).pack()
        if _in_disorder(tree.root_node):
            return Parsed(_by_lines(language, source, mentions=with_facts, has_error=True), facts)
        return Parsed(_by_syntax(language, tree.root_node, source, mentions=with_facts), facts)


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


def _by_syntax(language: Language, root: tree_sitter.Node, source: bytes, *, mentions: bool) -> Analysis:
    found = symbols.symbols_of(language, root, source)
    chunks = chunk.to_chunks(source, chunk.cut_tree(root, source), found.spans)
    postings, words = terms.postings_of(_texts(source, chunks))
    return Analysis(
        language=language.name,
        parser="tree-sitter",
        chunker="syntax",
        has_error=root.has_error,
        lines=_line_count(source),
        chunks=chunks,
        postings=postings,
        mentions=_mentions(language, source, words) if mentions else (),
        definitions=found.definitions,
        references=found.references,
        imports=found.imports,
        generated=says_generated(source),
    )


def _in_disorder(root: tree_sitter.Node) -> bool:
    """Whether no query can be run on the tree: at each token of an error it looks at all that follow.

    100 000 open brackets would take it five seconds, twice as many twenty.
    """
    disorder = 0
    stack = [root] if root.has_error else []
    while stack:
        node = stack.pop()
        if node.is_error:
            disorder += node.child_count**2
            if disorder > _MAX_DISORDER:
                return True
        stack.extend(child for child in node.children if child.has_error)
    return False


def _by_lines(language: Language, source: bytes, *, mentions: bool, has_error: bool = False) -> Analysis:
    marks = sections.marks_of(language.name, source)
    starts = [mark.start for mark in marks]
    ranges = chunk.cut_sections(source, starts) if marks else chunk.cut_lines(source)
    chunks = chunk.to_chunks(source, ranges, sections.sections_of(marks, len(source)))
    postings, words = terms.postings_of(_texts(source, chunks))
    return Analysis(
        language=language.name,
        parser="lines",
        chunker=language.chunker if marks else "lines",
        has_error=has_error,
        lines=_line_count(source),
        chunks=chunks,
        postings=postings,
        mentions=_mentions(language, source, words) if mentions else (),
        generated=says_generated(source),
    )


def _texts(source: bytes, chunks: Iterable[Chunk]) -> Iterator[str]:
    return (source[c.start_byte : c.end_byte].decode("utf-8", "replace") for c in chunks)


def _mentions(language: Language, source: bytes, words: Collection[str]) -> tuple[Mention, ...]:
    return mentions_in(language.family, source, symbols.line_starts(source), words)


def _line_count(source: bytes) -> int:
    return source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
