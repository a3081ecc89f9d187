"""Killable children: what may crash, hang or eat memory (parsers, analysers) runs in a process of its own.

A pool keeps warm workers, hands them items and hears an answer to each before the next one is begun, so it
always knows which item a crash belongs to. Items and results travel as msgpack: nothing a child says is ever
unpickled.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import queue
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from panlect.errors import ChildError

_HEADER = struct.Struct(">I")
_MAX_FRAME = 256 * 1024 * 1024
_ORPHAN_GRACE_S = 5
_DYING_S = 1.0
CRASHED, TIMED_OUT = "crashed", "timed out"


@dataclass(frozen=True, slots=True)
class ChildFailure:
    """Why an item has no result: `crashed`, `timed out`, or the error's own words."""

    reason: str


_CRASH, _TIMEOUT = ChildFailure(CRASHED), ChildFailure(TIMED_OUT)
NOT_TRIED = ChildFailure("not tried")


class Answer(NamedTuple):
    """What the function made of one item (or a ChildFailure), and how long it took in the child."""

    value: Any
    ms: float = 0.0


class Patience:
    """How many seconds may be lost on items that crash or hang, over all children and calls that share it."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._left = seconds
        self._lock = threading.Lock()

    def lose(self, seconds: float) -> None:
        """Count what a failed item cost."""
        with self._lock:
            self._left -= seconds

    @property
    def spent(self) -> bool:
        """Whether nothing more is tried."""
        return self._left <= 0


@dataclass(frozen=True, slots=True)
class _Stopped:
    """A thread of a pool is done; `error` is what stopped it before its time."""

    error: Exception | None = None


class ChildPool:
    """Runs `module:function` over items in `workers` killable processes.

    The function takes and returns what msgpack can carry. An item whose child crashes, or exceeds `timeout_s`
    (of the clock) or `cpu_s` (of the processor: a busy machine then blames nobody), is reported as a
    ChildFailure; the other items are not touched by it. Use as a context manager: leaving it kills every child.
    """

    def __init__(
        self,
        function: str,
        *,
        workers: int = 1,
        timeout_s: float = 20.0,
        cpu_s: float = 0.0,
        memory_bytes: int = 2 * 1024**3,
        patience: Patience | None = None,
    ) -> None:
        limits = _Limits(timeout_s, cpu_s, memory_bytes)
        self._children = [_Child(function, limits) for _ in range(max(1, workers))]
        self._patience = patience or Patience()

    def __enter__(self) -> ChildPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the children."""
        for child in self._children:
            child.kill()

    def map(self, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """(item, result or ChildFailure) as they are finished, in no set order.

        An item that fails is tried twice. Raises what `items` raises while it is read, and what keeps a child
        from being started.
        """
        yield from self._share(items, self._call)

    def map_batches(self, batches: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, list[Answer]]]:
        """(batch, an answer for each of its items) as they are finished; raises as `map` does.

        An item that crashes is tried twice, one that runs too long once. When the pool's patience is spent,
        whatever is left is answered with NOT_TRIED.
        """
        yield from self._share(batches, self._call_batch)

    def _share(self, items: Iterable[Any], call: Callable[[_Child, Any], Any]) -> Iterator[tuple[Any, Any]]:
        source = iter(items)
        lock = threading.Lock()
        done: queue.Queue[tuple[Any, Any] | _Stopped] = queue.Queue(maxsize=4 * len(self._children))
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._serve, args=(child, call, source, lock, done, stop), daemon=True)
            for child in self._children
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                answer = done.get()
                if not isinstance(answer, _Stopped):
                    yield answer
                    continue
                running -= 1
                if answer.error is not None:
                    raise answer.error
        finally:
            stop.set()
            while running:  # let blocked producers see the flag
                running -= isinstance(done.get(), _Stopped)
            for thread in threads:
                thread.join()

    def _serve(
        self,
        child: _Child,
        call: Callable[[_Child, Any], Any],
        source: Iterator[Any],
        lock: threading.Lock,
        done: queue.Queue[tuple[Any, Any] | _Stopped],
        stop: threading.Event,
    ) -> None:
        error: Exception | None = None
        try:
            while not stop.is_set():
                with lock:
                    item = next(source)
                done.put((item, call(child, item)))
        except StopIteration:
            pass
        except Exception as raised:  # noqa: BLE001 - raised again where the answers are read
            error = raised
        finally:
            done.put(_Stopped(error))

    def _call(self, child: _Child, item: Any) -> Any:
        result = _alone(child, item)
        if isinstance(result, ChildFailure) and result.reason in (CRASHED, TIMED_OUT):
            return _alone(child, item)  # in a fresh child: is it this item's own fault?
        return result

    def _call_batch(self, child: _Child, batch: Sequence[Any]) -> list[Answer]:
        answers: list[Answer] = []
        crashed = -1
        while len(answers) < len(batch) and not self._patience.spent:
            begun = time.monotonic()
            for answer in child.call(batch[len(answers) :]):
                if answer.value in (_CRASH, _TIMEOUT):
                    self._patience.lose(time.monotonic() - begun)
                if answer.value == _CRASH and crashed != len(answers):
                    crashed = len(answers)  # once more: it may have been killed for the memory of others
                    break
                answers.append(answer)
                begun = time.monotonic()
        return answers + [Answer(NOT_TRIED)] * (len(batch) - len(answers))


def _alone(child: _Child, item: Any) -> Any:
    (answer,) = child.call([item])
    return answer.value


@dataclass(frozen=True, slots=True)
class _Limits:
    """Of one item."""

    timeout_s: float
    cpu_s: float
    memory_bytes: int


class _Child:
    """One worker process, started at its first call and again after each death."""

    def __init__(self, function: str, limits: _Limits) -> None:
        self._function, self._limits = function, limits
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "TZ")
        }
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        # -P: without it `-m` imports from the current folder first, which may be the hostile repository.
        command = [sys.executable, "-P", "-m", "panlect.child"]
        return subprocess.Popen(
            [*command, self._function, *map(str, astuple(self._limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def call(self, items: Sequence[Any]) -> Iterator[Answer]:
        """An answer to each item, up to the first one that costs the child its life."""
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._process = self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        request = msgpack.packb(items)
        for number in range(len(items)):
            deadline = time.monotonic() + self._limits.timeout_s
            try:
                if not number:
                    _write_within(process.stdin.fileno(), request, deadline)
                frame = _read_frame_within(process.stdout.fileno(), deadline)
                state, value, ms = msgpack.unpackb(frame, use_list=True)
                ms = float(ms)
            except TimeoutError:  # before OSError, which it is one of
                self.kill()
                yield Answer(_TIMEOUT)
                return
            except (OSError, EOFError):
                yield Answer(_TIMEOUT if self.kill(_DYING_S) == -signal.SIGPROF else _CRASH)
                return
            except (ChildError, ValueError, TypeError, msgpack.UnpackException) as error:
                self.kill()  # whoever answers like this is not ours any more
                yield Answer(ChildFailure(f"answered what cannot be read: {error}"[:300]))
                return
            yield Answer(value if state == "ok" else ChildFailure(str(value)[:300]), ms)

    def kill(self, wait_s: float = 0.0) -> int:
        """End the process, unless it does so itself within `wait_s`; what it ended with."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if wait_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return code


def _write_within(fd: int, payload: bytes, deadline: float) -> None:
    """Write one frame. Raises TimeoutError when it is not taken in time: a stopped child reads nothing."""
    os.set_blocking(fd, False)
    left = memoryview(_HEADER.pack(len(payload)) + payload)
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    while left:
        wait = deadline - time.monotonic()
        if wait <= 0 or not poller.poll(wait * 1000):
            raise TimeoutError
        with contextlib.suppress(BlockingIOError):
            left = left[os.write(fd, left) :]


def _read_frame_within(fd: int, deadline: float) -> bytes:
    """One frame. Raises TimeoutError, EOFError when the child is gone, ChildError for an absurd size."""
    (size,) = _HEADER.unpack(_read_exactly(fd, _HEADER.size, deadline))
    if size > _MAX_FRAME:
        raise ChildError(f"A child answered with {size} bytes.", fix="The input is hostile: leave it out.")
    return _read_exactly(fd, size, deadline)


def _read_exactly(fd: int, size: int, deadline: float) -> bytes:
    blocks: list[bytes] = []
    poller = select.poll()
    poller.register(fd, select.POLLIN | select.POLLHUP)
    while size:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise TimeoutError
        block = os.read(fd, min(size, 1 << 20))
        if not block:
            raise EOFError
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _child_main(function_path: str, timeout_s: float, cpu_s: float, memory_bytes: int) -> None:
    """Serve calls until standard input closes (the parent is gone).

    Two timers with their default action end a child that hangs in C code: one of the processor's time, and one
    of the clock for the case that the parent died, whose own clock is no longer there to do it (and
    PR_SET_PDEATHSIG follows threads, not processes).
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not break the frames
    module, _, name = function_path.partition(":")
    function: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    while (header := requests.read(_HEADER.size)) and len(header) == _HEADER.size:
        for item in msgpack.unpackb(requests.read(_HEADER.unpack(header)[0]), use_list=True):
            signal.alarm(int(timeout_s) + _ORPHAN_GRACE_S)
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            began = time.perf_counter()
            state, value = _guarded(function, item)
            answer = msgpack.packb((state, value, (time.perf_counter() - began) * 1000))
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            answers.write(_HEADER.pack(len(answer)) + answer)
            answers.flush()


def _guarded(function: Callable[[Any], Any], item: Any) -> tuple[str, Any]:
    """The edge of the child: whatever the function raises becomes an answer for this one item."""
    try:
        return "ok", function(item)
    except MemoryError:
        return "error", "out of memory"
    except Exception as error:  # noqa: BLE001
        return "error", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    _child_main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
