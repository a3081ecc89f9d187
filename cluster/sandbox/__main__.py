"""Run the sandbox forge: `python -m cluster.sandbox --directory DIR --port PORT`."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from cluster.sandbox.app import create_app
from cluster.sandbox.samples import plant
from cluster.sandbox.store import Store


def main() -> None:
    """Serve until stopped, on loopback only."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.sandbox", description="A GitHub-compatible forge for trying Panlect."
    )
    parser.add_argument("--directory", type=Path, required=True, help="where repositories and state are kept")
    parser.add_argument("--port", type=int, default=8400)
    parser.add_argument("--samples", action="store_true", help="plant the sample repositories first")
    given = parser.parse_args()
    if given.samples:
        store = Store(given.directory)
        plant(store)
        store.close()
    app = create_app(given.directory, f"http://127.0.0.1:{given.port}")
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
