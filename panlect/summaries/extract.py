"""Summaries without a model: what a file says of itself in its first comment, and what it defines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from panlect.code.analysis import Definition
from panlect.hidden import without_hidden

_LOOKED_AT = 6000  # characters at the beginning of a file
_MOST_NAMES = 8
_MOST_PARTS = 8
_LONGEST = 320
_HOLDS = "It holds"
_RANK = {"class": 0, "interface": 0, "type": 0, "function": 1, "method": 1}
_UNTOLD = ("field", "module", "variable")
_DOCSTRING = re.compile(r'\A\s*[rRuU]?("""|\'\'\')(.*?)\1', re.S)
_BLOCK = re.compile(r"\A\s*(?:/\*+|<!--|\(\*|\{-|=begin\b)(.*?)(?:\*+/|-->|\*\)|-\}|^=end\b)", re.S | re.M)
_LINES = re.compile(r"\A\s*((?:[ \t]*(?:#|//+|--|;+|%+|\"(?!\"))[^\n]*(?:\n|\Z))+)")
_MARK = re.compile(r"^[ \t]*(?:#+!?|//+!?|--+|;+|%+|\*+|\")[ \t]?", re.M)
_PASSED_OVER = re.compile(
    r"\A(?:\s*(?:#!|#.*coding[:=]|//go:build|// \+build|'use strict'|\"use strict\"|<\?php|package [\w.]+;?|"
    r"from __future__)[^\n]*(?:\n|\Z))+"
)
_LEGAL = re.compile(
    r"copyright|licen[sc]e|spdx|all rights reserved|\(c\)|eslint|@ts-|noqa|pylint|jshint", re.I
)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
_WORD = re.compile(r"[^\W\d_]{3}")
_NO_PROSE = ("```", "|", "- ", "* ")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
_HEADING = re.compile(r"^(?:#{1,3}\s+.*|[^\n]+\n(?:={3,}|-{3,}))\n?", re.M)
_NOISE = re.compile(
    r"\A(?:\s*(?:!?\[[^\]\n]*\]\([^)\n]*\)|<[^>]+>|\[!\[[^\]\n]*\]\]?\([^)\n]*\)|\.\. [^\n]*|:[a-z-]+:[^\n]*)\s*)+"
)


def extract_file(text: str, definitions: Sequence[Definition], *, is_documentation: bool = False) -> str:
    """What a file says of itself and what it defines; "" when it says nothing."""
    if is_documentation:
        return first_paragraph(text)
    return " ".join(part for part in (_said(text), _defined(definitions)) if part)


def extract_directory(children: Mapping[str, str], lead: str = "") -> str:
    """`lead`, then what stands in a directory, by name with what each says first."""
    parts = [
        f"{name}: {first}" if (first := _first_sentence(text)) else name
        for name, text in list(children.items())[:_MOST_PARTS]
    ]
    more = len(children) - len(parts)
    held = f"{_HOLDS} {'; '.join(parts)}{f'; and {more} more' if more else ''}." if parts else ""
    return " ".join(part for part in (lead, held) if part)


def first_paragraph(text: str) -> str:
    """The first paragraph of a document that is prose, with its title before it."""
    seen = _FRONT_MATTER.sub("", without_hidden(text[:_LOOKED_AT])[0].replace("\r\n", "\n"))
    title = ""
    for paragraph in re.split(r"\n\s*\n", seen):
        body = paragraph.strip()
        heading = _HEADING.match(body)
        if heading:
            title = title or heading[0].split("\n")[0].lstrip("#").strip()
            body = body[heading.end() :]
        prose = " ".join(_NOISE.sub("", body).split())
        if len(prose) > 20 and not prose.startswith(_NO_PROSE) and not _LEGAL.search(prose[:80]):
            return _short(f"{title}: {prose}" if title else prose)
    return title


def _said(text: str) -> str:
    """The first paragraph of the leading comment that is not about rights or tools."""
    rest = without_hidden(text[:_LOOKED_AT])[0].replace("\r\n", "\n")
    for _ in range(3):
        rest = _PASSED_OVER.sub("", rest)
        for pattern, group in ((_DOCSTRING, 2), (_BLOCK, 1), (_LINES, 1)):
            match = pattern.match(rest)
            if match is None:
                continue
            said = match[group] if pattern is _DOCSTRING else _MARK.sub("", match[group])
            prose = _paragraph(said)
            if prose:
                return _short(prose)
            rest = rest[match.end() :]
            break
        else:
            return ""
    return ""


def _paragraph(comment: str) -> str:
    for paragraph in re.split(r"\n\s*\n", comment.strip()):
        prose = " ".join(paragraph.split())
        if len(prose) > 8 and _WORD.search(prose) and not _LEGAL.search(prose):
            return prose
    return ""


def _defined(definitions: Sequence[Definition]) -> str:
    """The top definitions by kind: those that others can use, or all where there are none."""
    top = [one for one in definitions if not one.parent]
    seen = [one for one in top if one.exported] or top
    names = {(_RANK.get(one.kind, 2), one.kind, one.name): None for one in seen if one.kind not in _UNTOLD}
    told = sorted(names, key=lambda name: name[0])[:_MOST_NAMES]
    if not told:
        return ""
    kinds = dict.fromkeys(kind for _, kind, _ in told)
    parts = [f"{kind} {', '.join(name for _, k, name in told if k == kind)}" for kind in kinds]
    more = len(names) - len(told)
    return f"Defines {'; '.join(parts)}{f' and {more} more' if more else ''}."


def first_sentence(text: str) -> str:
    """What a summary says first; "" when it only lists what is there."""
    if not text or text.startswith((_HOLDS, "Defines ")):
        return ""
    return _SENTENCE.split(text, 1)[0]


def _first_sentence(text: str) -> str:
    return first_sentence(text)[:120].rstrip(". ")


def _short(prose: str) -> str:
    """The first sentences that fit."""
    said = ""
    for sentence in _SENTENCE.split(prose):
        if said and len(said) + len(sentence) > _LONGEST:
            break
        said = f"{said} {sentence}".strip()
    said = said[:_LONGEST]
    return said if said.endswith((".", "!", "?", ":")) else f"{said}."
