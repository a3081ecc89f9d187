"""A verdict as Markdown for code hosts: one review with inline comments, one check.

Every word may come from a hostile repository: mentions, links, images and HTML are made inert.
"""

from __future__ import annotations

import re

from panlect.finding import Evidence, Finding, Place, Side, Verdict, VerdictKind
from panlect.forge.types import Check, InlineComment, ReviewPost
from panlect.review.select import FINGERPRINT_VERSION
from panlect.review.verdict import Policy, conclusion, title

CHECK_NAME = "panlect"
_MAX_COMMENT = 8_000
_MAX_SUMMARY = 60_000  # GitHub refuses 65,536 characters
_MAX_QUOTE_LINES = 12
_MARKER = re.compile(r"<!-- panlect review=(\S+) head=([0-9a-f]{40,64}) fingerprint=v(\d+) -->")
_SPAN = re.compile(r"(`[^`\n]+`)")


def marker(review_id: str, head_sha: str) -> str:
    """The hidden marker by which a posted review is found again."""
    return f"<!-- panlect review={review_id} head={head_sha} fingerprint=v{FINGERPRINT_VERSION} -->"


def marked_review(body: str) -> tuple[str, str] | None:
    """(review id, head) of a body that carries our marker."""
    found = _MARKER.findall(body)  # ours is the last: a quote of the repository may hold another before it
    return (found[-1][0], found[-1][1]) if found else None


def review_post(verdict: Verdict, review_id: str, page_url: str = "") -> ReviewPost:
    """The one review of `verdict`: findings on lines of the diff inline, the others in its body."""
    inline = [finding for finding in verdict.findings if finding.path is not None]
    return ReviewPost(
        head_sha=verdict.head_sha,
        body=f"{_summary(verdict, page_url)}\n\n{marker(review_id, verdict.head_sha)}",
        comments=tuple(_comment(finding) for finding in inline),
    )


def check(verdict: Verdict, policy: Policy, page_url: str = "") -> Check:
    """The one check of `verdict` on its head."""
    return Check(
        name=CHECK_NAME,
        head_sha=verdict.head_sha,
        conclusion=conclusion(verdict, policy),
        title=title(verdict),
        summary=_summary(verdict, page_url),
        details_url=page_url,
    )


def _comment(finding: Finding) -> InlineComment:
    assert finding.path is not None
    assert finding.start_line is not None
    assert finding.end_line is not None
    parts = [_headline(finding), inert(finding.body), *_elsewhere(finding)]
    return InlineComment(
        path=finding.path,
        start_line=finding.start_line,
        end_line=finding.end_line,
        side="LEFT" if finding.side is Side.BASE else "RIGHT",
        body="\n\n".join(part for part in parts if part)[:_MAX_COMMENT],
    )


def _headline(finding: Finding) -> str:
    return f"**{finding.severity} · {inert(finding.title)}** ({code(finding.check)})"


def _elsewhere(finding: Finding) -> list[str]:
    """Quotes from other places than the anchor itself, then the places that are only named."""
    quotes = [
        e
        for e in finding.evidence
        if (e.path, e.start_line, e.side) != (finding.path, finding.start_line, finding.side)
    ]
    quoted = {(e.path, e.start_line) for e in quotes}
    named = [place for place in finding.related if (place.path, place.start_line) not in quoted]
    rows = [f"{code(_where(e))} {_revision(e)}\n{fence(e.quote)}" for e in quotes]
    if named:
        rows.append("Also at " + ", ".join(code(_where(place)) for place in named) + ".")
    return rows


def _revision(evidence: Evidence) -> str:
    return "before this change" if evidence.side is Side.BASE else "at the head"


def _where(place: Place | Evidence) -> str:
    lines = (
        str(place.start_line)
        if place.start_line == place.end_line
        else f"{place.start_line}-{place.end_line}"
    )
    return f"{place.path}:{lines}"


def _summary(verdict: Verdict, page_url: str) -> str:
    """Verdict first, then what could not stand inline, then the honest small print."""
    elsewhere = [finding for finding in verdict.findings if finding.path is None]
    parts = [f"### Panlect: {inert(title(verdict))}"]
    if verdict.kind is VerdictKind.PARTIAL:
        parts.append(_unread(verdict))
    parts += ["\n\n".join([_headline(f), inert(f.body), *_elsewhere(f)]) for f in elsewhere]
    footer = _footer(verdict, page_url)
    return "\n\n".join(["\n\n".join(parts)[: _MAX_SUMMARY - len(footer)], footer])


def _unread(verdict: Verdict) -> str:
    unread = verdict.coverage.unread
    rows = [f"- {code(f'{h.path}:{h.start_line}-{h.end_line}')}: {inert(h.reason)}" for h in unread[:20]]
    more = [f"- and {len(unread) - 20} more"] if len(unread) > 20 else []
    return "\n".join(["**Not read:**", *rows, *more])


def _footer(verdict: Verdict, page_url: str) -> str:
    coverage = verdict.coverage
    said = [
        f"head {code(verdict.head_sha[:8])}",
        f"{len(coverage.read)} of {len(coverage.counted)} hunks read",
        f"{len(coverage.excluded)} excluded",
        f"depth {verdict.depth or 'none'}",
        f"model: {inert(verdict.model)}",
    ]
    link = f" · [what was read and dropped]({page_url})" if page_url else ""
    return f"<sub>{' · '.join(said)}{link}</sub>"


def inert(text: str) -> str:
    """`text` with nothing in it that a host would act on; single-backtick spans are kept."""
    if text.count("`") % 2:
        text = text.replace("`", "'")
    return "".join(part if _SPAN.fullmatch(part) else _inert_plain(part) for part in _SPAN.split(text))


def _inert_plain(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\[]!*_|":
        text = text.replace(sign, f"\\{sign}")
    # A zero-width space ends a mention, an issue number or an address before it begins.
    return (
        text.replace("@", "@\u200b")
        .replace("#", "#\u200b")
        .replace("://", ":\u200b//")
        .replace("www.", "www\u200b.")
    )


def code(text: str) -> str:
    """`text` as one code span, whatever back-ticks and newlines it holds."""
    flat = re.sub(r"\s", " ", text) or " "
    runs = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    ticks = "`" * (runs + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def fence(text: str) -> str:
    """`text` as a fenced block that it cannot close, at most a dozen lines of it."""
    lines = text.splitlines()
    if len(lines) > _MAX_QUOTE_LINES:
        lines = [*lines[:_MAX_QUOTE_LINES], f"... {len(lines) - _MAX_QUOTE_LINES} more lines"]
    body = "\n".join(line[:400] for line in lines)
    runs = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, runs + 1)
    return f"{ticks}\n{body}\n{ticks}"
