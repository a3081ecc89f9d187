"""Events from bytes: in any pieces, and never more than is allowed."""

from __future__ import annotations

import pytest

from panlect.llm.upstreams.sse import Events, TooMuchError

TEXT = b": hello\n\ndata: one\n\nevent: x\ndata:two\nid: 7\n\ndata: a\r\ndata:\r\ndata: b\r\n\r\ndata: never ends"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_the_pieces_do_not_matter(size: int) -> None:
    events = Events(longest_line=100, most_bytes=1000)
    found = [event for at in range(0, len(TEXT), size) for event in events.feed(TEXT[at : at + size])]
    assert found == [b"one", b"two", b"a\n\nb"]


@pytest.mark.parametrize(
    "block",
    [
        b"data: " + b"x" * 100 + b"\n\n",  # a line
        b"x" * 101,  # a line without end
        b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\n\n",  # an event
        b"\n" * 1001,  # a stream
    ],
)
def test_what_is_longer_than_is_read_ends_it(block: bytes) -> None:
    events = Events(longest_line=100, most_bytes=1000)
    with pytest.raises(TooMuchError):
        list(events.feed(block))
