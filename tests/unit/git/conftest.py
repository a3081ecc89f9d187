"""Real repositories for the tests of git: a work tree to break, and commits made of any bytes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from panlect.git.repository import Repository


@dataclass(frozen=True, slots=True)
class Work:
    """A work tree in the hands of plain git, as a user has it."""

    path: Path

    def git(self, *args: str, stdin: bytes = b"") -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
            "GIT_ALLOW_PROTOCOL": "file",
        }
        done = subprocess.run(
            ["git", *args], cwd=self.path, env=environment, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, path: str | bytes, content: bytes | str) -> None:
        where = self.path / os.fsdecode(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str]) -> str:
        for path, content in files.items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "m")
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        return Repository(self.path / ".git", self.path)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    found = Work(tmp_path / "work")
    found.path.mkdir()
    found.git("init", "-q", "-b", "main")
    return found


@pytest.fixture
def commit_of(work: Work) -> Callable[[dict[bytes, tuple[str, bytes]]], str]:
    """Makes a commit of path -> (mode, content): paths that no file system need accept."""

    def made(files: dict[bytes, tuple[str, bytes]]) -> str:
        script = [b"reset refs/heads/made\ncommit refs/heads/made\ncommitter a <a@b> 1 +0000\ndata 0\n\n"]
        for path, (mode, content) in files.items():
            quoted = b"".join(b"\\%03o" % byte for byte in path)
            if mode == "160000":
                script.append(b'M 160000 %s "%s"\n' % (content, quoted))
            else:
                script.append(
                    b'M %s inline "%s"\ndata %d\n%s\n' % (mode.encode(), quoted, len(content), content)
                )
        work.git("fast-import", "--quiet", "--force", stdin=b"".join(script))
        return work.git("rev-parse", "made")

    return made
