"""What a test's child runs in place of the parser: it aborts, as C code does, on one kind of file."""

from __future__ import annotations

import os
from typing import Any

from panlect.code.packed import Packed
from panlect.index.analyse import analyse_batch as read_batch


def analyse_batch(batch: list[list[Any]]) -> list[Packed]:
    if any(b"ABORTS" in content for _, _, content in batch):
        os.abort()
    return read_batch(batch)
