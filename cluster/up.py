"""`panlect up` and `panlect demo` on the command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

from cluster import start
from cluster.demo import DemoRequest, demo
from cluster.laptop import Running, everything, hear_signals
from panlect.errors import PanlectError
from panlect.settings import Settings, load


def up(settings: Settings) -> int:
    """Start everything and stay up until Ctrl-C or SIGTERM."""
    print("Starting Panlect", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt), everything(settings) as running:
        print(_welcome(running), flush=True)
        while True:
            time.sleep(60)
    print(f"Stopped; the data stays in {settings.data_dir}", file=sys.stderr)
    return 0


def _welcome(running: Running) -> str:
    return "\n".join(
        [
            "",
            f"Panlect is up after {sum(running.seconds.values()):.0f} s.",
            f"  web            {running.url}/reviews",
            f"  API            {running.url}/api/docs",
            f"  Ray dashboard  {running.dashboard_url}  (token: {running.settings.data_dir / 'ray-token'})",
            f"  sandbox forge  {running.forge_url}",
            f"  sign-in token  {running.token}",
            "",
            "Ctrl-C stops everything. The data stays, and the next start finds it.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """`python -m cluster.up up | demo`."""
    parser = argparse.ArgumentParser(prog="panlect", description="Run Panlect on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start everything and stay up until Ctrl-C")
    shown = verbs.add_parser(
        "demo", help="run everything once on samples, or on a repository of yours, and stop"
    )
    shown.add_argument("--repo", type=Path, help="a local git repository")
    shown.add_argument("--base", default="", help="where the change left (with --repo)")
    shown.add_argument("--head", default="", help="the change (with --repo)")
    shown.add_argument("--json", type=Path, help="write the outcome as JSON")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except PanlectError as error:
        print(f"\nerror: {error.what}", file=sys.stderr)
        for label, text in (("why", error.why), ("fix", error.fix)):
            if text:
                print(f"  {label}: {text}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # during the start: what was started is ended


def _run(given: argparse.Namespace) -> int:
    os.environ.setdefault("PYTHONPATH", str(start.ROOT))
    hear_signals()
    if given.verb == "up":
        return up(load())
    return demo(load(), DemoRequest(given.repo, given.base, given.head, given.json))


if __name__ == "__main__":
    raise SystemExit(main())
