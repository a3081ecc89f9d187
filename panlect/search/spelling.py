"""What the text around a reference tells that its columns do not: `a.b` before a name, parameters, variables.

Read line by line and without a grammar, so it errs; nothing here takes longer than the line is long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LONGEST_LINE: Final = 2_000  # letters; a longer one is not written by people
_MOST_STEPS = 10  # of a dotted name
_SCRIPTS = frozenset({"typescript", "javascript"})

_JOIN = re.compile(r"(?:\?\.|!!?\.|&?\.|::|\\)\s*$|(?<!\s)->$")  # spaces around an arrow: a type follows
_CLOSED_SUPER = re.compile(r"\bsuper\s*\([^()]*\)\s*$")
_GO_RECEIVER = re.compile(r"^func\s*\(\s*(\w+)\s+\*?\s*\w")
_DEFAULT = re.compile(
    r"^\s*export\s+default\s+(?:async\s+)?(?:abstract\s+)?(?:function\s*\*?|class)?\s*(\w+)"
    r"|^\s*(?:module\.)?exports\s*=\s*(?:new\s+)?(\w+)\s*[;\n(]",
    re.M,
)
_EXPORTED_AS = re.compile(r"^\s*export\s*(?:type\s*)?\{([^}]{0,4000})\}(?!\s*from)", re.M)
_AS = re.compile(r"([\w$]+)\s+as\s+([\w$]+)")
_LOOPS = re.compile(
    r"\bfor\b[\s(]*(?:(?:let|const|var|val|auto|mut)\s+)?([\w$]+(?:\s*,\s*[\w$]+)*)\s+(?:in|of)\b"
    r"|\bcatch\s*\((?:[\w.|]+\s+)?\$?(\w+)"
)
_PYTHON_AS = re.compile(r"\bas\s+(\w+)|\blambda\s+([\w, ]+):")
_ARROWS = re.compile(r"\(([\w\s,$]*)\)\s*=>|([\w$]+)\s*=>")
_DECLARED = re.compile(r"^\s*(?:var|let)\s+(?:mut\s+)?([\w$]+)")
_NOT_OURS = re.compile(r"^\s*(?:import|from|use|using|global|nonlocal)\b(.*)")
_WORD = re.compile(r"[\w$]+")
_TYPED_AFTER = (
    r"(?<![\w$.]){0}\??\s*:\s*(?:&\s*)?(?:'\w+\s+)?(?:mut\s+)?[\"']?"
    r"([A-Za-z_][\w.]*(?:::\w+)*)[\"']?\s*(?:[,)=|]|$)"
)
_TYPED_GO = r"(?<![\w$.]){0}\s+\*?([A-Za-z_][\w.]*)\s*[,)]"
_TYPED_BEFORE = r"([A-Za-z_][\w.\\]*(?:::\w+)*)(?:\s*<[^<>]*>)?[\s*&?]+\$?{0}\s*[,)=]"


# Before a name


def is_word(text: str, at: int) -> bool:
    """Whether there is a letter of a name at an offset."""
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] in "_$")


def with_lines_above(lines: Sequence[str], number: int) -> str:
    """A line that goes on with a dot, joined to the three above it."""
    return " ".join(line.strip()[-LONGEST_LINE:] for line in lines[max(0, number - 4) : number])


def chain_before(line: str, at: int) -> tuple[str, ...]:
    """The words that stand before an offset, joined by dots; "" first when something else begins it."""
    chain: list[str] = []
    while len(chain) < _MOST_STEPS:
        joined = _JOIN.search(line, max(0, at - 8), at)
        if joined is None:
            break
        end = joined.start()
        while end and line[end - 1] in " \t":
            end -= 1
        start = end
        while start and is_word(line, start - 1):
            start -= 1
        if start == end:
            if joined.group().strip() in ("::", "\\") and (not end or line[end - 1] not in ")]}>\"'"):
                break  # `::name` and `\name`: from the outermost scope
            chain.append("super" if _CLOSED_SUPER.search(line, max(0, end - 200), end) else "")
            break
        word = line[start:end]
        chain.append(word.lstrip("$") or word)
        at = start
        if start and line[start - 1] == "@":
            chain[-1] = ""  # a field of Ruby: what it holds is not known
            break
    return tuple(reversed(chain))


# What a function binds


def bound_names(family: str, lines: Sequence[str], first: int) -> dict[str, int]:
    """Name -> the first line that gives it a value, of the lines of a function that begins at line `first`.

    A loop and a lambda bind for their own line: their names count from the line before.
    """
    found: dict[str, int] = {}
    outer: set[str] = set()
    for number, line in enumerate(lines, start=first):
        if len(line) > LONGEST_LINE:
            continue
        elsewhere = _NOT_OURS.match(line)
        if elsewhere:
            if family == "python" and line.lstrip().startswith(("global", "nonlocal")):
                outer.update(_WORD.findall(elsewhere.group(1)))
            continue
        for name in _assigned(line):
            found.setdefault(name, number)
        for name in _looped(family, line):
            found[name] = min(found.get(name, number), number - 1)
    return {name: line for name, line in found.items() if name not in outer}


def _assigned(line: str) -> list[str]:
    """`a, b = ...`, `if v, ok := ...`, `const {a, b} = ...`, `Coin coin = ...`: what stands before the sign.

    Without a space before the sign it is an argument.
    """
    declared = _DECLARED.match(line)
    found = [declared.group(1)] if declared else []
    at = line.find("=")
    if at < 2 or line[at : at + 2] in ("==", "=>", "=~") or line[at - 1] in "=!<>+-*/%|&^":
        return found
    left = line[: at - 1] if line[at - 1] == ":" else line[:at]
    if left[-1:] not in " \t" or "(" in left:
        return found
    for piece in left.split(","):
        words = piece.partition(":")[0].split()
        name = words[-1].strip("*&{}[]").lstrip("$") if words else ""
        if name.isidentifier():
            found.append(name)
    return found


def _looped(family: str, line: str) -> list[str]:
    found: list[str] = []
    if "for" in line or "catch" in line:
        for loop in _LOOPS.finditer(line):
            found += _WORD.findall(loop.group(1) or loop.group(2))
    if family == "python" and ("as " in line or "lambda " in line):
        for pair in _PYTHON_AS.findall(line):
            found += _WORD.findall(" ".join(pair))
    if "=>" in line and (family in _SCRIPTS or family in ("jvm", "csharp")):
        for pair in _ARROWS.findall(line):
            found += _WORD.findall(" ".join(pair))
    return found


# Signatures


def go_receiver(signature: str) -> str:
    """What a Go method calls the value it is a method of; "" for a function."""
    found = _GO_RECEIVER.match(signature)
    return found.group(1) if found else ""


def is_parameter(family: str, signature: str, name: str) -> bool:
    """Whether a function has a parameter of this name."""
    if not name or name not in signature:
        return False
    inside = _parameters(signature)
    at = inside.find(name)
    while at >= 0:
        end = at + len(name)
        if not (is_word(inside, end) or (is_word(inside, at - 1) and inside[at - 1] != "$")):
            before, after = inside[:at].removesuffix("...").rstrip(" *&$"), inside[end:].lstrip()
            if family == "go":
                if (not before or before[-1] == ",") and (after[:1] == "," or after != inside[end:]):
                    return True
            elif (not before or before[-1] in ",({[|_>]" or before[-1].isalnum()) and (
                not after or after[0] in ":,=?}]"
            ):
                return True
        at = inside.find(name, end)
    return False


def parameter_type(family: str, signature: str, name: str) -> str:
    """The plain type that a signature gives a parameter; "" when it gives none, or more than a name."""
    if not name.isidentifier() or name not in signature:
        return ""
    inside = _parameters(signature) + ")"
    pattern = _TYPED_AFTER
    if family == "go":
        pattern = _TYPED_GO
    elif family in ("csharp", "c", "php") or (family == "jvm" and not re.search(rf"\b{name}\s*:", inside)):
        pattern = _TYPED_BEFORE
    found = re.search(pattern.format(name), inside)
    return found.group(1).replace("\\", ".") if found else ""


def _parameters(signature: str) -> str:
    """What stands in the parentheses of a signature that hold its parameters."""
    begin = signature.find("(")
    if signature.startswith(("func (", "func(")):  # a method of Go: its receiver comes first
        begin = signature.find("(", signature.find(")") + 1)
    if begin < 0:
        return ""
    depth = 0
    for at in range(begin, len(signature)):
        depth += (signature[at] in "([{") - (signature[at] in ")]}")
        if not depth:
            return signature[begin + 1 : at]
    return signature[begin + 1 :]


# Exports of TypeScript and JavaScript


def exported_as(text: str, name: str) -> str:
    """What `export default cart`, `export {cart as basket}` or `module.exports = cart` gives out as `name`."""
    local = ""
    if name == "default":
        found = _DEFAULT.search(text)
        local = str(found.group(1) or found.group(2)) if found else ""
    if not local:
        for clause in _EXPORTED_AS.finditer(text):
            pairs: dict[str, str] = {after: before for before, after in _AS.findall(clause.group(1))}
            local = pairs.get(name, local)
    return local
