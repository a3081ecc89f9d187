"""The only place that spawns git: hardened environment, bounded output, time and memory.

Repositories are hostile: no hooks, no external diff or text conversion, no lazy fetches, no prompts,
no configuration but the repository's own (whose dangerous keys are overridden on the command line).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panlect.errors import BadInputError, GitError, GitTooSlowError

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

MAX_DIFFED_BYTES = 8 * 1024 * 1024

_HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    f"core.bigFileThreshold={MAX_DIFFED_BYTES}",  # what is larger is not compared line by line
    "core.packedGitLimit=256m",  # what is mapped of packs counts as memory too
    "core.packedGitWindowSize=32m",
    "core.quotePath=true",
    "credential.helper=",
    "diff.external=",
    "fetch.recurseSubmodules=false",
    "http.followRedirects=false",
    "log.showSignature=false",  # it would run the program that gpg.program names
    "protocol.version=2",
    "safe.directory=*",  # ownership does not matter to readers that execute nothing
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
    # Ids of harmless faults in the history of old, real repositories.
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badDateOverflow=ignore",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one git process may use before it is killed."""

    seconds: float = 60.0
    output_bytes: int = 64 * 1024 * 1024
    memory_bytes: int = 2 * 1024**3  # of addresses: packs are mapped
    data_bytes: int = 400 * 1024**2  # of memory of its own
    file_bytes: int = 4 * 1024**3  # the largest file it may write: a pack


@dataclass(frozen=True, slots=True)
class Output:
    """What git printed; `truncated` when it was cut at the limit rather than failing."""

    stdout: bytes
    truncated: bool = False


def checked_sha(sha: str) -> str:
    """`sha` when it is a full object name; BadInputError otherwise, before anything is spawned."""
    if not _SHA.fullmatch(sha):
        raise BadInputError(
            f"{sha[:80]!r} is not a full commit id.",
            why="Only 40 or 64 hexadecimal digits are passed on to git.",
            fix="Resolve the revision first.",
        )
    return sha


def environment(extra: Mapping[str, str] | None = None, *, protocols: str = "none") -> dict[str, str]:
    """An environment that holds nothing of the caller's but PATH."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_NO_LAZY_FETCH": "1",
        **(extra or {}),
    }


def command(args: Sequence[str], git_dir: Path | None) -> list[str]:
    """The full argument vector of one hardened git call."""
    options = [part for setting in _HARDENED for part in ("-c", setting)]
    where = ["--git-dir", str(git_dir.absolute())] if git_dir is not None else []
    return ["git", "--no-pager", *options, *where, *args]


def git(
    *args: str,
    git_dir: Path | None = None,
    extra_env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    protocols: str = "none",
    limits: Limits | None = None,
    truncate: bool = False,
    pass_fds: Sequence[int] = (),
) -> Output:
    """Run git and return what it printed.

    Raises GitError when it fails, runs over its time, or prints more than `limits.output_bytes` (unless
    `truncate`, then the output is cut there). The message never holds arguments: they may hold addresses.
    """
    limits = limits or Limits()
    blocks: list[bytes] = []
    size = 0
    with contextlib.closing(
        stream(
            *args,
            git_dir=git_dir,
            extra_env=extra_env,
            stdin=stdin,
            protocols=protocols,
            limits=limits,
            pass_fds=pass_fds,
        )
    ) as printed:
        for block in printed:
            blocks.append(block)
            size += len(block)
            if size > limits.output_bytes:
                break
    if size <= limits.output_bytes:
        return Output(b"".join(blocks))
    if truncate:
        return Output(b"".join(blocks)[: limits.output_bytes], truncated=True)
    raise GitError(
        f"git {_verb(args)} printed more than {limits.output_bytes} bytes.", fix="Narrow the range."
    )


def stream(
    *args: str,
    git_dir: Path | None = None,
    extra_env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    protocols: str = "none",
    limits: Limits | None = None,
    pass_fds: Sequence[int] = (),
) -> Generator[bytes, None, None]:
    """What git prints, in blocks as they come; whoever has enough closes the generator, which kills git.

    Raises GitError after the last block when git failed, or ran over its time. `limits.output_bytes` is the
    reader's business.
    """
    limits = limits or Limits()
    process = subprocess.Popen(
        command(args, git_dir),
        # With --git-dir the current folder counts as the work tree: its .gitattributes must not hide a diff.
        cwd="/" if git_dir is not None else None,
        env=environment(extra_env, protocols=protocols),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    bound(process.pid, limits)
    expired = threading.Event()
    alarm = threading.Timer(limits.seconds, _expire, args=(process, expired))
    alarm.daemon = True
    alarm.start()
    errors: list[bytes] = []
    writer = threading.Thread(target=_feed, args=(process, stdin), daemon=True)
    listener = threading.Thread(target=lambda: errors.append(_drain(process)), daemon=True)
    writer.start()
    listener.start()
    assert process.stdout is not None
    try:
        while block := process.stdout.read1(1 << 20):  # type: ignore[attr-defined]
            yield block
        code = process.wait()
        writer.join()
        listener.join()
    finally:
        alarm.cancel()
        _kill(process)
        process.wait()
        writer.join()
        listener.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    verb = _verb(args)
    if expired.is_set():
        raise GitTooSlowError(
            f"git {verb} ran longer than {limits.seconds:g} s.",
            fix="The repository is too large, or hostile.",
        )
    if code != 0:
        message = (errors[0] if errors else b"").decode("utf-8", "replace").strip()
        raise GitError(
            f"git {verb} failed.", why=message.splitlines()[-1][:300] if message else f"exit code {code}"
        )


def bound(pid: int, limits: Limits) -> None:
    """Limit the memory and the files of a git process from outside: preexec_fn is not safe in threaded servers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_DATA, (limits.data_bytes, limits.data_bytes))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))


def _verb(args: Sequence[str]) -> str:
    """The git command among `args`, for messages: what follows the options that take a value."""
    values = {index + 1 for index, arg in enumerate(args) if arg in ("-c", "-C")}
    return next((arg for index, arg in enumerate(args) if index not in values and arg[:1] != "-"), "git")


def _expire(process: subprocess.Popen[bytes], expired: threading.Event) -> None:
    """Kill the group even when git itself is gone: a helper that holds its pipes would keep us waiting."""
    expired.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole process group: git may have started helpers of its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(stdin)
    with contextlib.suppress(OSError):
        process.stdin.close()


def _drain(process: subprocess.Popen[bytes]) -> bytes:
    """Keep the last words only: a hostile remote can send progress for ever."""
    assert process.stderr is not None
    tail = b""
    while block := process.stderr.read1(65536):  # type: ignore[attr-defined]
        tail = (tail + block)[-8192:]
    return tail
