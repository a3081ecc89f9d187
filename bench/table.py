"""Write the table of docs/performance.md from bench/results. `python -m bench.table`

Only what stands in a committed result is written, with the commit and the day on which it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- bench table -->", "<!-- end of bench table -->"
Row = tuple[str, str, str, str]


def main() -> None:
    """Replace what stands between the marks."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{written()}\n{END}{after}")
    print(f"{PAGE.name}: {sum(1 for _ in rows())} rows")


def written() -> str:
    """The table as Markdown."""
    head = ["| what | measured | reach | how |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows())])


def rows() -> Iterator[Row]:
    """A row for each figure, in the order of the benches; a bench without a result has none."""
    for name, figures in _FIGURES.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            how = f"`bench.{name}`, {result['commit']}, {result['date']}"
            yield from ((what, measured, reach, how) for what, measured, reach in figures(result))


def _parse(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for corpus in dict.fromkeys(speed["corpus"] for speed in result["speeds"]):
        speeds = {speed["what"]: speed for speed in result["speeds"] if speed["corpus"] == corpus}
        full = speeds["parse+chunk+symbols+terms"]
        if full["megabytes"] < 1:
            continue
        others = [
            f"{what} {speed['mb_per_s']}"
            for what, speed in speeds.items()
            if not what.startswith(("parse", "with"))
        ]
        beside = f" (beside it: {', '.join(others)})" if others else ""
        yield f"{corpus}: parse", f"{speeds['parse']['mb_per_s']} MB/s", ""
        yield f"{corpus}: parse + chunk", f"{speeds['parse+chunk']['mb_per_s']} MB/s{beside}", "every peer"
        yield (
            f"{corpus}: parse + chunk + symbols + terms",
            f"{full['mb_per_s']} MB/s, {full['files_per_s']} files/s",
            "5 MB/s, 250 files/s",
        )
        yield f"{corpus}: with scope facts and mentions", f"{speeds['with facts']['mb_per_s']} MB/s", "3 MB/s"


def _embed(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    speed = result["chunks_per_s"]
    yield (
        f"embedding, {result['chunks']} chunks of {result['mean_characters']} characters, one core",
        f"{speed['ours']} chunks/s; bare model loop {speed['bare model loop']}; share {result['share_of_bare_loop']}",
        "20 chunks/s, share .85",
    )


def _index(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    reach = {"cold": "10 s", "two files": "2 s, 15 chunks", "unchanged": "0 parsed", "renamed": "0 chunks"}
    for phase in result["phases"]:
        what = f"{result['megabytes']} MB, {result['files']} files, {phase['way']}: {phase['phase']}"
        measured = f"{phase['seconds']} s, {phase['parsed']} parsed, {phase['new_chunks']} new chunks, {phase['peak_mb']} MB"
        yield what, measured, reach.get(phase["phase"], "")


def _search(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for corpus in result["corpora"]:
        tuned = "tuned on" if corpus["tuned_on"] else "not tuned on"
        dense = f"; with dense {corpus['dense']['R@5']}" if "dense" in corpus else ""
        yield (
            f"docstring -> function, {corpus['corpus']} ({tuned}), n={corpus['lexical']['n']}, R@5",
            f"{corpus['lexical']['R@5']}{dense}",
            ".53; with dense .60",
        )


def _context(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for one in [*result["repositories"], {"name": "mean of the untouched", **result["mean_of_untouched"]}]:
        tuned = "" if "tuned_on" not in one else " (tuned on)" if one["tuned_on"] else " (not tuned on)"
        yield (
            f"context of a change, {one['name']}{tuned}, n={one['panlect']['n']}, R@5 / R@10 / MRR",
            f"{one['panlect']['R@5']} / {one['panlect']['R@10']} / {one['panlect']['MRR']}; BM25 {one['bm25']['R@5']}",
            "BM25 + .05; mean of the untouched .65",
        )


def _served(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    what = f"search over HTTP, {result['chunks']} chunks, lexical + dense"
    yield f"{what}: 1 client p50 / p95", f"{result['p50_ms_1']} / {result['p95_ms_1']} ms", "p50 50 ms"
    yield f"{what}: 4 clients p50 / p95", f"{result['p50_ms_4']} / {result['p95_ms_4']} ms", "120 / 300 ms"
    yield f"{what}: cold snapshot", f"{result['cold_s']} s, {result['peak_mb']} MB", "2 s"
    yield "snapshot in memory", f"{result['bytes_per_chunk']} bytes a chunk", ""


def _vectors(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    what = f"{result['rows']} vectors in {result['repositories']} repositories, row level security"
    yield (
        f"{what}: stored",
        f"{result['rows_per_s']} rows/s, again {result['rerun_rows_per_s']}",
        "40,000 rows/s",
    )
    yield (
        f"{what}: nearest at 10 and 100 repositories",
        f"{result['ms_at_10']} and {result['ms_at_100']} ms, ratio {result['ratio']}",
        "within 20 %",
    )


def _queue(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield f"queue with {result['finished_rows']} finished rows", f"{result['drain_jobs_per_s']} jobs/s", "500"
    yield (
        "queue: pick-up p50, hand-over of a lock p50",
        f"{result['pickup_p50_ms']} ms, {result['handover_p50_s']} s",
        "20 ms, 0.5 s",
    )


def _gateway(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    p50, rates = result["p50_ms"], result["requests_per_s"]
    yield (
        "gateway with reserve, settle and record, under uvicorn, instant stub: added to a call, p50",
        f"{result['overhead_ms_p50']} ms (stub {p50['stub']}, through it {p50['gateway']}, streaming {p50['stream']})",
        "8 ms",
    )
    yield (
        f"the same, {result['clients']} clients",
        f"{rates['gateway']} requests/s, streaming {rates['gateway_streaming']} (stub alone {rates['stub']})",
        "120 requests/s",
    )
    if "through_serve" in result:
        through = result["through_serve"]
        yield (
            "the same through Ray Serve",
            f"p50 {through['p50_ms']} ms, {through['requests_per_s']} requests/s",
            "",
        )
    yield "a failover adds", f"{result['failover_ms']} ms", "50 ms"
    race = result["race"]
    yield (
        f"{race['callers']} callers at once for one budget",
        f"{race['answered']} answered, {race['refused']} refused, {race['over_budget']} over budget",
        "0 over budget",
    )


_FIGURES = {
    "parse": _parse,
    "embed": _embed,
    "index": _index,
    "search": _search,
    "context": _context,
    "served": _served,
    "vectors": _vectors,
    "queue": _queue,
    "gateway": _gateway,
}

if __name__ == "__main__":
    main()
