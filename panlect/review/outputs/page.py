"""A verdict as one HTML file: no script, nothing loaded from anywhere, light and dark, every word escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from panlect.finding import Evidence, Finding, Side, Verdict, VerdictKind
from panlect.redact import redact
from panlect.review.outputs.spots import about, elsewhere, where
from panlect.review.summary import FileRow, Summary, summarise
from panlect.review.verdict import title

Lines = Callable[[str, Side], list[str]]
_AROUND = 3  # lines shown before and after an anchor
_MAX_FILES, _MAX_ROWS, _MAX_PLACES, _MAX_LINES = 500, 500, 20, 40
_MAX_LINE, _MAX_TEXT = 400, 4_000

_STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5b6572;--line:#dfe3e8;--code:#f3f5f7;
--p0:#a40e26;--p1:#cf222e;--p2:#9a6700;--p3:#57606a;--good:#1a7f37;--mark:#fff4d6;--gone:#ffebe9;--accent:#3557d6}
@media (prefers-color-scheme:dark){:root{--bg:#0e1116;--card:#161b22;--ink:#e6eaef;--soft:#98a3b0;--line:#2b323b;
--code:#0f141a;--p0:#ff7b84;--p1:#ff8f87;--p2:#e0b341;--p3:#98a3b0;--good:#56c271;--mark:#3a2f12;--gone:#3a191b;--accent:#8fa6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875em}
h1{font-size:1.5rem;line-height:1.25;margin:.15rem 0 0}
h2{font-size:1.05rem;margin:2.25rem 0 .75rem}
h3{font-size:1rem;margin:0;line-height:1.4;overflow-wrap:anywhere}
p{margin:.5rem 0;overflow-wrap:anywhere}
.eyebrow{margin-bottom:.5rem;color:var(--soft);font-size:.8rem;font-weight:600;letter-spacing:.02em}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem;margin:.75rem 0}
.facts{display:grid;grid-template-columns:repeat(3,1fr);gap:1px;margin:1.25rem 0 0;padding:0;
background:var(--line);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.facts>div{background:var(--card);padding:.8rem 1rem}
.facts dt{color:var(--soft);font-size:.8rem}
.facts dd{margin:.1rem 0 0;font-size:1.05rem;font-weight:600}
.facts dd{white-space:nowrap}.kind{border-radius:999px;padding:.1rem .6rem;border:1px solid currentColor;font-weight:700}
.dots{letter-spacing:.1em;color:var(--accent)}.dots s{text-decoration:none;color:var(--line)}
.head{display:flex;gap:.6rem;align-items:baseline}
.tag{flex:none;font-size:.75rem;font-weight:700;padding:.1rem .5rem;border-radius:999px;border:1px solid currentColor}
.P0{color:var(--p0)}.P1{color:var(--p1)}.P2{color:var(--p2)}.P3{color:var(--p3)}.good{color:var(--good)}
td span{white-space:nowrap}
.bad{color:var(--p1)}.warn{color:var(--p2)}
.soft{color:var(--soft);font-size:.875rem}
.where{margin:.35rem 0 .1rem;color:var(--soft);font-size:.875rem;overflow-wrap:anywhere}
figure{margin:.7rem 0;background:var(--code);border:1px solid var(--line);border-radius:8px;overflow:hidden}
figcaption{padding:.3rem .9rem;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
figcaption+pre{border-top:1px solid var(--line)}
pre{margin:0;padding:.4rem 0;overflow-x:auto}
pre span{display:block;padding:0 .9rem 0 0;white-space:pre;min-width:max-content}
pre i{display:inline-block;width:3.6rem;padding-right:.9rem;text-align:right;color:var(--soft);font-style:normal;
user-select:none}
pre .hit{background:var(--mark);box-shadow:inset 3px 0 var(--p2)}
pre .was{background:var(--gone);box-shadow:inset 3px 0 var(--p1)}
.others{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:.6rem}
.others figure{margin:0}
ul{margin:.4rem 0;padding-left:1.2rem}li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{text-align:left;color:var(--soft);font-weight:600;font-size:.8rem}
td,th{padding:.45rem .7rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}td.n,th.n{text-align:right}td code{overflow-wrap:anywhere}
footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
@media (max-width:34rem){.facts{grid-template-columns:repeat(2,1fr)}main{padding:1.25rem .9rem 3rem}}
@media print{body{background:#fff}.card,figure{break-inside:avoid}}
""".strip()

_RIGHT = "\0"  # no text of a repository can begin with it here
_KIND = {VerdictKind.REVIEWED: "good", VerdictKind.PARTIAL: "warn", VerdictKind.FAILED: "bad"}


def page(verdict: Verdict, lines: Lines | None = None) -> str:
    """The whole page. `lines` gives the lines of a path at one revision, to show more than what is quoted."""
    summary = summarise(verdict)
    body = "\n".join(
        part
        for part in (
            _header(verdict, summary),
            _findings(verdict, lines),
            _rest(summary),
            _files(summary),
            _unread(verdict),
            _dropped(verdict),
            _footer(verdict, summary),
        )
        if part
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Panlect: {_text(title(verdict))}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(text: str, limit: int = _MAX_TEXT) -> str:
    """`text` as words of the page: bounded, without secrets, control characters written out."""
    clipped = text if len(text) <= limit else f"{text[: limit - 4]} ..."
    shown = "".join(
        ch if ch.isprintable() or ch == "\n" else f"\\x{ord(ch):02x}" for ch in redact(clipped.expandtabs(4))
    )
    return escape(shown)


def _code(text: str) -> str:
    return f"<code>{_text(text, _MAX_LINE)}</code>"


def _prose(text: str) -> str:
    """Words in which single back-ticks are code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _text(text)
    return "".join(_code(part) if number % 2 else _text(part) for number, part in enumerate(parts))


def _header(verdict: Verdict, summary: Summary) -> str:
    confidence, coverage = summary.confidence, verdict.coverage
    dots = "●" * (confidence.score or 0) + f"<s>{'●' * (5 - (confidence.score or 0))}</s>"
    score = f'<span class="dots" aria-hidden="true">{dots}</span> {escape(str(confidence))}'
    facts = (
        ("Merge confidence", score),
        ("Findings", str(len(verdict.findings))),
        ("Hunks read", f"{len(coverage.read)} of {len(coverage.counted)}"),
        ("Effort to read", f"{summary.effort.score} of 5"),
        ("Depth", escape(verdict.depth.value if verdict.depth else "none")),
        ("Model", _text(verdict.model, 80)),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    reasons = "".join(f"<li>{_prose(reason)}</li>" for reason in summary.confidence.reasons)
    impact = f"<p>{_prose(summary.impact)}</p>" if summary.impact else ""
    return (
        f'<header><div class="eyebrow"><span class="kind {_KIND.get(verdict.kind, "soft")}">{verdict.kind.value}</span>'
        f" Panlect review of <code>{escape(verdict.head_sha[:12])}</code></div>\n"
        f"<h1>{_text(title(verdict))}</h1>\n"
        f'<dl class="facts">{cells}</dl>\n<ul>{reasons}</ul>{impact}</header>'
    )


def _findings(verdict: Verdict, lines: Lines | None) -> str:
    if not verdict.findings:
        return ""
    cards = "\n".join(_finding(finding, lines) for finding in verdict.findings)
    return f"<section>\n<h2>Findings</h2>\n{cards}\n</section>"


def _finding(finding: Finding, lines: Lines | None) -> str:
    anchor = _anchor(finding)
    quoted = [place for place in finding.evidence if place.quote and not _same(place, anchor)]
    quoted_at = {(place.path, place.start_line) for place in (*quoted, anchor)}
    named = [p for p in elsewhere(finding) if not p.quote and (p.path, p.start_line) not in quoted_at]
    frames = "".join(_frame(place, None) for place in quoted[:_MAX_PLACES])
    frames = f'<div class="others">{frames}</div>' if frames else ""
    places = ", ".join(_code(where(place)) for place in named[:_MAX_PLACES])
    more = f" and {len(named) - _MAX_PLACES} more" if len(named) > _MAX_PLACES else ""
    also = f'<p class="soft">Also at {places}{more}.</p>' if named else ""
    return (
        f'<article class="card"><div class="head"><span class="tag {finding.severity.value}">'
        f"{finding.severity.value}</span><h3>{_prose(finding.title)}</h3></div>\n"
        f'<p class="soft">{_text(about(finding.check))} · {_code(finding.check)} · {finding.category.value}</p>\n'
        f"{_frame(anchor, lines)}<p>{_prose(finding.body)}</p>\n{frames}{also}</article>"
    )


def _anchor(finding: Finding) -> Evidence:
    """The anchor with its quote, else the first proof."""
    if finding.path is None or finding.start_line is None:
        return finding.evidence[0]
    end = finding.end_line or finding.start_line
    bare = Evidence(finding.path, finding.start_line, end, finding.side, "")
    return next((evidence for evidence in finding.evidence if _same(evidence, bare)), bare)


def _same(one: Evidence, other: Evidence) -> bool:
    return (one.path, one.start_line, one.side) == (other.path, other.start_line, other.side)


def _frame(place: Evidence, lines: Lines | None) -> str:
    """A place with its lines: as the file has them around it where `lines` knows, else as they are quoted."""
    when = " before the change" if place.side is Side.BASE else ""
    head = f"<figcaption>{_code(where(place))}{when}</figcaption>"
    mark = "was" if place.side is Side.BASE else "hit"
    there = lines(place.path, place.side) if lines else []
    if place.end_line > len(there):
        there, first = place.quote.split("\n") if place.quote else [], place.start_line
    else:
        first = max(1, place.start_line - _AROUND)
        there = there[first - 1 : place.end_line + _AROUND]
    rows = [
        f"<span{f' class={mark}' if place.start_line <= number <= place.end_line else ''}><i>{number}</i>"
        f"{_text(line, _MAX_LINE)}</span>"
        for number, line in enumerate(there[:_MAX_LINES], start=first)
    ]
    if len(there) > _MAX_LINES:
        rows.append(f"<span><i>…</i>{len(there) - _MAX_LINES} more lines</span>")
    code = f"<pre>{''.join(rows)}</pre>" if rows else ""
    return f"<figure>{head}{code}</figure>"


def _rest(summary: Summary) -> str:
    if not summary.rest:
        return ""
    rows = "".join(f"<li>{_prose(row)}</li>" for row in summary.rest[:_MAX_ROWS])
    return f"<section>\n<h2>Smaller things, in short</h2>\n<ul>{rows}</ul>\n</section>"


def _files(summary: Summary) -> str:
    rows = [_file(row) for row in summary.files[:_MAX_FILES]]
    left = len(summary.files) - _MAX_FILES
    checked = "".join(f"<li>{_prose(line)}</li>" for line in summary.checked)
    said = f"<h2>What was checked</h2>\n<ul>{checked}</ul>\n" if checked else ""
    if not rows:
        return f"<section>\n{said}</section>" if said else ""
    table = _table(("File", "Kind", _RIGHT + "Lines", "Read", "Findings", ""), rows)
    more = f'<p class="soft">and {left} more files</p>' if left > 0 else ""
    return f"<section>\n{said}<h2>Files</h2>\n{table}{more}\n</section>"


def _file(row: FileRow) -> tuple[str, ...]:
    worst = f'<span class="tag {row.worst.value}">{row.worst.value}</span> ' if row.worst else ""
    state = f'<span class="{"warn" if row.unread else "soft"}">{row.state}</span>'
    found = f"{worst}{row.findings}" if row.findings else ""
    return (
        _code(row.path),
        _text(row.kind),
        f"{_RIGHT}{row.lines or ''}",
        state,
        found,
        _text(row.reason, 200),
    )


def _unread(verdict: Verdict) -> str:
    unread = verdict.coverage.unread
    if not unread:
        return ""
    rows = [
        (_code(f"{hunk.path}:{hunk.start_line}-{hunk.end_line}"), _text(hunk.reason, 200))
        for hunk in unread[:_MAX_ROWS]
    ]
    left = len(unread) - _MAX_ROWS
    more = f'<p class="soft">and {left} more hunks</p>' if left > 0 else ""
    return f"<section>\n<h2>Not read</h2>\n{_table(('Lines', 'Why'), rows)}{more}\n</section>"


def _dropped(verdict: Verdict) -> str:
    if not verdict.suppressed:
        return ""
    rows = [
        (_code(row.check), _prose(row.title), _code(f"{row.path}:{row.start_line}"), _text(row.stage), _text(row.reason))
        for row in verdict.suppressed[:_MAX_ROWS]
    ]  # fmt: skip
    left = len(verdict.suppressed) - _MAX_ROWS
    more = f'<p class="soft">and {left} more</p>' if left > 0 else ""
    table = _table(("Check", "Claim", "Where", "Stage", "Why it is not shown"), rows)
    return f"<section>\n<h2>Held back</h2>\n{table}{more}\n</section>"


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; _RIGHT before a cell sets it to the right."""
    titles = "".join(_cell("th", cell) for cell in head)
    body = "".join(f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="card scroll"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell(element: str, cell: str) -> str:
    if cell.startswith(_RIGHT):
        return f'<{element} class="n">{cell[1:]}</{element}>'
    return f"<{element}>{cell}</{element}>"


def _footer(verdict: Verdict, summary: Summary) -> str:
    said = (
        f"reviewed head <code>{escape(verdict.head_sha)}</code>",
        f"against <code>{escape(verdict.base_sha)}</code>",
        f"effort {escape(str(summary.effort))}",
        f"model: {_text(verdict.model, 80)}",
    )
    return f"<footer>{' · '.join(said)}</footer>"
