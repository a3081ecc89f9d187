"""Templates to responses: everything is escaped, and the browser is told to run nothing of others."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

_SPAN = re.compile(r"`([^`\n]+)`")
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self'; script-src 'self'; style-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A template as a response."""
    return HTMLResponse(rendered(template, **values), status, headers=SECURITY_HEADERS)


def rendered(template: str, **values: object) -> str:
    """A template as text: a part of a page."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"ago": ago, "milliseconds": milliseconds, "spans": spans, "usd": usd}
    return environment


def ago(moment: datetime | None) -> str:
    """How long ago, in words; the exact time belongs in `title`."""
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds < 10 else f"{int(seconds)} seconds ago"


def spans(text: str) -> Markup:
    """Text of ours with its `names` as code; everything in it is escaped first."""
    return Markup(_SPAN.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def milliseconds(value: float) -> str:
    """A duration for people."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def usd(microusd: int) -> str:
    """Money for people: cents, and what is less than one in as many digits as it needs."""
    dollars = microusd / 1_000_000
    if dollars >= 0.01 or microusd == 0:
        return f"${dollars:,.2f}"
    return f"${dollars:.6f}".rstrip("0")
