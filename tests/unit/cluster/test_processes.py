"""A start ends what it started, and what an earlier start left; nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.processes import MARK, owned
from panlect.errors import PanlectError

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def unmarked() -> Iterator[None]:
    before = os.environ.pop(MARK, None)
    yield
    os.environ.pop(MARK, None)
    if before is not None:
        os.environ[MARK] = before


def test_what_was_started_inside_is_ended_when_the_block_is_left(tmp_path: Path) -> None:
    with owned(tmp_path / "run"):
        process = subprocess.Popen(SLEEP)
        assert psutil.pid_exists(process.pid)
    assert not psutil.pid_exists(process.pid)
    process.wait()


def test_what_an_earlier_start_left_is_ended_by_the_next_wherever_it_hangs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "start").write_text("an-earlier-start")
    shell = f"{sys.executable} -c 'import time; time.sleep(600)' >/dev/null 2>&1 & echo $!"
    orphan = int(subprocess.check_output(["sh", "-c", shell], env={**os.environ, MARK: "an-earlier-start"}))
    assert psutil.pid_exists(orphan)
    with owned(run):
        assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


def test_processes_of_others_are_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(SLEEP, env={**os.environ, MARK: "somebody-else"})
    try:
        with owned(tmp_path / "run"):
            pass
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    with owned(tmp_path / "run"), pytest.raises(PanlectError, match="already"), owned(tmp_path / "run"):
        pass
