"""What an answer cites was read, however the answer is cut into pieces; code in it stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panlect.ask.citations import Citations
from panlect.ask.reading import ReadingList

PATHS = {"shop/a.py", "Makefile", "b.py"}


def reading(*repositories: str) -> ReadingList:
    found = ReadingList()
    for repository in repositories or ("",):
        for number in (1, 2, 3, 4, 10, 11):
            found.add(repository, "shop/a.py", number, f"line {number}")
    found.add(repositories[0] if repositories else "", "Makefile", 3, "all:")
    return found


def passed(text: str, *names: str, piece: int = 10_000) -> tuple[str, list[str], int]:
    citations = Citations(reading(*names), names or ("only",), PATHS.__contains__)
    shown = "".join(citations.feed(text[at : at + piece]) for at in range(0, len(text), piece))
    return shown + citations.rest(), [source.name for source in citations.sources], citations.dropped


@pytest.mark.parametrize(
    ("text", "shown", "sources", "dropped"),
    [
        ("It does [shop/a.py:1-3].", "It does [shop/a.py:1-3].", ["shop/a.py:1-3"], 0),
        ("It does [shop/a.py:3-900].", "It does [shop/a.py:3-4].", ["shop/a.py:3-4"], 0),
        ("x [shop/a.py:4-11] y", "x [shop/a.py:10-11] y", ["shop/a.py:10-11"], 0),
        ("x [shop/a.py:5-9] y", "x y", [], 1),
        ("x [secrets.env:1-2].", "x.", [], 1),
        ("x [made/up.py:1]", "x", [], 1),
        ("x [Makefile:3]", "x [Makefile:3-3]", ["Makefile:3-3"], 0),
        ("x[`./shop/a.py:L1–L2`]", "x[shop/a.py:1-2]", ["shop/a.py:1-2"], 0),
        ("x [shop/a.py:1-2, 10-11; no/such.py:4]", "x [shop/a.py:1-2, shop/a.py:10-11]",
         ["shop/a.py:1-2", "shop/a.py:10-11"], 1),
        ("x [shop/a.py#L1-L2]", "x [shop/a.py:1-2]", ["shop/a.py:1-2"], 0),
        ("`rows[1:2]` and a[self.n:3] and [0] and [x] and [a, b:c]", None, [], 0),
        ("- [ ] todo [link](https://e.example:1)", None, [], 0),
        ("open [ and [shop/a.py:1-1", None, [], 0),
        ("[shop/a.py:\n1-2]", None, [], 0),
        ("[" * 50 + "]" * 50, None, [], 0),
        ("trailing  ", None, [], 0),
        ("[shop/a.py:99999999999999999999-1]", None, [], 0),
    ],
)  # fmt: skip
def test_a_citation_stands_is_narrowed_or_goes(
    text: str, shown: str | None, sources: list[str], dropped: int
) -> None:
    assert passed(text) == (text if shown is None else shown, sources, dropped)
    assert passed(text, piece=1) == passed(text)


def test_with_several_repositories_a_citation_names_one_that_was_read() -> None:
    text = "x [a/one:shop/a.py:1-2] y [b/two:Makefile:3] z [shop/a.py:1] w [Makefile:3]"
    assert passed(text, "a/one", "b/two") == (
        "x [a/one:shop/a.py:1-2] y z w [a/one:Makefile:3-3]",
        ["a/one:shop/a.py:1-2", "a/one:Makefile:3-3"],
        2,
    )


@given(st.text(alphabet="[]:-, \n`ab/.12#", max_size=80), st.integers(1, 9))
def test_pieces_do_not_matter_and_nothing_that_was_not_read_is_cited(text: str, piece: int) -> None:
    shown, sources, dropped = passed(text, piece=piece)
    assert (shown, sources, dropped) == passed(text)
    assert sources == []
    if "[" not in text:
        assert shown == text
