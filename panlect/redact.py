"""Keep secrets out of text: log lines, errors, traces. And log as JSON with the ids of the run at hand."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATTERNS = (
    (
        "private-key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    ),
    ("url-password", re.compile(r"(?<=://)[^/\s:@]{0,256}:[^/\s@]{1,512}(?=@)")),
    ("github-token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})\b")),
    ("gitlab-token", re.compile(r"\bglpat-[A-Za-z0-9_\-]{16,255}")),
    ("panlect-token", re.compile(r"\bpanlect_[A-Za-z0-9_\-]{20,255}")),
    ("openai-key", re.compile(r"\bsk-[A-Za-z0-9_\-]{20,255}")),
    ("aws-key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("slack-token", re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,255}")),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{10,1000}")),
    ("bearer", re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=\-]{12,2000}")),
    (
        "assignment",
        re.compile(
            r"(?i)(?<![a-z\[])((?:password|passwd|secret|api_?key|access_?token)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{6,512}"
        ),
    ),
)

_ids: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("panlect_log_ids", default=None)


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `[SECRET:kind]`."""
    for kind, pattern in _PATTERNS:
        keep = r"\1" if pattern.groups else ""
        text = pattern.sub(f"{keep}[SECRET:{kind}]", text)
    return text


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
