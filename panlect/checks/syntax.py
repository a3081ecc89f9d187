"""Where a file stops parsing: runs in a killable child, because the text is hostile. Reached by name alone."""

from __future__ import annotations

import ast
import json
import tomllib
import warnings

from panlect.code.languages import language_named
from panlect.code.parse import parse

CONFIRMED = ("python", "json", "toml")
"""Languages with a second parser, whose word is final."""
INDENTATION = "indentation: "
"""How the words of a fault begin that no version of Python forgives."""
_MAX_NODES = 200_000


def fault(item: list[str | bytes]) -> tuple[int, str]:
    """(line, words of the parser) of the first fault in (language, source); (0, "") where there is none.

    Line -1 means that it cannot be told.
    """
    language, source = str(item[0]), item[1]
    assert isinstance(source, bytes)
    try:
        if language == "python":
            return _python(source)
        if language == "json":
            json.loads(source)
            return 0, ""
        if language == "toml":
            tomllib.loads(source.decode())
            return 0, ""
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    except tomllib.TOMLDecodeError as error:
        return _line_of(str(error)), str(error)
    except (RecursionError, MemoryError, UnicodeDecodeError, ValueError):
        return -1, ""
    return _by_grammar(language, source)


def _python(source: bytes) -> tuple[int, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<head>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        except IndentationError as error:
            return (error.lineno or -1), INDENTATION + error.msg
        except SyntaxError as error:
            return (error.lineno or -1), error.msg
    return 0, ""


def _line_of(message: str) -> int:
    """The line that tomllib's message names; the end of the document has none."""
    _, _, after = message.partition("at line ")
    digits = after.split(",", 1)[0]
    return int(digits) if digits.isdecimal() else -1


def _by_grammar(language: str, source: bytes) -> tuple[int, str]:
    """The first node of the tree that is an error, or that the grammar had to make up."""
    stack = [parse(language_named(language), source).root_node]
    lines: list[int] = []
    for _ in range(_MAX_NODES):
        if not stack:
            break
        node = stack.pop()
        if node.is_missing:
            lines.append(node.start_point[0] + 1)
        elif node.is_error:
            lines.append(_error_line(node.start_point[0], node.end_point[0], source))
        stack.extend(child for child in node.children if child.has_error or child.is_missing)
    return (min(lines), "") if lines else (-1, "")


def _error_line(first: int, last: int, source: bytes) -> int:
    """The line an error starts on, less blank ones in front."""
    lines = source.split(b"\n")
    while first < last and not lines[first].strip():
        first += 1
    return first + 1
