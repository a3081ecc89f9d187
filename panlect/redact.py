"""Keep secrets out of text: log lines, errors, traces. And log as JSON with the ids of the run at hand."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class _Secret:
    """One kind of credential. `hints`: texts of small letters, one of which every match contains."""

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


# What was taken out before is passed over: text may be cleaned by more than one hand.
_SECRETS = (
    _Secret(
        "private-key",
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    ),
    _Secret(
        "url-password",
        ("://",),
        re.compile(r"(?<=://)(?!\[SECRET:[a-z-]+\](?:#[0-9a-f]{4})?@)[^/\s:@]{0,256}:[^/\s@]{1,512}(?=@)"),
    ),
    _Secret(
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})\b"),
    ),
    _Secret("gitlab-token", ("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_\-]{16,255}")),
    _Secret("panlect-token", ("panlect_",), re.compile(r"\bpanlect_[A-Za-z0-9_\-]{20,255}")),
    _Secret("openai-key", ("sk-",), re.compile(r"\bsk-[A-Za-z0-9_\-]{20,255}")),
    _Secret("aws-key", ("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    _Secret("slack-token", ("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,255}")),
    _Secret(
        "slack-webhook",
        ("hooks.slack.com/",),
        re.compile(r"(?<=hooks\.slack\.com/services/)T\w{6,20}/B\w{6,20}/\w{16,64}"),
    ),
    _Secret("google-key", ("aiza",), re.compile(r"\bAIza[0-9A-Za-z_\-]{35}(?![0-9A-Za-z_\-])")),
    _Secret("stripe-key", ("k_live_",), re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,255}")),
    _Secret("sendgrid-key", ("sg.",), re.compile(r"\bSG\.[\w\-]{16,32}\.[\w\-]{32,64}")),
    _Secret("npm-token", ("npm_",), re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    _Secret("pypi-token", ("pypi-ageic",), re.compile(r"\bpypi-AgEIc[\w\-]{40,255}")),
    _Secret("huggingface-token", ("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30,64}\b")),
    _Secret("digitalocean-token", ("o_v1_", "p_v1_", "r_v1_"), re.compile(r"\bdo[opr]_v1_[a-f0-9]{64}\b")),
    _Secret(
        "jwt",
        ("eyj",),
        re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{10,1000}"),
    ),
    _Secret("bearer", ("bearer ",), re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=\-]{12,2000}")),
    _Secret(
        "assignment",
        ("password", "passwd", "secret", "apikey", "api_key", "accesstoken", "access_token"),
        re.compile(
            r"(?i)(?<![a-z\[])((?:password|passwd|secret(?:_?access)?(?:_?key)?|api_?key|access_?token)"
            r"[\"']?\s*[=:]\s*[\"']?)"
            r"(?!\[SECRET:[a-z-]+\])[^\s\"',;&]{6,512}"
        ),
    ),
)

_ids: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("panlect_log_ids", default=None)


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `[SECRET:kind]`."""
    return withhold(text)[0]


def withhold(text: str, is_code: Callable[[str], bool] | None = None) -> tuple[str, dict[str, int]]:
    """As `redact`, with how many were replaced by kind.

    `is_code` says of what an assignment assigns, quotes included, that it is no value but code that fetches one.
    """
    counts: dict[str, int] = {}
    folded = text.casefold()
    for secret in _SECRETS:
        if not any(hint in folded for hint in secret.hints):
            continue  # twenty searches of a prompt would take longer than all the rest of a call
        spare = is_code if secret.kind == "assignment" else None
        text, count = _replaced(text, secret, spare)
        if count:
            counts[secret.kind] = count
    return text, counts


def masked(text: str) -> str:
    """As `redact`, each secret followed by `#` and four digits of its digest, which tell two secrets apart.

    Sixteen bits lead nobody back to a credential, and the same text always gives the same: a quote that is
    masked can be checked word for word against the masked original.
    """
    folded = text.casefold()
    for secret in _SECRETS:
        if any(hint in folded for hint in secret.hints):
            text = _replaced(text, secret, None, numbered=True)[0]
    return text


def digest(secret: str) -> str:
    """Four hexadecimal digits that tell one secret from another."""
    return blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=2).hexdigest()


class Held(NamedTuple):
    """A credential in a text: its kind, its value, where it starts and what names it (`password = "`)."""

    kind: str
    value: str
    start: int
    named: str


def held(text: str) -> Iterator[Held]:
    """What `redact` would replace in `text`; of two that overlap the first in the table."""
    folded, taken = text.casefold(), list[tuple[int, int]]()
    for secret in _SECRETS:
        if not any(hint in folded for hint in secret.hints):
            continue
        for match in secret.pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            named = match[1] if secret.pattern.groups else ""
            yield Held(secret.kind, match[0][len(named) :], match.start() + len(named), named)


def _replaced(
    text: str, secret: _Secret, is_code: Callable[[str], bool] | None, *, numbered: bool = False
) -> tuple[str, int]:
    mark, count = f"[SECRET:{secret.kind}]", 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal count
        before = match[1] if secret.pattern.groups else ""
        value = match[0][len(before) :]
        quote = before[-1:] if before.endswith(("'", '"')) else ""
        if is_code is not None and is_code(quote + value):
            return match[0]
        count += 1
        return before + mark + (f"#{digest(value)}" if numbered else "")

    return secret.pattern.sub(replacement, text), count


@contextmanager
def log_ids(**ids: str) -> Iterator[None]:
    """Add ids (run, organisation, delivery) to every log line written inside."""
    token = _ids.set({**(_ids.get() or {}), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


class RedactingFilter(logging.Filter):
    """Redacts the finished message, its arguments and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: it changes records, it drops none."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        for name, value in (_ids.get() or {}).items():
            setattr(record, name, value)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids. A newline in a name cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("run", "organisation", "delivery", "repository"):
            if hasattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, *, as_json: bool = True) -> None:
    """One handler on the root logger, to standard error, that everything logs through."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(
        JsonFormatter() if as_json else logging.Formatter("%(levelname)s %(name)s %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
