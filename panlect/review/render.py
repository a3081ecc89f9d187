"""A verdict as Markdown for code hosts: one review with inline comments, one check.

Every word may come from a hostile repository: mentions, links, images and HTML are made inert.
"""

from __future__ import annotations

import re

from panlect.finding import Evidence, Finding, Place, Severity, Side, Verdict, VerdictKind
from panlect.forge.types import Check, InlineComment, ReviewPost
from panlect.review.select import FINGERPRINT_VERSION
from panlect.review.summary import Calls, FileRow, Summary, summarise
from panlect.review.verdict import Policy, conclusion, title

CHECK_NAME = "panlect"
_MAX_COMMENT = 8_000
_MAX_SUMMARY = 60_000  # GitHub refuses 65,536 characters
_MAX_QUOTE_LINES = 12
_MARKER = re.compile(r"<!-- panlect review=(\S+) head=([0-9a-f]{40,64}) fingerprint=v(\d+) -->")
_MAX_TITLE = 250  # of a check
_MAX_HEADLINE, _MAX_BODY, _MAX_PATH = 500, 4_000, 300  # characters of what a repository may have written
_MAX_PLACES = 20
_MAX_REASON = 120
_MAX_AFTER = 20_000  # characters of what follows the findings
_MAX_ROWS = 40  # of the table of files
_MAX_REST = 10  # findings in short
_MAX_NODES = 12  # of the diagram
_SPAN = re.compile(r"(`[^`\n]+`)")
_PIPE = "\\|"  # inside a table also in code: GitHub and GitLab take it back to a bar
_UNSAFE = re.compile(r"[^A-Za-z0-9_./: ,()-]")  # in a diagram's label, where quotes and signs are grammar
_BACKTICKS = re.compile(r"`{2,}")


def marker(review_id: str, head_sha: str) -> str:
    """The hidden marker by which a posted review is found again."""
    return f"<!-- panlect review={review_id} head={head_sha} fingerprint=v{FINGERPRINT_VERSION} -->"


def marked_review(body: str) -> tuple[str, str] | None:
    """(review id, head) of a body that carries our marker."""
    found = _MARKER.findall(body)  # ours is the last: a quote of the repository may hold another before it
    return (found[-1][0], found[-1][1]) if found else None


def review_post(verdict: Verdict, review_id: str, page_url: str = "") -> ReviewPost:
    """The one review of `verdict`: findings on lines of the diff inline, the others in its body."""
    inline = [finding for finding in verdict.findings if _is_inline(finding)]
    return ReviewPost(
        head_sha=verdict.head_sha,
        body=f"{_summary(verdict, page_url)}\n\n{marker(review_id, verdict.head_sha)}",
        comments=tuple(_comment(finding) for finding in inline),
    )


def page(verdict: Verdict) -> str:
    """All of `verdict` as one Markdown text, for a job's summary or a comment of one's own."""
    findings = [_part(finding) for finding in verdict.findings]
    return _assembled(verdict, "", findings) + "\n"


def worth_a_review(verdict: Verdict) -> bool:
    """Whether there is more to say than notes, which stand in the check's summary and call nobody."""
    return any(finding.severity.at_least(Severity.P2) for finding in verdict.findings)


def _is_inline(finding: Finding) -> bool:
    """Whether a comment on its line is worth a reader's while: notes stand in the summary."""
    return finding.path is not None and finding.severity.at_least(Severity.P2)


def check(verdict: Verdict, policy: Policy, page_url: str = "") -> Check:
    """The one check of `verdict` on its head."""
    return Check(
        name=CHECK_NAME,
        head_sha=verdict.head_sha,
        conclusion=conclusion(verdict, policy),
        title=_clipped(title(verdict), _MAX_TITLE),
        summary=_summary(verdict, page_url),
        details_url=page_url,
    )


def _comment(finding: Finding) -> InlineComment:
    assert finding.path is not None
    assert finding.start_line is not None
    assert finding.end_line is not None
    return InlineComment(
        path=finding.path,
        start_line=finding.start_line,
        end_line=finding.end_line,
        side="LEFT" if finding.side is Side.BASE else "RIGHT",
        body="\n\n".join(_fitting(_said(finding), _MAX_COMMENT)),
    )


def _said(finding: Finding) -> list[str]:
    """Everything that is said of a finding, in parts that stand by themselves."""
    body = inert(_clipped(finding.body, _MAX_BODY))
    return [_headline(finding), *([body] if body else []), *_elsewhere(finding)]


def _fitting(parts: list[str], room: int) -> list[str]:
    """As many whole parts as fit into `room` characters, and how many did not.

    A part is never cut: a code span or fence without its end would bring to life what stands in it.
    """
    kept: list[str] = []
    room -= 40  # for the line about what is left out
    for number, part in enumerate(parts):
        room -= len(part) + 2
        if room < 0:
            return [*kept, f"{len(parts) - number} more did not fit here."]
        kept.append(part)
    return kept


def _clipped(text: str, limit: int) -> str:
    """The beginning of `text`, before any markup is made of it."""
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."


def _headline(finding: Finding) -> str:
    return f"**{finding.severity} · {inert(_clipped(finding.title, _MAX_HEADLINE))}** ({code(finding.check)})"


def _elsewhere(finding: Finding) -> list[str]:
    """Quotes from other places than the anchor itself, then the places that are only named."""
    quotes = [
        e
        for e in finding.evidence
        if (e.path, e.start_line, e.side) != (finding.path, finding.start_line, finding.side)
    ]
    quoted = {(e.path, e.start_line) for e in quotes}
    quoted.add((finding.path or "", finding.start_line or 0))
    named = [place for place in finding.related if (place.path, place.start_line) not in quoted]
    rows = [f"{code(_where(e))} {_revision(e)}\n{fence(e.quote)}" for e in quotes]
    if named:
        more = f" and {len(named) - _MAX_PLACES} more places" if len(named) > _MAX_PLACES else ""
        rows.append("Also at " + ", ".join(code(_where(place)) for place in named[:_MAX_PLACES]) + f"{more}.")
    return rows


def _revision(evidence: Evidence) -> str:
    return "before this change" if evidence.side is Side.BASE else "at the head"


def _where(place: Place | Evidence) -> str:
    lines = (
        str(place.start_line)
        if place.start_line == place.end_line
        else f"{place.start_line}-{place.end_line}"
    )
    return f"{_clipped(place.path, _MAX_PATH)}:{lines}"


def _summary(verdict: Verdict, page_url: str) -> str:
    """Verdict first, then what could not stand inline, then the honest small print."""
    return _assembled(
        verdict, page_url, [_part(finding) for finding in verdict.findings if not _is_inline(finding)]
    )


def _part(finding: Finding) -> str:
    """A finding that stands in the text itself: it says where it is, which a comment on a line need not."""
    parts = _said(finding)
    if finding.path is not None and finding.start_line is not None:
        place = Place(finding.path, finding.start_line, finding.end_line or finding.start_line)
        when = " before this change" if finding.side is Side.BASE else ""
        parts.insert(1, f"{code(_where(place))}{when}")
    return "\n\n".join(_fitting(parts, _MAX_COMMENT))


def _assembled(verdict: Verdict, page_url: str, findings: list[str]) -> str:
    """The parts in order of worth; what does not fit is counted, the verdict and the footer always stand."""
    summary = summarise(verdict)
    parts = [f"### Panlect: {inert(_clipped(title(verdict), _MAX_HEADLINE))}", _confidence(summary)]
    if verdict.kind is VerdictKind.PARTIAL:
        parts.append(_unread(verdict))
    wanted = (_rest(summary), _diagram(summary), _files(summary), _checked(summary))
    after = _fitting([part for part in wanted if part], _MAX_AFTER)
    footer = _footer(verdict, page_url)
    room = _MAX_SUMMARY - len(footer) - sum(len(part) + 2 for part in (*parts, *after))
    return "\n\n".join([*parts, *_fitting(findings, room), *after, footer])


def _confidence(summary: Summary) -> str:
    reasons = " ".join(inert(_clipped(reason, _MAX_HEADLINE)) for reason in summary.confidence.reasons)
    impact = f" {inert(summary.impact)}" if summary.impact else ""
    return f"**Merge confidence: {summary.confidence}.** {reasons}{impact}"


def _rest(summary: Summary) -> str:
    if not summary.rest:
        return ""
    rows = [f"- {inert(_clipped(row, _MAX_HEADLINE))}" for row in summary.rest[:_MAX_REST]]
    left = len(summary.rest) - _MAX_REST
    return "\n".join(["**In short:**", *rows, *([f"- and {left} more"] if left > 0 else [])])


def _files(summary: Summary) -> str:
    """The table of files, folded away. A cell holds a code span or our own words, never what could end it."""
    if not summary.files:
        return ""
    rows = [_file(row) for row in summary.files[:_MAX_ROWS]]
    left = len(summary.files) - _MAX_ROWS
    more = [f"\nand {left} more files"] if left > 0 else []
    head = ["| file | lines | read | findings |", "| --- | ---: | --- | --- |"]
    title_ = f"Files ({len(summary.files)}), effort to read {summary.effort}"
    return "\n".join([f"<details><summary>{title_}</summary>", "", *head, *rows, *more, "", "</details>"])


def _file(row: FileRow) -> str:
    found = f"{row.findings} (worst {row.worst})" if row.worst else ""
    state = (
        row.state
        if row.state == "read" or not row.reason
        else f"{row.state}: {inert(_clipped(row.reason, _MAX_REASON))}"
    )
    cells = (code(_clipped(row.path, _MAX_PATH)), str(row.lines or ""), state, found)
    return f"| {' | '.join(cell.replace('|', _PIPE) for cell in cells)} |"


def _checked(summary: Summary) -> str:
    rows = [f"- {inert(_clipped(line, _MAX_HEADLINE))}" for line in summary.checked[:_MAX_PLACES]]
    if not rows:
        return ""
    return "\n".join(["<details><summary>What was checked</summary>", "", *rows, "", "</details>"])


def _diagram(summary: Summary) -> str:
    """Who relies on what was changed and broke, as Mermaid; only where two files or more do."""
    if not summary.calls:
        return ""
    lines, nodes = ["graph LR"], dict[str, str]()
    for calls in summary.calls:
        edges = [(caller, calls) for caller in calls.callers]
        for caller, called in edges:
            if len(nodes) >= _MAX_NODES:
                break
            lines.append(f"  {_node(nodes, caller, caller)} --> {_node(nodes, called.at, _called(called))}")
    return "\n".join(["```mermaid", *lines, "```"])


def _called(calls: Calls) -> str:
    return f"{calls.definition} at {calls.at}"


def _node(nodes: dict[str, str], key: str, label: str) -> str:
    """The node of `key`: with its label at first, by its number alone after that."""
    if key in nodes:
        return nodes[key]
    nodes[key] = f"n{len(nodes)}"
    return f'{nodes[key]}["{_UNSAFE.sub("·", _clipped(label, 80))}"]'


def _unread(verdict: Verdict) -> str:
    unread = verdict.coverage.unread
    rows = [
        f"- {code(f'{_clipped(h.path, _MAX_PATH)}:{h.start_line}-{h.end_line}')}: "
        f"{inert(_clipped(h.reason, _MAX_REASON))}"
        for h in unread[:20]
    ]
    more = [f"- and {len(unread) - 20} more"] if len(unread) > 20 else []
    return "\n".join(["**Not read:**", *rows, *more])


def _footer(verdict: Verdict, page_url: str) -> str:
    coverage = verdict.coverage
    said = [
        f"reviewed head {code(verdict.head_sha[:12])}",
        f"{len(coverage.read)} of {len(coverage.counted)} hunks read",
        f"{len(coverage.excluded)} excluded",
        f"depth {verdict.depth or 'none'}",
        f"model: {inert(_clipped(verdict.model, _MAX_PATH))}",
    ]
    link = f" · [what was read and dropped]({page_url})" if page_url else ""
    return f"<sub>{' · '.join(said)}{link}</sub>"


def inert(text: str) -> str:
    """`text` with nothing in it that a host would act on; single-backtick spans are kept."""
    text = _BACKTICKS.sub("'", text)  # longer runs pair in ways of their own
    if text.count("`") % 2:
        text = text.replace("`", "'")
    return "".join(part if _SPAN.fullmatch(part) else _inert_plain(part) for part in _SPAN.split(text))


def _inert_plain(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\[]!*_|~":
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
