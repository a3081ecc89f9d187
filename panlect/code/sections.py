"""Where a file without a grammar may be cut: Markdown at headings, SQL between statements, YAML at keys.

Pure: bytes in, sections out, each with the name that a search result shows ("Install > Linux"). A few states
and one pass over the lines, so that its time is linear whatever the content is; a file that is not what its
name says gives fewer sections, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_MAX_SECTIONS = 20_000  # of one file: one with more is data
_LONGEST_TITLE = 80
_LONGEST_PATH = 240
_DEEPEST = 8
_LONGEST_HEADER = 400  # bytes of a line that may name a section; a longer one is data


class Mark(NamedTuple):
    """A place to cut: where it begins, how deep it nests (1 is outermost), what it is called ("": nothing)."""

    start: int
    level: int
    title: str


Section = tuple[int, int, str]  # start byte, end byte, titles from the outermost on
Scanner = Callable[[bytes], Iterator[Mark]]


def marks_of(language: str, source: bytes) -> list[Mark]:
    """The places to cut a file of `language` at, in order; none for a language that nobody declared."""
    scanner = _SCANNERS.get(language)
    if scanner is None:
        return []
    marks: list[Mark] = []
    for mark in scanner(source):
        if len(marks) >= _MAX_SECTIONS:
            break
        if not marks or mark.start > marks[-1].start:
            marks.append(mark)
    return marks


def sections_of(marks: Sequence[Mark], size: int) -> list[Section]:
    """The named sections with their whole extent, outer before inner."""
    found: list[tuple[int, int, str]] = []
    open_: list[tuple[int, str, int]] = []  # level, path, where in `found`

    def close(level: int, at: int) -> None:
        while open_ and open_[-1][0] >= level:
            _, path, where = open_.pop()
            found[where] = (found[where][0], at, path)

    for mark in marks:
        close(mark.level, mark.start)
        if mark.title:
            path = f"{open_[-1][1]} > {mark.title}" if open_ else mark.title
            open_.append((mark.level, path[:_LONGEST_PATH], len(found)))
            found.append((mark.start, size, path[:_LONGEST_PATH]))
    close(0, size)
    return found


def _lines(source: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line with its offset, without its end."""
    start = 0
    while start < len(source):
        newline = source.find(b"\n", start)
        stop = len(source) if newline < 0 else newline
        yield start, source[start:stop]
        start = stop + 1


def _title(raw: bytes) -> str:
    text = " ".join(raw[:_LONGEST_HEADER].decode("utf-8", "replace").split())
    return text[:_LONGEST_TITLE]


_HEADING = re.compile(rb" {0,3}(#{1,6})(?=[ \t\r]|$)")
_FENCE = re.compile(rb" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(rb" {0,3}(=+|-{2,})[ \t\r]*$")


def _markdown(source: bytes) -> Iterator[Mark]:
    """Headings with # and with a line below. A fenced block and the front matter have none."""
    fence = b""
    above: tuple[int, bytes] | None = None  # a line of text that an underline makes a heading
    in_front = False
    for start, line in _lines(source):
        if start == 0 and line.rstrip() in (b"---", b"+++"):
            in_front = True
            continue
        if in_front:
            in_front = line.rstrip() not in (b"---", b"+++", b"...")
            continue
        opened = _FENCE.match(line)
        if opened and opened[1].startswith(b"`") and b"`" in line[opened.end() :]:
            opened = None  # code within a line
        if fence:
            if opened and opened[1].startswith(fence) and not line[opened.end() :].strip():
                fence = b""
            continue
        if opened:
            fence, above = opened[1], None
            continue
        short = line[:_LONGEST_HEADER]
        heading = _HEADING.match(short)
        if heading:
            yield Mark(start, len(heading[1]), _title(short[heading.end() :].strip().rstrip(b"#")) or "-")
            above = None
        elif above is not None and (below := _UNDERLINE.match(short)):
            yield Mark(above[0], 1 if below[1].startswith(b"=") else 2, _title(above[1]))
            above = None
        else:
            text = line.strip()
            above = (start, text) if text and not text.startswith((b">", b"|", b"- ", b"* ", b"<")) else None


_ADORNMENT = re.compile(rb"([=\-`:'\"~^_*+#<>.])\1{2,}[ \t\r]*$")


def _rest(source: bytes) -> Iterator[Mark]:
    """Underlined titles of reStructuredText; a character's level is the order in which it first occurs."""
    levels: dict[tuple[bytes, bool], int] = {}
    before: tuple[int, bytes] | None = None  # the line above, when it may be a title
    over: tuple[int, bytes] | None = None  # the line above that, when it is an adornment
    for start, line in _lines(source):
        adorned = _ADORNMENT.match(line[:_LONGEST_HEADER])
        text = line.strip()
        if adorned and before is not None and len(text) >= len(before[1].decode("utf-8", "replace")):
            over_it = over is not None and over[1] == adorned[1]
            key = adorned[1], over_it
            level = levels.setdefault(key, min(len(levels) + 1, _DEEPEST))
            yield Mark(over[0] if over is not None and over_it else before[0], level, _title(before[1]))
            before = over = None
        elif adorned:
            before, over = None, (start, adorned[1])
        else:
            over = over if before is None and text else None
            before = (start, text) if text and not line.startswith((b" ", b"\t", b"..")) else None


_SQL_TOKEN = re.compile(rb"--|/\*|['\"`;]|\$[A-Za-z_]*\$")
_SQL_NAME = re.compile(
    rb"\s*(?:create|alter|drop)\s+(?:(?:or\s+replace|unique|temp|temporary|materialized|unlogged|external|global"
    rb"|concurrently|recursive|foreign|event)\s+)*"
    rb"(?:table|view|index|function|procedure|trigger|type|sequence|schema|policy|role|extension|domain|database)"
    rb"\s+(?:(?:if\s+(?:not\s+)?exists|concurrently|only)\s+)*([\w.\"`\[\]]{1,120})",
    re.IGNORECASE,
)
_SQL_LEAD = re.compile(rb"(?:\s+|--[^\n]*\n)*")


def _sql(source: bytes) -> Iterator[Mark]:
    """Statements: up to a semicolon outside quotes, comments and dollar quotes."""
    begin = at = 0
    while True:
        token = _SQL_TOKEN.search(source, at)
        mark = token.group() if token else b";"
        if mark == b";":
            if source[begin : token.start() if token else None].strip():
                yield Mark(begin, 1, _sql_title(source, begin))
            if token is None:
                return
            begin = at = _after_line(source, token.end())
        else:
            assert token is not None
            closing = {b"--": b"\n", b"/*": b"*/"}.get(mark, mark)
            stop = source.find(closing, token.end())
            at = len(source) if stop < 0 else stop + len(closing)


def _after_line(source: bytes, at: int) -> int:
    """The start of the next line when nothing but white space or a comment follows, else `at`."""
    newline = source.find(b"\n", at, at + _LONGEST_HEADER)
    rest = source[at:newline].strip() if newline >= 0 else b"-"
    return newline + 1 if newline >= 0 and (not rest or rest.startswith(b"--")) else at


def _sql_title(source: bytes, begin: int) -> str:
    window = source[begin : begin + 4 * _LONGEST_HEADER]
    lead = _SQL_LEAD.match(window)
    named = _SQL_NAME.match(window, lead.end() if lead else 0)
    return _title(named[1].translate(None, b'"`[]')) if named else ""


_YAML_KEY = re.compile(rb"( *)([^\s#\-\[{&*!|>%@][^#:]{0,119}):(?=[ \t\r]|$)")
_YAML_TEXT = re.compile(rb":[ \t]*[|>][0-9+\-]*[ \t\r]*(?:#.*)?$")


def _yaml(source: bytes) -> Iterator[Mark]:
    """Keys of the outermost mapping, and of the mappings right in it; `---` begins another document."""
    inner = -1  # indent of the second level, once a line has told it
    in_text = True  # nothing nests in a first-level value that is a block of text, or before the first key
    lead = -1  # where a run of comments began that may belong to the next key
    for start, line in _lines(source):
        short = line[:_LONGEST_HEADER]
        text = short.strip()
        if not text:
            lead = -1
            continue
        if text.startswith(b"#"):
            lead = start if lead < 0 else lead
            continue
        begin, lead = (lead if lead >= 0 else start), -1
        if text == b"---":
            yield Mark(begin, 1, "")
            in_text = True
            continue
        key = _YAML_KEY.match(short)
        if key is None:
            continue
        indent = len(key[1])
        name = _title(key[2].strip(b" \"'"))
        if indent == 0:
            yield Mark(begin, 1, name)
            inner, in_text = -1, _YAML_TEXT.search(short) is not None
        elif not in_text and inner in (-1, indent):
            inner = indent
            yield Mark(begin, 2, name)


_TABLE = re.compile(rb"\[\[?([^\[\]]{1,200})\]\]?[ \t\r]*(?:[#;].*)?$")


def _tables(source: bytes) -> Iterator[Mark]:
    """`[table]` of TOML and of INI files, outside strings of several lines."""
    quote = b""
    for _, begin, line in _with_comments(source, (b"#", b";")):
        if quote:
            quote = quote if line.count(quote) % 2 == 0 else b""
            continue
        table = _TABLE.match(line[:_LONGEST_HEADER].lstrip())
        if table:
            yield Mark(begin, 1, _title(table[1].replace(b'"', b"")))
        for opening in (b'"""', b"'''"):
            if line.count(opening) % 2:
                quote = opening


_MEMBER = re.compile(rb'([ \t]{1,16})"([^"\\]{1,120})"[ \t]*:')


def _json(source: bytes) -> Iterator[Mark]:
    """Members of the outermost object, where each begins a line of its own."""
    if not source.lstrip().startswith((b"{", b"//", b"/*")):
        return
    outer = b""
    for start, line in _lines(source):
        member = _MEMBER.match(line)
        if member and (not outer or member[1] == outer):
            outer = member[1]
            yield Mark(start, 1, _title(member[2]))


_SHELL_FUNCTION = re.compile(
    rb"(?:function[ \t]+([\w:.\-]{1,120})[ \t]*(?:\(\))?|([\w:.\-]{1,120})[ \t]*\(\))[ \t]*[{(]?"
)


def _shell(source: bytes) -> Iterator[Mark]:
    """Functions that begin a line, up to the brace that does."""
    inside = False
    for start, begin, line in _with_comments(source, (b"#",)):
        if inside:
            if line.startswith((b"}", b")")):
                inside = False
                yield Mark(start + len(line), 1, "")
            continue
        named = _SHELL_FUNCTION.match(line[:_LONGEST_HEADER])
        if named:
            yield Mark(begin, 1, _title(named[1] or named[2]))
            inside = not line.rstrip().endswith((b"}", b")")) or line.rstrip().endswith(b"()")


_STAGE = re.compile(rb"FROM[ \t]+(?:--\S+[ \t]+)*(\S{1,200})(?:[ \t]+AS[ \t]+(\S{1,80}))?", re.IGNORECASE)
_INSTRUCTION = re.compile(rb"[A-Za-z]{2,12}[ \t]")


def _dockerfile(source: bytes) -> Iterator[Mark]:
    """Stages by name, and in each its instructions."""
    continued = False
    for _, begin, line in _with_comments(source, (b"#",)):
        short = line[:_LONGEST_HEADER]
        if not continued:
            stage = _STAGE.match(short)
            if stage:
                yield Mark(begin, 1, _title(stage[2] or stage[1]))
            elif _INSTRUCTION.match(short):
                yield Mark(begin, 2, "")
        continued = line.rstrip().endswith((b"\\", b"`"))


_TARGET = re.compile(rb"([\w./%$(){}\-][\w./%$(){} \-]{0,200})::?(?![:=])")
_DEFINE = re.compile(rb"(?:override[ \t]+)?define[ \t]+([\w.\-]{1,120})")


def _makefile(source: bytes) -> Iterator[Mark]:
    """Targets with their recipes."""
    for _, begin, line in _with_comments(source, (b"#",)):
        short = line[:_LONGEST_HEADER]
        named = _DEFINE.match(short) or _TARGET.match(short)
        if named and not named[1].startswith(b".PHONY"):
            yield Mark(begin, 1, _title(named[1]))


_PROTO_BLOCK = re.compile(rb"(?:message|enum|service|extend|oneof)[ \t]+([\w.]{1,120})")
_GRAPHQL_BLOCK = re.compile(
    rb"(?:extend[ \t]+)?(?:type|input|interface|enum|union|scalar|directive|fragment|query|mutation|subscription)"
    rb"[ \t]+(@?\w{1,120})|(schema)\b"
)
_HCL_BLOCK = re.compile(rb"([A-Za-z_]\w{0,80}(?:[ \t]+\"[^\"]{0,120}\"){0,3})[ \t]*\{")


def _blocks(header: re.Pattern[bytes], comments: tuple[bytes, ...]) -> Scanner:
    """Blocks that begin at the start of a line with what `header` matches; its group is the name."""

    def scan(source: bytes) -> Iterator[Mark]:
        described = -1  # where a """description""" above a definition of GraphQL began
        open_quote = False
        for _, begin, line in _with_comments(source, comments):
            if open_quote or line.startswith(b'"'):
                described = begin if described < 0 else described
                if line.count(b'"""') % 2:
                    open_quote = not open_quote
                continue
            named = header.match(line[:_LONGEST_HEADER])
            if named:
                title = next(group for group in named.groups() if group is not None)
                yield Mark(begin if described < 0 else described, 1, _title(title.replace(b'"', b"")))
            described = -1

    return scan


def _with_comments(source: bytes, comments: tuple[bytes, ...]) -> Iterator[tuple[int, int, bytes]]:
    """Lines that are no comment: where each begins, and where the comments right above it do."""
    lead = -1
    for start, line in _lines(source):
        if line.startswith(comments):
            lead = start if lead < 0 else lead
            continue
        yield start, (start if lead < 0 or not line.strip() else lead), line
        lead = -1


_SCANNERS: dict[str, Scanner] = {
    "markdown": _markdown,
    "rest": _rest,
    "sql": _sql,
    "yaml": _yaml,
    "toml": _tables,
    "ini": _tables,
    "json": _json,
    "shell": _shell,
    "dockerfile": _dockerfile,
    "makefile": _makefile,
    "proto": _blocks(_PROTO_BLOCK, (b"//", b"/*", b" *")),
    "graphql": _blocks(_GRAPHQL_BLOCK, (b"#",)),
    "hcl": _blocks(_HCL_BLOCK, (b"#", b"//")),
}
