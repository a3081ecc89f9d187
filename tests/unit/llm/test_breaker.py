"""The breaker: opens on failures, obeys what a provider asks for, lets one caller look whether it recovered."""

from __future__ import annotations

from panlect.llm.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.ask()
        breaker.failed()
    return breaker


def test_it_opens_at_the_fifth_failure_of_the_last_twenty() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for ok in (False, True, False, True, False, True, False):
        breaker.ask()
        breaker.succeeded() if ok else breaker.failed()
    assert breaker.wait_s() == 0.0
    breaker.failed()
    assert breaker.wait_s() == 30.0


def test_one_caller_looks_while_the_others_wait() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at = 31
    assert breaker.wait_s() == 0.0
    breaker.ask()
    assert breaker.wait_s() == 1.0
    breaker.succeeded()
    assert breaker.wait_s() == 0.0
    breaker.failed()
    assert breaker.wait_s() == 0.0, "it starts afresh"


def test_a_failed_look_closes_it_for_as_long_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at = 31
    breaker.ask()
    breaker.failed()
    assert breaker.wait_s() == 30.0


def test_a_look_that_was_given_up_lets_another_look() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at = 31
    probe = breaker.ask()
    breaker.left(probe=False)
    assert breaker.wait_s() == 1.0, "another call's end is not the probe's"
    breaker.left(probe=probe)
    assert breaker.wait_s() == 0.0


def test_a_provider_is_asked_when_it_says_but_cannot_close_itself_for_a_day() -> None:
    breaker = Breaker(Clock())
    breaker.failed(retry_after_s=7)
    assert breaker.wait_s() == 7
    breaker.failed(retry_after_s=86_400)
    assert breaker.wait_s() == 300
