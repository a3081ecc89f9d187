"""What happened, in order, in a table that nobody can rewrite; and the promises that can be read off it.

Every durable change of work appends one event in its own transaction. `check_history` is pure: tests and
operators hand it the events of a quiet system and learn what was broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from panlect.db import sql

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class EventKind(StrEnum):
    """What can happen to a delivery, a run or a review."""

    DELIVERY_ACCEPTED = "delivery_accepted"
    DELIVERY_FINISHED = "delivery_finished"
    RUN_CREATED = "run_created"
    LEASE_GRANTED = "lease_granted"
    LEASE_EXPIRED = "lease_expired"
    LEASE_RELEASED = "lease_released"
    STEP_DONE = "step_done"
    RUN_FINISHED = "run_finished"
    RUN_SUPERSEDED = "run_superseded"
    REVIEW_STORED = "review_stored"
    REVIEW_POSTED = "review_posted"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `seq` orders all events of a database; unset parts are None or empty."""

    kind: EventKind
    seq: int = 0
    delivery_id: UUID | None = None
    run_id: UUID | None = None
    pull_request_id: UUID | None = None
    head_sha: str = ""
    cause: str = ""
    step: str = ""
    lease_token: UUID | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise and the event (its seq) that broke it; 0 when something is missing at the end."""

    promise: str
    seq: int
    subject: str


async def append(connection: AsyncConnection[Any], organisation_id: UUID, event: Event) -> None:
    """Add an event in the caller's transaction; its seq is given by the database."""
    await connection.execute(
        sql.query("history.append_event"),
        {
            "organisation_id": organisation_id,
            "kind": event.kind.value,
            "delivery_id": event.delivery_id,
            "run_id": event.run_id,
            "pull_request_id": event.pull_request_id,
            "head_sha": event.head_sha,
            "cause": event.cause,
            "step": event.step,
            "lease_token": event.lease_token,
            "detail": event.detail,
        },
    )


async def read(connection: AsyncConnection[Any], after_seq: int = 0) -> list[Event]:
    """The events of the transaction's organisation after `after_seq`, oldest first."""
    rows = await (
        await connection.execute(sql.query("history.list_events"), {"after_seq": after_seq})
    ).fetchall()
    return [Event(EventKind(row[0]), *row[1:]) for row in rows]


def check_history(events: Iterable[Event]) -> list[Violation]:
    """Every broken promise in the history of a system at rest (nothing queued, nothing running).

    What was accepted came to an end; a head has at most one visible review per cause; nothing was posted
    for a head that had been superseded; no step finished twice; no step finished without the lease.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    return [
        *_ends(ordered, EventKind.DELIVERY_ACCEPTED, {EventKind.DELIVERY_FINISHED}, "delivery"),
        *_ends(ordered, EventKind.RUN_CREATED, {EventKind.RUN_FINISHED, EventKind.RUN_SUPERSEDED}, "run"),
        *_one_visible_review(ordered),
        *_no_post_for_a_superseded_head(ordered),
        *_no_step_twice(ordered),
        *_no_step_without_lease(ordered),
    ]


def _ends(events: list[Event], begin: EventKind, ends: set[EventKind], subject: str) -> Iterable[Violation]:
    def identity(event: Event) -> UUID | None:
        return event.delivery_id if subject == "delivery" else event.run_id

    ended = {identity(event) for event in events if event.kind in ends}
    for event in events:
        if event.kind is begin and identity(event) not in ended:
            yield Violation("what was accepted comes to an end", 0, f"{subject} {identity(event)}")


def _one_visible_review(events: list[Event]) -> Iterable[Violation]:
    seen: set[tuple[UUID | None, str, str]] = set()
    for event in events:
        if event.kind is EventKind.REVIEW_POSTED:
            key = (event.pull_request_id, event.head_sha, event.cause)
            if key in seen:
                yield Violation("one visible review per head and cause", event.seq, event.head_sha)
            seen.add(key)


def _no_post_for_a_superseded_head(events: list[Event]) -> Iterable[Violation]:
    superseded: set[tuple[UUID | None, str]] = set()
    for event in events:
        key = (event.pull_request_id, event.head_sha)
        if event.kind is EventKind.RUN_SUPERSEDED:
            superseded.add(key)
        elif event.kind is EventKind.RUN_CREATED:
            superseded.discard(key)  # a force push back: the old head is the head again
        elif event.kind is EventKind.REVIEW_POSTED and key in superseded:
            yield Violation("nothing is posted for a superseded head", event.seq, event.head_sha)


def _no_step_twice(events: list[Event]) -> Iterable[Violation]:
    done: set[tuple[UUID | None, str]] = set()
    for event in events:
        if event.kind is EventKind.STEP_DONE:
            key = (event.run_id, event.step)
            if key in done:
                yield Violation("a finished step is never run again", event.seq, event.step)
            done.add(key)


def _no_step_without_lease(events: list[Event]) -> Iterable[Violation]:
    holder: dict[UUID | None, UUID | None] = {}
    for event in events:
        if event.kind is EventKind.LEASE_GRANTED:
            holder[event.run_id] = event.lease_token
        elif event.kind in (
            EventKind.LEASE_EXPIRED,
            EventKind.LEASE_RELEASED,
            EventKind.RUN_FINISHED,
            EventKind.RUN_SUPERSEDED,
        ):
            holder.pop(event.run_id, None)
        elif event.kind is EventKind.STEP_DONE and (
            event.lease_token is None or holder.get(event.run_id) != event.lease_token
        ):
            yield Violation("a step finishes under the lease alone", event.seq, event.step)
