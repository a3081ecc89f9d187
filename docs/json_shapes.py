"""The JSON that programs may rely on, as schemas: `panlect review`, `search` and `context`, and their API twins."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from panlect.finding import Category, Depth, Severity, Side, VerdictKind
from panlect.review.report import SCHEMA_VERSION

Schema = dict[str, Any]

MODES = ("lexical+graph", "lexical+graph+dense")


def text(description: str, **more: Any) -> Schema:
    """A string."""
    return {"type": "string", "description": description, **more}


def number(description: str, *, whole: bool = False, least: float = 0) -> Schema:
    """A number, `least` or more."""
    return {"type": "integer" if whole else "number", "minimum": least, "description": description}


def one_of(words: type[StrEnum], description: str) -> Schema:
    """One word of an enumeration."""
    return {"enum": [word.value for word in words], "description": description}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def record(description: str, fields: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object with exactly these fields."""
    return {
        "type": "object",
        "description": description,
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def rows(schema: Schema, description: str) -> Schema:
    """A list."""
    return {"type": "array", "items": schema, "description": description}


_VERSION: Schema = {
    "const": SCHEMA_VERSION,
    "description": "Raised when a field changes its meaning or goes.",
}
_MODE: Schema = {
    "enum": list(MODES),
    "description": "What the answer rests on; `dense` when vectors took part.",
}
_PATH = text("Path in the repository. Bytes that are not UTF-8 are written as \\xNN.")
_COMMIT = text("A full commit id, or a tree's for uncommitted work.", pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")
_LINES = {
    "start_line": number("First line, from 1.", whole=True, least=1),
    "end_line": number("Last line, inclusive.", whole=True, least=1),
}

_EVIDENCE = record(
    "Lines that prove the finding, word for word as that revision has them.",
    {"path": _PATH, **_LINES, "side": one_of(Side, "Which revision is quoted."), "quote": text("The lines.")},
)
_FINDING = record(
    "Something that this change breaks.",
    {
        "fingerprint": text(
            "The same for the same finding in a later head, whatever its line.", pattern="^[0-9a-f]{32}$"
        ),
        "check": text("Which check found it."),
        "severity": one_of(Severity, "P0 is worst."),
        "category": one_of(Category, "What kind of harm."),
        "path": nullable(_PATH),
        "start_line": nullable(_LINES["start_line"]),
        "end_line": nullable(_LINES["end_line"]),
        "side": one_of(Side, "Which revision `path` and lines are of."),
        "title": text("One line."),
        "body": text("Why it is a problem."),
        "related": rows(record("A place.", {"path": _PATH, **_LINES}), "Where else to look."),
        "evidence": rows(_EVIDENCE, "At least one quote is of the head."),
    },
)
_CONFIDENCE = record(
    "How safe it looks to merge. It follows from the fields beside it by fixed rules.",
    {
        "score": nullable(
            {**number("0 (do not) to 5; null when nothing was judged.", whole=True), "maximum": 5}
        ),
        "reasons": rows(text("A sentence."), "Why, the strictest first."),
    },
)
_FILE = record(
    "A changed path.",
    {
        "path": _PATH,
        "kind": text("What kind of file: code, documentation, generated and the like."),
        "lines": number("Changed lines that have to be read, about.", whole=True),
        "read": number("Hunks that were read.", whole=True),
        "unread": number("Hunks that were not.", whole=True),
        "excluded": number("Hunks that need no reading.", whole=True),
        "findings": number("Findings that stand in it.", whole=True),
        "worst": nullable(one_of(Severity, "The most severe of them.")),
    },
)
_COVERAGE = record(
    "What was read of the change.",
    {
        "hunks": number("Hunks that have to be read.", whole=True),
        "read": number("Hunks that were read.", whole=True),
        "unread": rows(
            record(
                "A hunk that was not read.",
                {
                    "path": _PATH,
                    "lines": text("first-last", pattern="^[0-9]+-[0-9]+$"),
                    "reason": text("Why."),
                },
            ),
            "Not empty: the verdict is PARTIAL at best.",
        ),
        "excluded": rows(
            record("A hunk that needs no reading.", {"path": _PATH, "reason": text("Why.")}),
            "Generated, vendored, binary and the like.",
        ),
    },
)

REVIEW = record(
    "A review: `panlect review --json FILE`, and `GET /api/v1/reviews/{review_id}` with the fields that follow `ms`.",
    {
        "schema_version": _VERSION,
        "mode": _MODE,
        "verdict": one_of(VerdictKind, "What is true of this head."),
        "depth": nullable(one_of(Depth, "How the code was read, at its shallowest.")),
        "reason": text("The verdict in words."),
        "base": _COMMIT,
        "head": _COMMIT,
        "model": text("Which model took part; `none` without one."),
        "confidence": _CONFIDENCE,
        "effort": {
            **number("How long a person needs to read it, 1 (a glance) to 5.", whole=True, least=1),
            "maximum": 5,
        },
        "breaks_outside": text("What breaks outside the change, in a sentence; empty when nothing does."),
        "files": rows(_FILE, "Every changed path: those with findings first, then those not read."),
        "findings": rows(_FINDING, "Most severe first."),
        "suppressed": rows(
            record(
                "A candidate that was not shown.",
                {
                    "stage": text(
                        "Where it fell: verify, select, or cap (it is listed in the summary, to keep comments few)."
                    ),
                    "reason": text("Why."),
                    "check": text("Which check claimed it."),
                    "path": _PATH,
                    "start_line": number("Its line.", whole=True),
                    "title": text("What it claimed."),
                },
            ),
            "What was held back, with the reason.",
        ),
        "coverage": _COVERAGE,
        "ms": number("Milliseconds of work."),
        "id": text("The review on the server.", format="uuid"),
        "repository": text("owner/name"),
        "pull_request": number("Its number.", whole=True, least=1),
        "state": {
            "enum": ["stored", "posted", "superseded", "post_failed"],
            "description": "What became of it on the code host.",
        },
        "state_reason": text("Why it was not posted."),
        "posted": {"type": "boolean", "description": "Whether people can see it on the code host."},
        "posted_url": text("Where."),
        "impact": {
            "type": ["object", "null"],
            "description": "How far the change reaches over all repositories, by name; null where that was not asked.",
        },
    },
    optional=("id", "repository", "pull_request", "state", "state_reason", "posted", "posted_url", "impact"),
)

SEARCH = record(
    "An answer: `panlect search --json FILE`, and `GET /api/v1/search`.",
    {
        "schema_version": _VERSION,
        "mode": _MODE,
        "hits": rows(
            record(
                "Lines that answer the query.",
                {
                    "path": _PATH,
                    **_LINES,
                    "symbol": text("The definition that fills most of the lines, or empty."),
                    "score": number("Higher is better; comparable within one answer only."),
                    "why": text("One line for a reader."),
                    "repository": text("Which one, where several were asked."),
                },
                optional=("repository",),
            ),
            "Best first.",
        ),
        "ms": number("Milliseconds."),
    },
)

CONTEXT = record(
    "The code around a change: `panlect context --json FILE`.",
    {
        "schema_version": _VERSION,
        "mode": _MODE,
        "items": rows(
            record(
                "A piece of code that the reviewer of this change should see.",
                {
                    "path": _PATH,
                    **_LINES,
                    "reason": text("Why it is here."),
                    "score": number("Higher is better."),
                    "tokens": number("Estimated size in tokens.", whole=True),
                },
            ),
            "Within the budget, best first.",
        ),
        "files": rows(
            record(
                "A file outside the change.",
                {"path": _PATH, "score": number("Higher is better.", least=-1e9)},
            ),
            "By how likely the reviewer wants it.",
        ),
    },
)

_COUNTS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "integer", "minimum": 0},
    "description": "How many files.",
}

INDEX = record(
    "What was read of a commit: `panlect index --json FILE`.",
    {
        "schema_version": _VERSION,
        "commit": text("Its id."),
        "files": number("Files of the commit.", whole=True),
        "read": {**_COUNTS, "description": "How many files were read, by parser."},
        "skipped": {**_COUNTS, "description": "How many files were not read, by reason."},
        "cut": text("Why there may be more files than were listed; empty when there are not."),
        "languages": {**_COUNTS, "description": "How many files were read, by language."},
        "chunks": number("Pieces that search returns.", whole=True),
        "analysed": number("Contents that were not known before.", whole=True),
        "seconds": number("Of the clock."),
        "records": rows(
            record(
                "What became of a file.",
                {
                    "path": _PATH,
                    "language": text("As which it was read."),
                    "parser": text("tree-sitter, lines, or none."),
                    "chunker": text("syntax, heading, statement, block, key, lines, or none."),
                    "ms": nullable(number("Milliseconds of its analysis; null when it was known before.")),
                    "skipped": text("Why it was not read; empty when it was."),
                },
            ),
            "Every file, by path.",
        ),
    },
)

WHO = record(
    "Who knows a name: `panlect who --json FILE`, and `GET /api/v1/who`.",
    {
        "schema_version": _VERSION,
        "name": text("As it was asked."),
        "repositories": number("In how many it is known.", whole=True),
        "counts": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0},
            "description": "How many sites, by role.",
        },
        "sites": rows(
            record(
                "A place that knows the name.",
                {
                    "repository": text("Which one."),
                    "commit": text("Of which commit."),
                    "path": _PATH,
                    "line": number("Its line.", whole=True, least=1),
                    "role": {
                        "enum": ["defines", "uses", "extends", "mentions"],
                        "description": "What it does with the name.",
                    },
                    "kind": text("Of the definition, use or mention."),
                    "within": text("The definition around it, or empty."),
                    "receiver": text("The word before the dot, or empty."),
                },
            ),
            "By repository, path and line; nothing is cut.",
        ),
        "ms": number("Milliseconds."),
    },
)

REACH = record(
    "How far a change reaches: `panlect reach --json FILE`.",
    {
        "schema_version": _VERSION,
        "base": text("Its merge base."),
        "head": text("Its head."),
        "said": text("In words."),
        "repositories": number("In how many something relies on it.", whole=True),
        "sites": number("Uses, subclasses and mentions outside the changed files.", whole=True),
        "names": rows(
            record(
                "A name that the change touches and others know.",
                {
                    "name": text("As it is written."),
                    "repositories": number("In how many it is known.", whole=True),
                    "sites": number("Where.", whole=True),
                },
            ),
            "The farthest first.",
        ),
        "cut": {
            "type": "boolean",
            "description": "Whether there is more than was looked at; then the figures are the least.",
        },
    },
)

_EXTRACT = record(
    "Lines as they were read; what looks like a secret is not in them.",
    {
        "repository": text("Which one, where several were asked."),
        "path": _PATH,
        **_LINES,
        "text": text("The lines."),
    },
    optional=("repository",),
)

ASK = record(
    "An answer about code: `panlect ask --json FILE`, and `POST /api/v1/ask`.",
    {
        "schema_version": _VERSION,
        "question": text("As it was asked."),
        "mode": {**_MODE, "description": "What the search rests on that the answer begins with."},
        "model": text("provider/model that answered; `none` without one."),
        "why": text("Why no model answered; empty when one did."),
        "answer": text(
            "Markdown. It cites [path:first-last], with `repository:` before it where several were asked."
        ),
        "sources": rows(_EXTRACT, "What the answer cites, in that order. Every line of it was read."),
        "read": rows(_EXTRACT, "What was read, where nothing is cited; else empty."),
        "dropped": number("Citations that were taken out because their lines were not read.", whole=True),
        "steps": rows(
            record(
                "A tool that was used.",
                {
                    "number": number("From 1.", whole=True, least=1),
                    "tool": text("Its name, as the model wrote it."),
                    "arguments": text("In short."),
                },
            ),
            "In their order; the first one is the search for the question.",
        ),
        "tokens": number("Of all requests and answers.", whole=True),
        "cost_microusd": nullable(
            number("Millionths of a US dollar; null where a price is not known.", whole=True)
        ),
        "degraded": text("Which better model was not asked, and why; empty when none."),
        "notes": rows(
            text("A sentence."), "What is not as it should be: a cut answer, a bound that was reached."
        ),
        "ms": number("Milliseconds."),
    },
)

SCHEMAS: Mapping[str, Schema] = {
    "review": REVIEW,
    "search": SEARCH,
    "context": CONTEXT,
    "index": INDEX,
    "who": WHO,
    "reach": REACH,
    "ask": ASK,
}
