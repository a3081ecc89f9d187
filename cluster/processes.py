"""Which processes a start brought to life, on disk: so that the next one can end what a killed one left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from panlect.errors import PanlectError

_GRACE_S = 5.0


@contextmanager
def owned(run_dir: Path) -> Iterator[None]:
    """Hold the data directory: one start at a time, and first the end of what an earlier one left.

    Raises PanlectError when another start holds it now.
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
        end_recorded(run_dir)
        try:
            yield
        finally:  # Ctrl-C, the usual end, comes as an exception
            end_recorded(run_dir)
    finally:
        os.close(handle)


def record(run_dir: Path, extra: Iterable[int] = ()) -> None:
    """Write down every process below this one, and `extra`, with their start times (ids are reused)."""
    ours = psutil.Process()
    found = {process.pid: process for process in ours.children(recursive=True)}
    for pid in extra:
        with contextlib.suppress(psutil.NoSuchProcess):
            found[pid] = psutil.Process(pid)
    known = {row["pid"]: row for row in _read(run_dir) if _alive(row)}
    for pid, process in found.items():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            known[pid] = {"pid": pid, "started": process.create_time(), "name": process.name()}
    draft = run_dir / "processes.json.new"
    draft.write_text(json.dumps(sorted(known.values(), key=lambda row: row["pid"])))
    draft.replace(run_dir / "processes.json")


def end_recorded(run_dir: Path) -> list[int]:
    """End every recorded process that is still the one that was recorded; their ids."""
    left = [
        psutil.Process(int(str(row["pid"])))
        for row in _read(run_dir)
        if _alive(row) and row["pid"] != os.getpid()
    ]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=_GRACE_S if left else 0)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_GRACE_S if stubborn else 0)
    (run_dir / "processes.json").unlink(missing_ok=True)
    return [process.pid for process in left]


def _read(run_dir: Path) -> list[dict[str, object]]:
    try:
        rows = json.loads((run_dir / "processes.json").read_text())
    except (OSError, ValueError):
        return []
    return rows if isinstance(rows, list) else []


def _alive(row: dict[str, object]) -> bool:
    try:
        process = psutil.Process(int(str(row["pid"])))
        return (
            abs(process.create_time() - float(str(row["started"]))) < 1.0
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False


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
