"""What a model is told when it is asked about code: the prompt `ask`, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panlect.llm.chat import Message
from panlect.llm.prompts import Block, fenced, render

_LAST_TURN = (
    "No more tools. Answer the question now from what stands above, and say what you could not find out."
)


def first_turns(
    names: Sequence[str], question: str, found: str, summaries: Mapping[str, str], tag: str, *, tools: bool
) -> tuple[Message, Message]:
    """The task and the question, with what search found for its words. `found` is fenced already."""
    several = len(names) > 1
    told = "\n".join(f"{path}: {' '.join(text.split())}" for path, text in summaries.items())
    about = f"\nSummaries of these files (not to be cited):\n{fenced(Block('summaries', told), tag)}"
    slots = {
        "repositories": f"{len(names)} repositories ({', '.join(names)})" if several else "one repository",
        "look": "You have read-only tools; look" if tools else "Look",
        "example": "repository:path/to/file.py:12-20" if several else "path/to/file.py:12-20",
        "question": question,
        "found": found,
        "summaries": about if summaries else "",
    }
    system, user = render("ask", slots, tag)
    return system, user


def all_at_once(first: str, results: Sequence[tuple[str, str]]) -> str:
    """The whole conversation as one turn: the last request has no tools, and some providers take no trace of them."""
    read = "\n\n".join(f"{called}:\n{said}" for called, said in results)
    return "\n\n".join(part for part in (first, read, _LAST_TURN) if part)
