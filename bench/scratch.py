"""What benches of the server stand on: an embedded Postgres of their own, free ports, what a process took."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panlect.db import embedded


@contextmanager
def scratch_postgres() -> Iterator[tuple[embedded.Server, Path]]:
    """A server in a folder of its own, until the block ends; then both are gone."""
    directory = Path(tempfile.mkdtemp(prefix="panlect-bench-"))
    try:
        yield embedded.start(directory), directory
    finally:
        root = embedded.postgres_root(directory)
        embedded.stop(directory, "immediate")
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mb(pid: int) -> int:
    """The most memory that a process held, in MiB; 0 where that is not known."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def percentile(values: list[float], percent: int) -> float:
    """The value below which so many of them lie."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
