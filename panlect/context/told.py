"""What a model has said of the repository and of the directories of a change: a small part of its context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from panlect.change import Change
from panlect.index.store import PostgresStore
from panlect.index.summaries import placed
from panlect.llm.tokens import estimate_tokens

_MOST_SHARE = 0.1  # of the budget of tokens: code is worth more
_MOST_DIRECTORIES = 8


@dataclass(frozen=True, slots=True)
class SummaryItem:
    """A summary that a reviewer should see: "" is the repository's."""

    path: str
    text: str
    reason: str
    model: str
    tokens: int


def within(summaries: Sequence[SummaryItem], budget_tokens: int) -> tuple[SummaryItem, ...]:
    """The first ones that fit into a small share of the budget."""
    chosen, left = [], int(_MOST_SHARE * budget_tokens)
    for one in summaries:
        if one.tokens <= left:
            chosen.append(one)
            left -= one.tokens
    return tuple(chosen)


def told_of(change: Change, store: PostgresStore, repository_id: UUID) -> tuple[SummaryItem, ...]:
    """What models said of the repository and of the directories that `change` touches most; () where no model did.

    They are of the newest commit that was described: what a directory is for seldom changes with one.
    """
    wanted = directories_of(file.path for file in change.files)[:_MOST_DIRECTORIES]
    found = {one.path: one.summary for one in placed(store, repository_id, ["", *wanted], by_model=True)}
    return tuple(
        SummaryItem(path, one.text, _reason(path), one.model, estimate_tokens(one.text))
        for path in ("", *wanted)
        if (one := found.get(path)) is not None
    )


def directories_of(paths: Iterable[str]) -> list[str]:
    """The directories of files, the one with most of them first."""
    counts: dict[str, int] = {}
    for path in paths:
        directory = path.rpartition("/")[0]
        if directory:
            counts[directory] = counts.get(directory, 0) + 1
    return sorted(counts, key=lambda directory: (-counts[directory], directory))


def _reason(path: str) -> str:
    return f"summary of {path}/, where files are changed" if path else "summary of the repository"
