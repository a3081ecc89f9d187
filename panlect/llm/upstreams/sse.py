"""Server-sent events from bytes that may come in any pieces, within bounds. No I/O."""

from __future__ import annotations

from collections.abc import Iterator


class TooMuchError(ValueError):
    """A line, an event or the whole stream is longer than is read."""


class Events:
    """Feed it bytes, get the data of each event that is whole."""

    def __init__(self, *, longest_line: int, most_bytes: int) -> None:
        self._longest, self._left = longest_line, most_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """The data of the events that end in `block`. Raises TooMuchError."""
        self._left -= len(block)
        if self._left < 0:
            raise TooMuchError("The stream is longer than is read.")
        self._rest += block
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))
        if len(self._rest) > self._longest:
            raise TooMuchError("A line of the stream is longer than is read.")

    def _line(self, line: bytearray) -> Iterator[bytes]:
        if len(line) > self._longest:
            raise TooMuchError("A line of the stream is longer than is read.")
        if not line:
            if self._data:
                yield b"\n".join(self._data)
            self._data, self._size = [], 0
        elif line.startswith(b"data:"):
            found = bytes(line[5:]).removeprefix(b" ")
            self._size += len(found)
            if self._size > self._longest:
                raise TooMuchError("An event of the stream is longer than is read.")
            self._data.append(found)
