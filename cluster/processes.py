"""Which processes a start brought to life, so that the next one can end what a killed one left, and nothing else.

Two ways, because each misses some: a mark in the environment, which finds what was reparented before anyone
looked (but Ray's agents overwrite theirs with their title), and a list of ids with their start times. Postgres
has neither: it outlives a killed parent on purpose.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from panlect.errors import PanlectError

MARK = "LAPTOP_START"
_GRACE_S = 5.0
_RECORD_S = 1.0


@contextmanager
def owned(run_dir: Path) -> Iterator[None]:
    """Hold the data directory: one start at a time, and first the end of what an earlier one left.

    Every process started inside inherits the mark, and is ended when the block is left. Raises PanlectError
    when another start holds the directory now.
    """
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    handle = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PanlectError(
                f"Panlect is running from {run_dir.parent} already.",
                fix="Stop it with Ctrl-C where it runs, or set PANLECT_DATA_DIR to another directory.",
            ) from None
        _end_left(run_dir)
        mark = uuid.uuid4().hex
        (run_dir / "start").write_text(mark)
        os.environ[MARK] = mark
        try:
            with _recording(run_dir):
                yield
        finally:
            _end_left(run_dir)
    finally:
        os.close(handle)


def _end_left(run_dir: Path) -> None:
    """End every process of the start that `run_dir` tells of, this one left out, and forget it."""
    while left := [process for process in _left(run_dir) if process.pid != os.getpid()]:
        # Again and again: one that is being ended may have started another.
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(left, timeout=_GRACE_S)
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=_GRACE_S)
    for name in ("start", "processes.json"):
        (run_dir / name).unlink(missing_ok=True)


def _left(run_dir: Path) -> list[psutil.Process]:
    """What carries the mark or stands in the list, and lives."""
    try:
        mark = (run_dir / "start").read_text().strip()
    except OSError:
        return []
    recorded = _recorded(run_dir)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = recorded.get(process.pid) == process.create_time() or process.environ().get(MARK) == mark
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _recorded(run_dir: Path) -> dict[int, float]:
    """id -> start time of what was written down; ids are reused, start times tell them apart."""
    try:
        return {
            int(pid): float(started) for pid, started in json.loads((run_dir / "processes.json").read_text())
        }
    except (OSError, ValueError):
        return {}


@contextmanager
def _recording(run_dir: Path) -> Iterator[None]:
    """Write down every process below this one, each second until the block is left."""
    over = threading.Event()

    def record() -> None:
        known = _recorded(run_dir)
        while not over.wait(_RECORD_S):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    known[process.pid] = process.create_time()
            draft = run_dir / "processes.json.new"
            draft.write_text(json.dumps(sorted(known.items())))
            draft.replace(run_dir / "processes.json")

    thread = threading.Thread(target=record, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll `ready()` until it is true. Raises PanlectError naming `what` when it never is."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise PanlectError(
                f"{what} did not become ready within {seconds:.0f} s.",
                fix="See the logs in the data directory.",
            )
        time.sleep(0.1)
