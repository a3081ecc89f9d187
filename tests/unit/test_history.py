"""The promises that are read off the history: a broken one is named, a kept one is not."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from panlect.history import Event, EventKind, check_history

RUN, PULL, DELIVERY = UUID(int=1), UUID(int=2), UUID(int=3)
LEASE, OTHER_LEASE = UUID(int=4), UUID(int=5)

GOOD = [
    Event(EventKind.DELIVERY_ACCEPTED, delivery_id=DELIVERY),
    Event(EventKind.RUN_CREATED, run_id=RUN, pull_request_id=PULL, head_sha="a", cause="push"),
    Event(EventKind.DELIVERY_FINISHED, delivery_id=DELIVERY),
    Event(EventKind.LEASE_GRANTED, run_id=RUN, lease_token=LEASE),
    Event(EventKind.STEP_DONE, run_id=RUN, step="plan:", lease_token=LEASE),
    Event(EventKind.LEASE_EXPIRED, run_id=RUN, lease_token=LEASE),
    Event(EventKind.LEASE_GRANTED, run_id=RUN, lease_token=OTHER_LEASE),
    Event(EventKind.STEP_DONE, run_id=RUN, step="post:", lease_token=OTHER_LEASE),
    Event(EventKind.REVIEW_POSTED, run_id=RUN, pull_request_id=PULL, head_sha="a", cause="push"),
    Event(EventKind.RUN_FINISHED, run_id=RUN),
]


def numbered(events: list[Event]) -> list[Event]:
    return [replace(event, seq=seq) for seq, event in enumerate(events, start=1)]


def promises(events: list[Event]) -> list[str]:
    return [violation.promise for violation in check_history(numbered(events))]


def test_a_history_in_which_every_promise_was_kept_has_no_violation() -> None:
    assert check_history(numbered(GOOD)) == []
    assert check_history([]) == []


def test_the_order_of_the_list_does_not_matter_the_seq_does() -> None:
    assert check_history(reversed(numbered(GOOD))) == []


@pytest.mark.parametrize("kind", [EventKind.DELIVERY_FINISHED, EventKind.RUN_FINISHED])
def test_what_was_accepted_and_never_ended_is_named(kind: EventKind) -> None:
    assert promises([event for event in GOOD if event.kind is not kind]) == [
        "what was accepted comes to an end"
    ]


def test_a_second_visible_review_of_a_head_is_named() -> None:
    assert promises([*GOOD, GOOD[8]]) == ["one visible review per head and cause"]
    assert promises([*GOOD, replace(GOOD[8], cause="command")]) == []


def test_a_post_for_a_superseded_head_is_named() -> None:
    superseded = Event(EventKind.RUN_SUPERSEDED, run_id=RUN, pull_request_id=PULL, head_sha="a")
    assert promises([*GOOD[:8], superseded, GOOD[8]]) == ["nothing is posted for a superseded head"]


def test_a_head_that_came_back_by_force_may_be_posted_again() -> None:
    other = UUID(int=9)
    superseded = Event(EventKind.RUN_SUPERSEDED, run_id=other, pull_request_id=PULL, head_sha="a")
    assert promises([superseded, *GOOD]) == []


def test_a_step_that_finished_twice_is_named() -> None:
    assert promises([*GOOD[:5], GOOD[4], *GOOD[5:]]) == ["a finished step is never run again"]


@pytest.mark.parametrize(
    "step",
    [
        Event(EventKind.STEP_DONE, run_id=RUN, step="late:", lease_token=LEASE),
        Event(EventKind.STEP_DONE, run_id=RUN, step="late:"),
    ],
)
def test_a_step_without_the_lease_is_named(step: Event) -> None:
    assert promises([*GOOD[:7], step, *GOOD[7:]]) == ["a step finishes under the lease alone"]


def test_a_step_after_the_end_of_its_run_is_named() -> None:
    late = Event(EventKind.STEP_DONE, run_id=RUN, step="late:", lease_token=OTHER_LEASE)
    assert promises([*GOOD, late]) == ["a step finishes under the lease alone"]
