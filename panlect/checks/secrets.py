"""Credentials in added lines. What is shown of one is its kind and four digits of a digest, never the value."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

from panlect.checks.added import AddedText, added_texts, at_line
from panlect.checks.paths import is_prose, is_sample, is_test
from panlect.checks.view import ChangeView, RepositoryView
from panlect.code.languages import is_example, kind_of
from panlect.finding import Candidate, Category
from panlect.redact import Held, digest, held, masked

_MAX_FOUND = 20  # in one file
_NAMED = {
    "private-key": "A private key",
    "url-password": "A password in an address",
    "aws-key": "An AWS key",
    "openai-key": "An API key",
    "jwt": "A signed token",
    "bearer": "A bearer token",
    "assignment": "A credential",
}
# Kinds with a form of their own: what fits it was issued by somebody.
_ISSUED = frozenset(
    {"github-token", "gitlab-token", "panlect-token", "openai-key", "aws-key", "slack-token", "slack-webhook"}
    | {"google-key", "stripe-key", "sendgrid-key", "npm-token", "pypi-token", "huggingface-token"}
    | {"digitalocean-token"}
)
_OFTEN_MADE_UP = frozenset({"openai-key", "aws-key"})  # by tests, which need something that looks like one
_LEAST_API_KEY = 35  # characters: the shortest that a provider issues is `sk-` and 32
_STAND_IN = re.compile(
    r"(?i)example|sample|dummy|fake|placeholder|change.?(?:me|it)|your|xxx|\*\*\*|\.\.\.|test|secret|redacted"
    r"|insert|replace|todo|demo|mock|foobar|hunter2|0123456|1234567|abcdef|qwerty|deadbeef|(.)\1\1\1\1"
)
_EXAMPLE_FILE = re.compile(r"(?i)(?:^|[/._-])(?:example|sample|template|dist|tmpl|tpl)s?(?:[/._-]|\Z)")
# A value that is fetched, computed or filled in elsewhere.
_FETCHED = re.compile(r"[${}<>()\[\]%`\\]|\A[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+\Z|\A(?:\./|/|https?:)")
_SETTINGS_FILE = re.compile(r"(?i)(?:\.(?:env|ini|cfg|conf|properties|ya?ml|toml|sh)|(?:^|/)\.env[^/]*)\Z")
_WORD = re.compile(r"[A-Za-z]?[a-z]{3,}")
_KEY_TEXT = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\r|\\n|\s|\"|'|\+|,)*[A-Za-z0-9+/]{24,}")
_HEX = re.compile(r"[0-9a-fA-F]+\Z")


def secrets(change: ChangeView, base: RepositoryView, head: RepositoryView) -> Iterator[Candidate]:
    """Credentials that the change adds, each once a file; one that the change only moves is not its own."""
    for text in added_texts(change, head):
        if is_sample(text.path):
            continue
        told: set[str] = set()
        for number, line in text.added():
            for found in held(line):
                value = _value(found, number, text)
                if value in told or not _is_real(found, line, number, text):
                    continue
                told.add(value)
                if len(told) <= _MAX_FOUND and not _stood_before(value, change, base):
                    yield _candidate(found.kind, value, line, number, text.path)


def _value(found: Held, number: int, text: AddedText) -> str:
    """What tells it from others: of a key written over several lines the first line of the key itself."""
    is_header = found.kind == "private-key" and found.value.rstrip(" \r\"'").endswith("-----")
    return text.line(number + 1).strip() if is_header else found.value


def _candidate(kind: str, value: str, line: str, number: int, path: str) -> Candidate:
    what = _NAMED.get(kind) or f"A {kind.replace('-', ' ')}"
    mark = f"{kind}#{digest(value)}"
    return at_line(
        "secret",
        Category.SECURITY,
        path,
        number,
        masked(line),
        f"{what} is committed",
        f"Line {number} holds what reads as a live credential ({mark}). Whoever can read the repository can use it."
        " Revoke it where it was issued and read it from the environment; a later commit does not take it out of"
        " the history.",
        target=mark,
    )


def _stood_before(value: str, change: ChangeView, base: RepositoryView) -> bool:
    raw = value.encode("utf-8", "surrogatepass")
    paths = (file.old_path for file in change.files if file.old_path)
    return any(raw in base.text(path) for path in paths)


def _is_real(found: Held, line: str, number: int, text: AddedText) -> bool:
    """Whether it reads as a credential that somebody uses, and not as an example of one."""
    path = text.path
    if found.kind == "private-key":
        below = "\n".join(text.line(number + step) for step in range(1, 4))
        key = line[found.start :] + "\n" + below
        return not is_test(path) and not is_example(path) and bool(_KEY_TEXT.match(key))
    if found.kind in _ISSUED:
        return not (is_test(path) and found.kind in _OFTEN_MADE_UP) and _is_issued(found)
    if is_test(path) or is_prose(path) or is_example(path) or _EXAMPLE_FILE.search(path):
        return False
    if found.kind == "jwt":
        return _is_signed(found.value) and not _STAND_IN.search(line[max(0, found.start - 60) : found.start])
    if found.kind == "url-password":
        return _is_random(found.value.partition(":")[2])
    if found.kind == "assignment" and not found.named.endswith(('"', "'")):
        settings = _SETTINGS_FILE.search(path) or kind_of(path) == "configuration"
        return bool(settings) and _is_random(found.value)
    return _is_random(found.value)


def _is_issued(found: Held) -> bool:
    value = found.value
    if _STAND_IN.search(value) or len(set(value)) < 10 or _entropy(value) < 3.0 or _reads_as_words(value):
        return False
    if found.kind == "openai-key":
        return len(value) >= _LEAST_API_KEY and bool(re.search("[0-9]", value[3:]))
    return bool(re.search("[0-9]", value[4:]))


def _is_signed(token: str) -> bool:
    """Whether the first part of a token says how it is signed."""
    header = token.split(".", 1)[0]
    try:
        decoded = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        return False
    return b'"alg"' in decoded


def _is_random(value: str) -> bool:
    """Whether no person would have thought of it: long, mixed, and not made of words."""
    if len(value) < 16 or not value.isascii() or _FETCHED.search(value) or _STAND_IN.search(value):
        return False
    if not re.search("[0-9]", value) or not re.search("[A-Za-z]", value):
        return False
    least = 3.0 if _HEX.match(value) else 3.5
    return _entropy(value) >= least and not _reads_as_words(value)


def _reads_as_words(value: str) -> bool:
    rest = len(_WORD.sub("", value))
    return rest < 0.4 * len(value)


def _entropy(value: str) -> float:
    """Bits a character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
