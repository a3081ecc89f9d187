"""One git repository, read only: revisions, blobs, diffs. A work tree or a bare one, local or a mirror."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panlect.errors import GitError, NoMergeBaseError, NotARepositoryError, UnknownRevisionError
from panlect.git.run import Limits, Output, bound, checked_sha, command, environment, git

MAX_BLOB_BYTES = 1024 * 1024
_READ_LIMITS = Limits()
_READ_CPU_S = 1800
_BASES = ("origin/HEAD", "origin/main", "origin/master", "main", "master", "trunk", "develop")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository to read from. Nothing here writes to it, fetches, or runs what it contains."""

    git_dir: Path
    work_tree: Path | None = None
    extra_env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *args: str, stdin: bytes = b"", limits: Limits | None = None, truncate: bool = False
    ) -> Output:
        """Run a reading git command here; raises GitError."""
        return git(
            *args,
            git_dir=self.git_dir,
            extra_env=self.extra_env,
            stdin=stdin,
            limits=limits,
            truncate=truncate,
        )

    def resolve(self, revision: str) -> str:
        """The full commit id of `revision`; UnknownRevisionError names what is there instead."""
        try:
            out = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except GitError as error:
            raise UnknownRevisionError(
                f"Revision {revision!r} is not in {self.git_dir}.",
                why="The clone is shallow." if self.is_shallow() else "",
                fix="Fetch it (git fetch --unshallow)."
                if self.is_shallow()
                else "Check the name with git branch -a.",
            ) from error
        return checked_sha(out.stdout.decode().strip())

    def has(self, revision: str) -> bool:
        """Whether `revision` names a commit here."""
        try:
            self.resolve(revision)
        except UnknownRevisionError:
            return False
        return True

    def is_shallow(self) -> bool:
        """Whether history was cut when this was cloned."""
        return (self.git_dir / "shallow").exists()

    def is_empty(self) -> bool:
        """Whether there is no commit at all."""
        return not self.run("rev-list", "--max-count=1", "--all").stdout and not self.has("HEAD")

    def merge_base(self, base: str, head: str) -> str:
        """The commit where `head` left `base`; NoMergeBaseError when they share no history."""
        try:
            out = self.run("merge-base", checked_sha(base), checked_sha(head))
        except GitError as error:
            raise NoMergeBaseError(
                f"{base[:8]} and {head[:8]} share no history.",
                why="The clone is shallow." if self.is_shallow() else "",
                fix="Run git fetch --unshallow." if self.is_shallow() else "Choose another --base.",
            ) from error
        return checked_sha(out.stdout.decode().split()[0])

    def default_base(self, head: str) -> str:
        """The branch this work most likely left: upstream, origin's default, main; else the parent."""
        for name in ("@{upstream}", *_BASES):
            if self.has(name) and self.resolve(name) != head:
                return name
        if self.has(f"{head}^"):
            return f"{head}^"
        raise UnknownRevisionError(
            "No base was found.",
            why="The clone is shallow."
            if self.is_shallow()
            else "No upstream, main or master branch differs from the head, and the head has no parent.",
            fix="Run git fetch --unshallow, or say it: --base REVISION."
            if self.is_shallow()
            else "Say it: --base REVISION.",
        )

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Each blob with its bytes, in the order asked, through one `cat-file --batch`.

        Missing objects are left out. Ask only for blobs whose size is known to be small enough: what was
        asked for is read whole. Raises GitError when git ends before it has answered for every one.
        """
        if not shas:
            return
        wanted = "".join(f"{checked_sha(sha)}\n" for sha in shas).encode()
        process = subprocess.Popen(
            command(["cat-file", "--batch", "--buffer"], self.git_dir),
            env=environment(self.extra_env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        bound(process.pid, _READ_LIMITS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # By processor time: the clock on the wall also runs while our caller works on what it got.
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (_READ_CPU_S, _READ_CPU_S))
        writer = threading.Thread(target=_ask, args=(process, wanted), daemon=True)
        writer.start()
        try:
            yield from _answers(process, len(shas))
        finally:
            process.kill()
            process.wait()
            writer.join()
            assert process.stdout is not None
            process.stdout.close()

    def read_blob(self, sha: str) -> bytes:
        """The bytes of one blob; GitError when it is missing."""
        for _, content in self.read_blobs([sha]):
            return content
        raise GitError(f"Object {sha[:12]} is missing.", fix="The clone is incomplete: fetch it again.")


def _ask(process: subprocess.Popen[bytes], wanted: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(wanted)
        process.stdin.close()
    except OSError:
        return  # the reader stopped early and killed git


def _answers(process: subprocess.Popen[bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """Parse `count` times `<sha> <type> <size>\\n<bytes>\\n`; `<sha> missing\\n` is passed over."""
    assert process.stdout is not None
    for _ in range(count):
        words = process.stdout.readline().split()
        if not words:
            raise GitError("git cat-file ended before its last answer.", fix="The repository may be damaged.")
        if len(words) != 3:  # "<sha> missing" has two
            continue
        size = int(words[2])
        content = process.stdout.read(size)
        process.stdout.read(1)
        if len(content) != size:
            raise GitError("git cat-file stopped in the middle of an object.")
        yield words[0].decode(), content


def open_repository(path: Path) -> Repository:
    """The repository at `path` (work tree, a folder inside one, or a bare one).

    Raises NotARepositoryError when there is none or it has no commit.
    """
    if not path.exists():
        raise NotARepositoryError(f"{path} does not exist.", fix="Give the path of a git repository.")
    cwd = path if path.is_dir() else path.parent
    try:
        out = git("-C", str(cwd), "rev-parse", "--absolute-git-dir", "--is-bare-repository")
    except GitError as error:
        raise NotARepositoryError(
            f"{path} is not a git repository.", fix="Run git init, or give the path of a clone."
        ) from error
    git_dir, bare = out.stdout.decode("utf-8", "surrogateescape").splitlines()[:2]
    work_tree = None if bare == "true" else _top(cwd)
    repository = Repository(Path(git_dir), work_tree)
    if repository.is_empty():
        raise NotARepositoryError(f"{path} has no commit yet.", fix="Commit something first.")
    return repository


def _top(cwd: Path) -> Path | None:
    out = git("-C", str(cwd), "rev-parse", "--show-toplevel").stdout.decode("utf-8", "surrogateescape")
    return Path(out.rstrip("\n")) if out.strip() else None
