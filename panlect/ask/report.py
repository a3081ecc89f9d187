"""An answer as JSON: `panlect ask`, and the API."""

from __future__ import annotations

from typing import Any

from panlect.ask.agent import Done, Step
from panlect.ask.reading import Extract

SCHEMA_VERSION = 1


def answer_json(question: str, done: Done, steps: list[Step], ms: float) -> dict[str, Any]:
    """The JSON of `panlect ask`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "question": question,
        "mode": done.mode,
        "model": done.model,
        "why": done.why,
        "answer": done.answer,
        "sources": [extract_json(one) for one in done.sources],
        "read": [extract_json(one) for one in done.read],
        "dropped": done.dropped,
        "steps": [step_json(one) for one in steps],
        "tokens": done.tokens,
        "cost_microusd": done.cost_microusd,
        "degraded": done.degraded,
        "notes": list(done.notes),
        "ms": round(ms, 1),
    }


def extract_json(extract: Extract) -> dict[str, Any]:
    """A source: without a repository where only one was asked."""
    row = {
        "path": extract.path,
        "start_line": extract.start_line,
        "end_line": extract.end_line,
        "text": "\n".join(extract.lines),
    }
    return {"repository": extract.repository, **row} if extract.repository else row


def step_json(step: Step) -> dict[str, Any]:
    """A step that was taken."""
    return {"number": step.number, "tool": step.tool, "arguments": step.arguments}
