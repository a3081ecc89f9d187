"""Review again whenever the work changes, until the person who watches has seen enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from panlect.errors import GitError, PanlectError
from panlect.git.repository import open_repository
from panlect.git.scratch import fingerprint

PAUSE_S = 1.0
_SHARE = 10  # a look costs at most one part in so many of the time
_SETTLE = 5  # looks that are waited for work to stand still: an editor or a checkout writes many files


def watch(
    repo: Path,
    review: Callable[[], None],
    report: Callable[[PanlectError], None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Run `review` now and after each change of the work tree, its index or its branches; Ctrl-C ends it.

    What goes wrong in one round is reported and the next one is waited for. Raises BadInputError when there is
    no repository to watch.
    """
    repository = open_repository(repo)
    seen: bytes | None = None

    def look() -> bytes | None:
        began = time.perf_counter()
        try:
            found: bytes | None = fingerprint(repository)
        except GitError as error:
            report(error)
            found = seen
        wait(max(PAUSE_S, _SHARE * (time.perf_counter() - began)))
        return found

    try:
        while True:
            now = fingerprint(repository) if seen is None else look()
            if now == seen:
                continue
            for _ in range(_SETTLE if seen is not None else 0):
                before, now = now, look()
                if before == now:
                    break
            seen = now
            try:
                review()
            except PanlectError as error:
                report(error)
    except KeyboardInterrupt:
        return
