"""What a test's child runs in place of the parser: C code that aborts on some files and hangs on others."""

from __future__ import annotations

import os
import re
from typing import Any

from panlect.code.packed import Packed
from panlect.index.analyse import analyse_one as read_one


def analyse_one(task: list[Any]) -> Packed:
    content = task[2]
    if b"ABORTS" in content:
        os.abort()
    if b"HANGS" in content:
        re.match(rb"(a+)+$", b"a" * 64 + b"b")  # in C, and for longer than anybody waits
    return read_one(task)
