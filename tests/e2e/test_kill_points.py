"""Kill the process at every named point of a review: one review, one check, no finished step run again.

`--rounds N` repeats the points, each round at a later step; `--write-table FILE` writes what was measured.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from panlect import history
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.faults import POINTS
from panlect.history import EventKind, check_history

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "acme/shop"
SHOP = {
    "shop/__init__.py": "",
    "shop/capture.py": "def capture(order):\n    return order.total\n",
    "shop/retry.py": "from shop.capture import capture\n\n\ndef retry(order):\n    return capture(order)\n",
}
BROKEN = {"shop/capture.py": "def capture(order, key):\n    return order.total, key\n"}
LEASE_S = 1.0
# The web application as a process of its own, so that it can be killed.
WEB = """
import sys, uvicorn
from panlect import wiring
from panlect.settings import load
from serve.app import edge

uvicorn.run(edge(wiring.build(load())), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
IN_THE_WEB = tuple(point for point in POINTS if point.startswith("inbox."))
IN_A_REVIEW = tuple(
    point for point in POINTS if point not in IN_THE_WEB and not point.startswith(("sweep.", "index."))
)
# How often one review passes a point: nine steps until the verdict and two to publish it, in two runs.
PASSINGS = {
    "run.after_claim": 2,
    "run.before_finish": 2,
    "step.before_work": 11,
    "step.before_commit": 11,
    "step.after_commit": 11,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a point and round; what is passed several times is killed one passing later in every round."""
    if "fault" not in metafunc.fixturenames:
        return
    rounds = range(1, metafunc.config.getoption("rounds") + 1)
    kills = [
        (number, f"{point}:kill:{(number - 1) % PASSINGS.get(point, 1) + 1}")
        for number in rounds
        for point in IN_A_REVIEW
    ]
    metafunc.parametrize(
        "fault", [fault for _, fault in kills], ids=[f"{number}-{fault}" for number, fault in kills]
    )


@dataclass(frozen=True)
class Row:
    """What one kill led to. `seconds` from the last kill until the check stood on the host."""

    fault: str
    reviews: int
    checks: int
    seconds: float


@dataclass
class Table:
    """What all kills of this session led to."""

    rows: list[Row] = field(default_factory=list)

    def written(self) -> str:
        return "\n".join(
            [
                "| killed at | which means | reviews | checks | seconds until posted |",
                "| --- | --- | --- | --- | --- |",
                *(
                    f"| `{point}` | {POINTS[point]} | {_range(r.reviews for r in rows)} "
                    f"| {_range(r.checks for r in rows)} | {_range(round(r.seconds, 1) for r in rows)} |"
                    for point in POINTS
                    if (rows := [row for row in self.rows if row.fault.startswith(f"{point}:")])
                ),
            ]
        )


def _range(numbers: Iterator[Any]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}"


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    table = Table()
    yield table
    if target := request.config.getoption("write_table"):
        _write(Path(target), table)


def _write(page: Path, table: Table) -> None:
    """Replace what stands between the two marks of `page`."""
    begin, end = "<!-- kill table -->", "<!-- end of kill table -->"
    before, _, rest = page.read_text().partition(begin)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    measured = (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"commit {commit}, {len(table.rows)} kills, lease {LEASE_S:.0f} s (30 s unless it is set)."
    )
    page.write_text(f"{before}{begin}\n{measured}\n\n{table.written()}\n{end}{rest.partition(end)[2]}")


def process(*arguments: str, faults: str = "") -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PANLECT_FAULTS": faults,
        "PANLECT_LEASE_S": str(LEASE_S),
        "PANLECT_SWEEP_S": "0.1",
    }
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )


def worker(faults: str = "") -> subprocess.Popen[bytes]:
    return process("-m", "jobs.worker", faults=faults)


def web(port: int, faults: str = "") -> subprocess.Popen[bytes]:
    return process("-c", WEB, str(port), faults=faults)


async def killed(victim: subprocess.Popen[bytes]) -> float:
    """When the victim's own fault had killed it."""
    try:
        assert await asyncio.to_thread(victim.wait, 30) == -signal.SIGKILL
    finally:
        victim.kill()
        victim.wait()
    return time.monotonic()


@asynccontextmanager
async def healthy(*processes: subprocess.Popen[bytes]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for one in processes:
            one.terminate()
        for one in processes:
            one.wait()


async def events(panlect: Any) -> list[history.Event]:
    async with panlect.services.db.organisation(DEFAULT_ORGANISATION) as connection:
        return await history.read(connection)


async def all_ended(panlect: Any) -> list[history.Event]:
    """The history once every delivery and run came to its end; what did not fails `check_history`."""
    begins = {EventKind.DELIVERY_ACCEPTED, EventKind.RUN_CREATED}
    ends = {EventKind.DELIVERY_FINISHED, EventKind.RUN_FINISHED, EventKind.RUN_SUPERSEDED}
    deadline = time.monotonic() + 30
    while True:
        found = await events(panlect)
        open_ = sum(e.kind in begins for e in found) - sum(e.kind in ends for e in found)
        if open_ == 0 or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)


@pytest.fixture
def shop(plant: Any) -> str:
    files = plant(REPOSITORY)
    files.commit("main", SHOP)
    files.commit("break", BROKEN, parent="main")
    files.commit("clean", {"README.md": "# Shop\n"}, parent="main")
    return REPOSITORY


async def assert_reviewed_once(forge: Any, panlect: Any, number: int, fault: str, since: float) -> Row:
    """One review, one check, a clean history; the row of the table."""
    review = await panlect.review_of(REPOSITORY, number)
    seconds = time.monotonic() - since
    reviews, checks = forge.reviews(REPOSITORY, number), forge.checks(REPOSITORY, number)
    assert (review["verdict"], review["state"]) == ("REVIEWED", "posted")
    assert [finding["check"] for finding in review["findings"]] == ["call-mismatch"]
    assert (len(reviews), len(checks), len(forge.comments(REPOSITORY, number))) == (1, 1, 1)
    assert check_history(await all_ended(panlect)) == []
    return Row(fault, len(reviews), len(checks), seconds)


async def test_a_worker_killed_at_any_point_of_a_review_leaves_one_review(
    shop: str, forge: Any, panlect: Any, table: Table, fault: str
) -> None:
    await panlect.connect(forge, shop)
    victim = worker(fault)
    number = forge.open(shop, "break")
    since = await killed(victim)
    async with healthy(worker()):
        table.rows.append(await assert_reviewed_once(forge, panlect, number, fault, since))


async def test_a_worker_killed_in_the_sweep_that_found_lost_work_leaves_one_review(
    shop: str, forge: Any, panlect: Any, table: Table
) -> None:
    await panlect.connect(forge, shop)
    victim = worker("step.after_commit:kill:3")
    number = forge.open(shop, "break")
    await killed(victim)
    await asyncio.sleep(LEASE_S)  # only now is there something to find
    fault = "sweep.before_commit:kill:1"
    since = await killed(worker(fault))
    async with healthy(worker()):
        table.rows.append(await assert_reviewed_once(forge, panlect, number, fault, since))


async def test_a_worker_killed_before_it_activates_an_index_activates_it_the_next_time(
    shop: str, forge: Any, panlect: Any, table: Table
) -> None:
    await connect(panlect, forge, f"{panlect.url}/webhook/github", index=True)
    fault = "index.before_activate:kill:1"
    since = await killed(worker(fault))
    number = forge.open(shop, "break")
    async with healthy(worker()):
        row = await assert_reviewed_once(forge, panlect, number, fault, since)
        (repository,) = (await panlect.client.get("/api/v1/repositories")).json()
    assert (repository["files"], repository["activated_at"] is not None) == (3, True)
    table.rows.append(row)


@pytest.mark.parametrize("point", IN_THE_WEB)
async def test_a_web_process_killed_while_it_takes_a_webhook_gets_it_again_and_one_review_follows(
    shop: str, forge: Any, panlect: Any, table: Table, point: str
) -> None:
    port = free_port()
    fault = f"{point}:kill:1"
    victim = web(port, fault)
    await connect(panlect, forge, f"http://127.0.0.1:{port}/webhook/github")
    await answers(port)
    number = forge.open(shop, "break")
    since = await killed(victim)
    async with healthy(web(port), worker()):
        table.rows.append(await assert_reviewed_once(forge, panlect, number, fault, since))
    kinds = [event.kind for event in await events(panlect)]
    assert kinds.count(EventKind.DELIVERY_ACCEPTED) == 1


async def test_a_run_that_kills_three_workers_ends_as_failed_and_harms_nobody_else(
    shop: str, forge: Any, panlect: Any
) -> None:
    await panlect.connect(forge, shop)
    doomed = forge.open(shop, "break")
    for _ in range(3):
        await killed(worker("step.before_work:kill:1"))
        await asyncio.sleep(LEASE_S)
    other = forge.open(shop, "clean")
    async with healthy(worker()):
        failed = await panlect.review_of(shop, doomed)
        well = await panlect.review_of(shop, other)
    assert (failed["verdict"], failed["reason"], failed["state"]) == ("FAILED", "crash", "posted")
    assert (well["verdict"], well["state"]) == ("REVIEWED", "posted")
    assert forge.reviews(shop, doomed) == []
    (check,) = forge.checks(shop, doomed)
    assert (check["conclusion"], check["output"]["title"]) == ("neutral", "Failed: crash")
    assert [check["conclusion"] for check in forge.checks(shop, other)] == ["success"]
    assert check_history(await all_ended(panlect)) == []


async def connect(panlect: Any, forge: Any, webhook_url: str, *, index: bool = False) -> None:
    asked = {
        "base_url": f"{forge.url}/api/v3",
        "full_name": REPOSITORY,
        "token": "sandbox-panlect-token",
        "webhook_url": webhook_url,
        "index": index,
    }
    answer = await panlect.client.post("/api/v1/repositories", json=asked)
    assert answer.status_code == 201, answer.text


async def answers(port: int) -> None:
    """Wait until somebody listens on the port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
