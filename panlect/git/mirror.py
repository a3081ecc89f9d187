"""Full-history bare mirrors of remote repositories: fetched under a lock, never checked out.

A mirror is a cache: it may vanish at any time and is made again.
"""

from __future__ import annotations

import base64
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from panlect.egress import vet
from panlect.errors import BadInputError
from panlect.git.repository import Repository
from panlect.git.run import Limits, checked_sha, git

_FETCH_LIMITS = Limits(seconds=1800, output_bytes=16 * 1024 * 1024, memory_bytes=4 * 1024**3)
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

    Nothing is fetched when every commit in `want` is there already. Raises GitError, EgressRefusedError.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(directory):
        if not (directory / "HEAD").exists():
            git("init", "--bare", "--quiet", "--template=", str(directory))
        mirror = Repository(directory)
        if not want or not all(_has_commit(mirror, sha) for sha in want):
            _fetch(directory, remote, refs)
    return mirror


def _has_commit(mirror: Repository, sha: str) -> bool:
    out = mirror.run("cat-file", "--batch-check", stdin=f"{checked_sha(sha)}\n".encode())
    return out.stdout.split()[1:2] == [b"commit"]


def _fetch(directory: Path, remote: Remote, refs: Sequence[str]) -> None:
    target = vet(remote.url, remote.allow)
    refspecs = [f"+{ref}:{ref}" for ref in refs]
    options = [("http.curloptResolve", f"{target.host}:{target.port}:{target.address}"), ("gc.auto", "0")]
    if remote.token:
        basic = base64.b64encode(f"x-access-token:{remote.token}".encode()).decode()
        options.append(("http.extraHeader", f"Authorization: Basic {basic}"))
    # By environment: an argument vector can be read by every user of the machine.
    env = {"GIT_CONFIG_COUNT": str(len(options))}
    for number, (key, value) in enumerate(options):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    git(
        "fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
        "--end-of-options", remote.url, *refspecs,
        git_dir=directory, extra_env=env, protocols=target.scheme, limits=_FETCH_LIMITS,
    )  # fmt: skip


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One fetch at a time per mirror, over all processes of this machine."""
    handle = os.open(directory / "panlect.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
