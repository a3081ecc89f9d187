"""Fault points: silent unless a test armed them, and never misspelt without a word."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from panlect import faults
from panlect.errors import ConfigurationError
from panlect.faults import Fault, FaultInjectedError, fault

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(faults.VARIABLE, raising=False)
    faults._armed.cache_clear()


def test_an_unarmed_point_does_nothing() -> None:
    for point in faults.POINTS:
        fault(point)


def test_a_point_that_is_not_registered_is_an_error_even_unarmed() -> None:
    with pytest.raises(KeyError):
        fault("step.before_comit")


def test_the_nth_passing_is_hit_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(faults.VARIABLE, "step.before_commit:raise:2")
    fault("step.before_commit")
    fault("step.after_commit")
    with pytest.raises(FaultInjectedError, match=r"step\.before_commit"):
        fault("step.before_commit")
    fault("step.before_commit")


def test_the_nth_is_the_first_when_left_out() -> None:
    assert faults.parse("run.after_claim:kill, step.before_work:sleep:3") == (
        Fault("run.after_claim", "kill", 1),
        Fault("step.before_work", "sleep", 3),
    )


@pytest.mark.parametrize(
    "text",
    ["step.nowhere:kill:1", "step.before_work", "step.before_work:explode:1", "step.before_work:kill:x"],
)
def test_what_cannot_be_armed_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        faults.parse(text)


def test_sleep_blocks_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setenv(faults.VARIABLE, "step.before_work:sleep:1")
    fault("step.before_work")
    assert slept == [faults.SLEEP_S]


def test_kill_leaves_no_time_for_anything() -> None:
    program = "from panlect.faults import fault; fault('step.before_work'); print('still here')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={faults.VARIABLE: "step.before_work:kill:1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_every_point_in_the_code_is_registered() -> None:
    files = [path for room in ("panlect", "jobs", "serve") for path in (ROOT / room).rglob("*.py")]
    used = {name for path in files for name in re.findall(r"\bfault\(\"([^\"]+)\"\)", path.read_text())}
    assert used <= set(faults.POINTS)
    assert {"step.before_work", "verdict.before_commit", "inbox.before_commit"} <= used
