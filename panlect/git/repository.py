"""One git repository, read only: revisions, blobs, diffs. A work tree or a bare one, local or a mirror."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import subprocess
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from panlect.errors import GitError, NoMergeBaseError, NotARepositoryError, UnknownRevisionError
from panlect.git.run import Limits, Output, bound, checked_sha, command, environment, git, stream

MAX_BLOB_BYTES = 1024 * 1024
MAX_DAMAGED = 64  # objects of one read, before the rest of it is given up
MISSING, CORRUPT = "missing object", "corrupt object"
_MAX_OBJECT_BYTES = 64 * 1024 * 1024
_HEADER_BYTES = 256
_GIT_DIED = 128  # by its own hand: it said what is wrong
_READ_LIMITS = Limits()
_READ_CPU_S = 1800
_BASES = ("origin/HEAD", "origin/main", "origin/master", "main", "master", "trunk", "develop")


@dataclass(frozen=True, slots=True)
class ObjectRead:
    """The bytes of an object, or why there are none: `fault` is MISSING, CORRUPT or another reason."""

    sha: str
    content: bytes
    fault: str = ""


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

    def stream(self, *args: str, limits: Limits | None = None) -> Generator[bytes, None, None]:
        """What a reading git command prints, block by block; raises GitError after the last one."""
        return stream(*args, git_dir=self.git_dir, extra_env=self.extra_env, limits=limits)

    def sizes(self, shas: Iterable[str]) -> dict[str, int]:
        """The size of each of these objects; those that are missing or damaged are left out."""
        wanted = "".join(f"{checked_sha(sha)}\n" for sha in sorted(set(shas)))
        if not wanted:
            return {}
        out = self.run("cat-file", "--batch-check", "--buffer", stdin=wanted.encode())
        rows = (line.split() for line in out.stdout.decode().splitlines())
        return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[2].isdigit()}

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Each blob with its bytes, in the order asked; those that cannot be read are left out.

        Ask only for blobs whose size is known to be small enough: what was asked for is read whole.
        """
        return ((read.sha, read.content) for read in self.read_objects(shas) if not read.fault)

    def read_objects(self, shas: Sequence[str]) -> Iterator[ObjectRead]:
        """Each object with its bytes, or with the reason why it has none, in the order asked.

        One `cat-file --batch` answers for all. It ends at a damaged object, so it is started again behind
        it, MAX_DAMAGED times. Bytes that do not have the name that they were asked by count as damaged. Raises
        GitError when git was killed.
        """
        left = list(map(checked_sha, shas))
        for _ in range(MAX_DAMAGED):
            if not left:
                return
            done = 0
            for read in self._answers(left):
                done += 1
                yield read
            left = left[done:]
        yield from (ObjectRead(sha, b"", "not read: too many corrupt objects") for sha in left)

    def _answers(self, shas: Sequence[str]) -> Iterator[ObjectRead]:
        """The answers of one `cat-file`, up to the first damaged object, which is the last of them."""
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
        writer = threading.Thread(target=_ask, args=(process, shas), daemon=True)
        writer.start()
        assert process.stdout is not None
        try:
            for sha in shas:
                try:
                    read = _answer(process.stdout, sha)
                except EOFError:
                    if process.wait() != _GIT_DIED:  # killed, or no git at all: the object is not to blame
                        raise GitError(
                            "git cat-file ended before its last answer.",
                            fix="It was killed, or ran out of memory.",
                        ) from None
                    read = ObjectRead(sha, b"", CORRUPT)
                if read.fault == MISSING and self._lies_loose(sha):
                    read = ObjectRead(sha, b"", CORRUPT)  # git calls missing what it cannot unpack
                    yield read
                    continue
                yield read
                if read.fault == CORRUPT:
                    return
        finally:
            process.kill()
            process.wait()
            writer.join()
            process.stdout.close()

    def _lies_loose(self, sha: str) -> bool:
        """Whether there is a file for this object."""
        out = self.run("rev-parse", "--path-format=absolute", "--git-path", f"objects/{sha[:2]}/{sha[2:]}")
        return Path(out.stdout.decode("utf-8", "surrogateescape").rstrip("\n")).exists()

    def read_blob(self, sha: str) -> bytes:
        """The bytes of one blob; GitError when it cannot be read."""
        (read,) = self.read_objects([sha])
        if read.fault:
            raise GitError(
                f"Object {sha[:12]} cannot be read: {read.fault}.",
                fix="The clone is damaged: fetch it again.",
            )
        return read.content


def _ask(process: subprocess.Popen[bytes], shas: Sequence[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # the reader stopped early and killed git
        process.stdin.write("".join(f"{sha}\n" for sha in shas).encode())
    with contextlib.suppress(OSError):
        process.stdin.close()


def _answer(stdout: IO[bytes], sha: str) -> ObjectRead:
    """Parse one `<sha> <type> <size>\\n<bytes>\\n` or `<sha> missing\\n`; EOFError when it breaks off."""
    words = stdout.readline(_HEADER_BYTES).split()
    if not words:
        raise EOFError
    if words[1:] == [b"missing"]:
        return ObjectRead(sha, b"", MISSING)
    if len(words) != 3 or words[0] != sha.encode() or not words[2].isdigit():
        return ObjectRead(sha, b"", CORRUPT)
    kind, size = words[1], int(words[2])
    if size > _MAX_OBJECT_BYTES:
        return ObjectRead(sha, b"", CORRUPT)  # it was listed as smaller
    content = stdout.read(size)
    end = stdout.read(1)
    if not end:
        raise EOFError
    if end != b"\n" or not _has_name(sha, kind, content):
        return ObjectRead(sha, b"", CORRUPT)
    return ObjectRead(sha, content)


def _has_name(sha: str, kind: bytes, content: bytes) -> bool:
    """Whether an object is what its name says: git does not look when it streams one."""
    digest = hashlib.sha1(usedforsecurity=False) if len(sha) == 40 else hashlib.sha256()
    digest.update(b"%s %d\0" % (kind, len(content)))
    digest.update(content)
    return digest.hexdigest() == sha


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
