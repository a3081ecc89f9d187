"""git over HTTP, the smart protocol (gitprotocol-http): clone and push against the bare repositories."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

SERVICES = ("git-upload-pack", "git-receive-pack")
_SECONDS = 600


def _environment(protocol: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_PROTOCOL": protocol if protocol in ("version=1", "version=2") else "",
    }


def _arguments(service: str, git_dir: Path, *, advertise: bool) -> list[str]:
    flags = ["--stateless-rpc", *(["--http-backend-info-refs"] if advertise else [])]
    settings = [
        "-c",
        "safe.directory=*",
        "-c",
        "uploadpack.allowReachableSHA1InWant=true",
        "-c",
        "core.hooksPath=/dev/null",
    ]
    return ["git", *settings, service.removeprefix("git-"), *flags, str(git_dir)]


async def advertise(service: str, git_dir: Path, protocol: str) -> bytes:
    """The answer to `info/refs?service=`."""
    process = await asyncio.create_subprocess_exec(
        *_arguments(service, git_dir, advertise=True),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(protocol),
    )
    refs, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    if protocol == "version=2" and service == "git-upload-pack":
        return refs
    greeting = f"# service={service}\n".encode()
    return f"{len(greeting) + 4:04x}".encode() + greeting + b"0000" + refs


async def serve(service: str, git_dir: Path, protocol: str, body: bytes) -> AsyncIterator[bytes]:
    """The answer to one request of `service`, as it comes."""
    process = await asyncio.create_subprocess_exec(
        *_arguments(service, git_dir, advertise=False),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(protocol),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    feeding = asyncio.create_task(_feed(process.stdin, body))
    try:
        while block := await asyncio.wait_for(process.stdout.read(1 << 16), _SECONDS):
            yield block
    finally:
        if process.returncode is None and process.stdout.at_eof() is False:
            process.kill()
        await asyncio.gather(feeding, process.wait())


async def _feed(stdin: asyncio.StreamWriter, body: bytes) -> None:
    try:
        stdin.write(body)
        await stdin.drain()
        stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return  # git answered without reading everything
