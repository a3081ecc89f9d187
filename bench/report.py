"""What stands beside every figure: the machine, the commit, the day, and how fast the machine was just then."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def calibration_ms() -> float:
    """Milliseconds of a fixed loop: compare it before comparing results of two machines."""
    began = time.process_time()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    return (time.process_time() - began) * 1000


@dataclass(frozen=True, slots=True)
class Start:
    """How it was when a measurement began: the commit may be another one when it ends."""

    calibration_ms: float
    commit: str


def begin() -> Start:
    """Call it before the work."""
    return Start(calibration_ms(), _commit())


def circumstances(start: Start) -> dict[str, Any]:
    """Where and when a result was measured; call it when the work is done."""
    return {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "commit": start.commit,
        "date": time.strftime("%Y-%m-%d"),
        "calibration_ms": {"before": round(start.calibration_ms, 1), "after": round(calibration_ms(), 1)},
    }


def write_result(path: Path | None, result: dict[str, Any]) -> None:
    """The result as JSON, when a file was asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    out = subprocess.run(
        ["git", "-C", str(Path(__file__).parents[1]), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return out.stdout.strip()
