"""Lines are counted as git counts them, also where a form feed stands between two."""

from __future__ import annotations

from panlect.finding import Evidence, Side
from panlect.index.memory import MemoryRepository
from panlect.review.verify import quote_holds


def test_a_form_feed_ends_no_line() -> None:
    head = MemoryRepository().snapshot({"u.py": "a = 1\n\x0c\nb = 2\n"})
    assert quote_holds(Evidence("u.py", 3, 3, Side.HEAD, "b = 2"), head)
