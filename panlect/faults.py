"""Named places where a test may kill, stop or trip this process; nothing happens anywhere else.

`fault("step.before_commit")` does nothing unless PANLECT_FAULTS arms that point, as in
`step.before_commit:kill:2`: at the second passing of that point, the process is killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from panlect.errors import ConfigurationError, PanlectError

VARIABLE = "PANLECT_FAULTS"
ACTIONS = ("kill", "raise", "sleep", "hang")
SLEEP_S = 2.0
# Every point, with what was already true and what was not yet when it is passed.
POINTS = {
    "inbox.before_commit": "the delivery is inserted and its task enqueued, nothing is visible yet",
    "inbox.after_commit": "the delivery is durable, the host has no answer yet",
    "sync.before_done": "the run exists, the delivery still counts as waiting",
    "run.after_claim": "the lease is taken, no step has begun",
    "step.before_work": "the step is about to begin",
    "step.before_commit": "the step's work is done, its result is not stored",
    "step.after_commit": "the step's result is stored",
    "verdict.before_commit": "verdict, findings and publish run are inserted, nothing is visible yet",
    "verdict.after_commit": "the verdict is durable, the publisher may begin",
    "review.post.before_request": "head and marker were checked, nothing was posted",
    "review.post.after_response": "the host has the review, we have not noted it",
    "review.post.before_commit": "the host's ids are written, nothing is visible yet",
    "run.before_finish": "all steps are done, the run still counts as running",
    "index.after_analysed": "some blobs of a bulk index are stored, others are not",
    "index.after_embedded": "some vectors of a bulk index are stored, others are not",
    "index.before_activate": "the snapshot is complete, the old one is still searched",
    "sweep.before_commit": "lost work is found, its new wake-ups are not visible yet",
}


class FaultInjectedError(PanlectError):
    """A test asked for this failure."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at the nth passing of a point."""

    point: str
    action: str
    nth: int


@dataclass(slots=True)
class _Armed:
    faults: tuple[Fault, ...]
    passed: Counter[str] = field(default_factory=Counter)


def parse(text: str) -> tuple[Fault, ...]:
    """The faults that `point:action:nth,...` names; nth is 1 when left out.

    Raises ConfigurationError for an unknown point or action.
    """
    return tuple(_parse_one(part.strip()) for part in text.split(",") if part.strip())


def fault(point: str) -> None:
    """Pass a named point: do nothing, or what a test armed it with. Raises KeyError for an unknown name."""
    POINTS[point]
    armed = _armed()
    if not armed.faults:
        return
    armed.passed[point] += 1
    for candidate in armed.faults:
        if (candidate.point, candidate.nth) == (point, armed.passed[point]):
            _act(candidate)


def _parse_one(part: str) -> Fault:
    point, _, rest = part.partition(":")
    action, _, nth = rest.partition(":")
    if point not in POINTS:
        raise ConfigurationError(f"Unknown fault point {point!r}.", fix=f"Known: {', '.join(POINTS)}.")
    if action not in ACTIONS or not (nth or "1").isdigit():
        raise ConfigurationError(
            f"The fault {part!r} is not point:action:nth.", fix=f"Actions: {', '.join(ACTIONS)}."
        )
    return Fault(point, action, int(nth or "1"))


@cache
def _armed() -> _Armed:
    """What this process was started with; the counts live as long as the process, which is their point."""
    return _Armed(parse(os.environ.get(VARIABLE, "")))


def _act(wanted: Fault) -> None:
    if wanted.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif wanted.action == "raise":
        raise FaultInjectedError(f"Fault at {wanted.point}.")
    elif wanted.action == "sleep":
        time.sleep(SLEEP_S)  # blocks the event loop too, as a busy parser would
    while wanted.action == "hang":
        time.sleep(3600)
