"""Full-history bare mirrors of remote repositories: fetched under a lock, never checked out.

A mirror is a cache: it may vanish at any time and is made again.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from panlect.egress import vet
from panlect.errors import BadInputError, ForgeUnavailableError, GitError, NameUnresolvedError
from panlect.git.repository import Repository
from panlect.git.run import Limits, checked_sha, git

_FETCH_LIMITS = Limits(
    seconds=1800, output_bytes=16 * 1024 * 1024, memory_bytes=4 * 1024**3, data_bytes=4 * 1024**3
)
_LOCK = "panlect.lock"
# What git says when the host or the network is to blame, and another try may do.
_FOR_NOW = re.compile(
    r"returned error: (429|5\d\d)|Could not resolve host|Failed to connect|Could ?n[o']t connect|Connection (reset|refused|timed)"
    r"|timed out|too slow|early EOF|hung up unexpectedly|unexpected disconnect|RPC failed|invalid index-pack output"
)
_REF_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@#=")


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a mirror comes from: a plain http(s) address, and a token that is never part of it."""

    url: str
    token: str = field(default="", repr=False)
    allow: Sequence[str] = ()  # private hosts that an administrator lets through


def checked_ref(name: str) -> str:
    """A branch name that cannot be mistaken for an option or a pattern; BadInputError otherwise."""
    if not name or name[0] in "-/." or ".." in name or not set(name) <= _REF_CHARACTERS:
        raise BadInputError(f"{name[:80]!r} is not a branch name that is fetched.", fix="Rename the branch.")
    return name


def pull_ref(number: int) -> str:
    """Where a mirror keeps the head of a pull request."""
    return f"refs/pull/{number}/head"


def fetch(directory: Path, remote: Remote, refs: Sequence[str], want: Sequence[str] = ()) -> Repository:
    """The mirror in `directory`, holding `refs` (full names) as the remote has them now.

    Nothing is fetched when every commit in `want` is there already. Raises ForgeUnavailableError when the
    host does not answer for now, else GitError; EgressRefusedError for an address that may not be called.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(directory) as lock:
        if not (directory / "HEAD").exists():
            git("init", "--bare", "--quiet", "--template=", str(directory))
        mirror = Repository(directory)
        if not want or not all(_has_commit(mirror, sha) for sha in want):
            _forget_stale_locks(directory)
            _fetch(directory, remote, refs, lock)
    return mirror


def _has_commit(mirror: Repository, sha: str) -> bool:
    out = mirror.run("cat-file", "--batch-check", stdin=f"{checked_sha(sha)}\n".encode())
    return out.stdout.split()[1:2] == [b"commit"]


def _forget_stale_locks(directory: Path) -> None:
    """Remove what a killed git left. Nobody is using it: a git that still runs holds our lock with us."""
    for stale in directory.rglob("*.lock"):
        if stale.name != _LOCK:
            stale.unlink(missing_ok=True)


def _fetch(directory: Path, remote: Remote, refs: Sequence[str], lock: int) -> None:
    try:
        target = vet(remote.url, remote.allow)
    except NameUnresolvedError as error:
        raise ForgeUnavailableError(error.what) from error
    refspecs = [f"+{ref}:{ref}" for ref in refs]
    options = [
        ("http.curloptResolve", f"{target.host}:{target.port}:{target.address}"),
        ("http.lowSpeedLimit", "1000"),  # bytes a second: a host that trickles is let go after lowSpeedTime
        ("http.lowSpeedTime", "60"),
        ("gc.auto", "0"),
    ]
    if remote.token:
        basic = base64.b64encode(f"x-access-token:{remote.token}".encode()).decode()
        options.append(("http.extraHeader", f"Authorization: Basic {basic}"))
    # By environment: an argument vector can be read by every user of the machine.
    env = {"GIT_CONFIG_COUNT": str(len(options))}
    for number, (key, value) in enumerate(options):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    try:
        git(
            "fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--end-of-options", remote.url, *refspecs,
            git_dir=directory, extra_env=env, protocols=target.scheme, limits=_FETCH_LIMITS, pass_fds=(lock,),
        )  # fmt: skip
    except GitError as error:
        if _FOR_NOW.search(error.why):
            raise ForgeUnavailableError(f"{target.host} did not let us fetch.", why=error.why) from error
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """One fetch at a time per mirror, over all processes of this machine; the lock's descriptor.

    git inherits it while it fetches, so that the lock outlives us as long as our git does.
    """
    handle = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)
