"""Killable children: whatever one item does to its child, every item gets an answer and no process stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panlect import child
from panlect.child import ChildFailure, ChildPool

EVAL = "builtins:eval"  # each item is the program that its child runs
CRASH = "__import__('os').abort()"
HANG = "__import__('time').sleep(600)"
STOP = "__import__('os').kill(__import__('os').getpid(), 19)"
PID = "__import__('os').getpid()"


def answers(items: list[Any], function: str = EVAL, **options: Any) -> dict[Any, Any]:
    with ChildPool(function, **options) as pool:
        return dict(pool.map(items))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def gone(pid: int) -> bool:
    """Whether a process that was killed and is no child of ours has ended, which takes the system a moment."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_every_item_gets_its_own_answer() -> None:
    items = [f"{number} * 2" for number in range(200)]
    assert answers(items, workers=3) == {item: number * 2 for number, item in enumerate(items)}


def test_one_child_answers_in_the_order_of_the_items() -> None:
    with ChildPool(EVAL) as pool:
        assert [answer for _, answer in pool.map(["3", "1", "2"])] == [3, 1, 2]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (CRASH, "crashed"),
        ("__import__('os')._exit(0)", "crashed"),
        ("__import__('os').kill(__import__('os').getpid(), 11)", "crashed"),
        (HANG, "timed out"),
        (STOP, "timed out"),
        ("'x' * 10**12", "out of memory"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("(_ for _ in ()).throw(ValueError('x' * 1000))", "ValueError: " + "x" * 288),
    ],
)
def test_a_failure_belongs_to_its_item_alone(item: str, reason: str) -> None:
    found = answers(["1", item, "2"], timeout_s=1.0, memory_bytes=512 * 1024**2)
    assert found == {"1": 1, item: ChildFailure(reason), "2": 2}


@pytest.mark.parametrize(
    "garbage", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\1\x07", b"\0\0\0\0", b"\0\0\0\2\x91\x01"]
)
def test_a_child_that_speaks_nonsense_is_replaced(garbage: bytes) -> None:
    # Into every pipe that the child can write to: one of them is the one that answers go through.
    program = (
        f"[os.write(int(fd), {garbage!r}) for os in [__import__('os')] for fd in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{fd}') and os.readlink(f'/proc/self/fd/{fd}').startswith('pipe:')"
        " and open(f'/proc/self/fdinfo/{fd}').read().split()[3].endswith('1')]"
    )
    found = answers(["1", program, "2"], timeout_s=2.0)
    assert (found["1"], found["2"]) == (1, 2)
    assert isinstance(found[program], ChildFailure)


def test_an_item_is_tried_twice_before_it_is_given_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    item = f"(__import__('pathlib').Path({str(log)!r}).open('ab', 0).write(b'x'), {CRASH})"
    assert answers([item]) == {item: ChildFailure("crashed")}
    assert log.read_text() == "xx"


def test_a_crash_that_does_not_repeat_is_no_failure(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    item = (
        f"7 if __import__('os').path.exists({str(flag)!r}) else (open({str(flag)!r}, 'w').close(), {CRASH})"
    )
    assert answers([item]) == {item: 7}


def test_a_print_of_the_function_does_not_break_the_frames() -> None:
    item = "print('noise', flush=True) or 5"
    assert answers([item, "6"]) == {item: 5, "6": 6}


def test_an_answer_may_be_large_and_so_may_an_item() -> None:
    with ChildPool("builtins:len") as pool:
        assert [answer for _, answer in pool.map([b"x" * 10_000_000])] == [10_000_000]
    assert len(answers(["'x' * 10_000_000"])["'x' * 10_000_000"]) == 10_000_000


def test_a_stopped_child_that_takes_no_item_is_timed_out() -> None:
    with ChildPool(EVAL, timeout_s=1.0) as pool:
        ((_, pid),) = pool.map([PID])
        os.kill(pid, signal.SIGSTOP)
        large = "'" + "x" * 10_000_000 + "'"  # more than a pipe holds
        ((_, answer),) = pool.map([large])
        assert len(answer) == 10_000_000  # the second try had a fresh child
        assert not alive(pid)


def test_leaving_the_pool_leaves_no_process() -> None:
    with ChildPool(EVAL, workers=3) as pool:
        pids = {answer for _, answer in pool.map([PID] * 30)}
        assert all(alive(pid) for pid in pids)
    assert not [pid for pid in pids if alive(pid)]


def test_what_a_child_started_is_killed_with_it() -> None:
    item = "__import__('subprocess').Popen(['sleep', '600']).pid"
    with ChildPool(EVAL) as pool:
        ((_, pid),) = pool.map([item])
        assert alive(pid)
    assert gone(pid)


def test_whoever_stops_reading_early_stops_the_pool() -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield PID

    with ChildPool(EVAL, workers=2) as pool:
        reading = pool.map(endless())
        pids = {next(reading)[1] for _ in range(5)}
        reading.close()
        after = len(taken)
    assert len(taken) == after < 100
    assert not [pid for pid in pids if alive(pid)]


def test_an_idle_child_ends_when_its_parent_is_killed() -> None:
    program = f"""
        from panlect.child import ChildPool
        pool = ChildPool({EVAL!r})
        print(next(pool.map([{PID!r}]))[1], flush=True)
        import time; time.sleep(600)
    """
    root = str(Path(child.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=root, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        if not alive(pid):
            return
        time.sleep(0.01)
    raise AssertionError("the child outlived its parent")


def test_a_busy_child_has_a_clock_of_its_own_for_when_its_parent_is_gone() -> None:
    item = "__import__('signal').getitimer(0)[0]"
    assert 20 < answers([item], timeout_s=20.0)[item] <= 25


def test_a_child_knows_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    item = "sorted(__import__('os').environ)"
    assert not {"AWS_SECRET_ACCESS_KEY", "DATABASE_URL"} & set(answers([item])[item])


def test_a_child_leaves_no_core_dump_and_has_its_memory_bounded() -> None:
    item = "(lambda r: [r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_AS)])(__import__('resource'))"
    assert answers([item], memory_bytes=1024**3)[item] == [[0, 0], [1024**3, 1024**3]]


def test_a_pool_works_again_after_each_map() -> None:
    with ChildPool(EVAL) as pool:
        first = Counter(answer for _, answer in pool.map([PID] * 3))
        assert Counter(answer for _, answer in pool.map([PID] * 3)) == first
