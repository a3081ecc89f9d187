"""Measure again what is quick to measure and compare with the committed results. `python -m bench.check [NAME ...]`

Speeds are compared after both were divided by their own calibration loop, and may be a third lower: the machine is
not alone. Qualities do not depend on the machine, and may be a hundredth lower. Exits with 1 when something is worse.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
QUICK: dict[str, list[str]] = {"parse": [], "index": [], "search": [], "served": []}
_SLOWER, _WORSE = 0.67, 0.01


@dataclass(frozen=True)
class Figure:
    """One figure of a result. `kind`: speed (more is better), time (less is better), quality."""

    name: str
    value: float
    kind: str


def main() -> int:
    """Say of every figure whether it holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", choices=[[], *QUICK], metavar="NAME", help=f"of {', '.join(QUICK)}"
    )
    names = parser.parse_args().names or list(QUICK)
    worse = 0
    for name in names:
        committed = RESULTS / f"{name}.json"
        if not committed.exists():
            print(f"{name}: no committed result")
            continue
        worse += sum(not holds for holds in _compared(name, json.loads(committed.read_text()), _again(name)))
    print(f"{worse} figures are worse than the committed ones")
    return 1 if worse else 0


def _again(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="panlect-bench-") as folder:
        path = Path(folder) / "result.json"
        subprocess.run([sys.executable, "-m", f"bench.{name}", "--json", str(path), *QUICK[name]], check=True)
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def _compared(name: str, committed: dict[str, Any], now: dict[str, Any]) -> Iterator[bool]:
    pace = now["calibration_ms"]["before"] / committed["calibration_ms"]["before"]
    known = {figure.name: figure for figure in figures(name, committed)}
    for figure in figures(name, now):
        before = known.get(figure.name)
        if before is None:
            continue
        holds = _holds(before, figure, pace)
        print(f"{'holds' if holds else 'WORSE'}  {name}: {figure.name}  {before.value} -> {figure.value}")
        yield holds


def _holds(before: Figure, now: Figure, pace: float) -> bool:
    """`pace`: how much slower the machine is now, by the calibration loop of both."""
    if now.kind == "quality":
        return now.value >= before.value - _WORSE
    if now.kind == "speed":
        return now.value * pace >= before.value * _SLOWER
    return now.value * _SLOWER <= before.value * pace


def figures(name: str, result: dict[str, Any]) -> Iterator[Figure]:
    """What of a result is compared."""
    if name == "parse":
        for speed in result["speeds"]:
            if speed["what"].startswith(("parse", "with")) and speed["megabytes"] >= 1:
                yield Figure(f"{speed['corpus']} {speed['what']}", speed["mb_per_s"], "speed")
    elif name == "index":
        for phase in result["phases"]:
            yield Figure(f"{phase['way']} {phase['phase']}", phase["seconds"], "time")
    elif name == "search":
        for corpus in result["corpora"]:
            yield Figure(f"{corpus['corpus']} R@5", corpus["lexical"]["R@5"], "quality")
    elif name == "served":
        for key in ("p50_ms_1", "p50_ms_4", "cold_s"):
            yield Figure(key, result[key], "time")


if __name__ == "__main__":
    raise SystemExit(main())
