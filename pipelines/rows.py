"""How an analysed blob, or one that could not be read, travels in Ray's blocks: plain bytes and strings."""

from __future__ import annotations

from typing import Any

from panlect.code.packed import Packed
from panlect.index.commit import Analysed
from panlect.index.snapshot import BlobKey

_NOTHING = Packed(*(b"" for _ in Packed._fields))


def row_of(one: Analysed) -> dict[str, Any]:
    """An analysed blob as a row of a block."""
    return {
        "language": one.key[0],
        "sha": one.key[1],
        **one.packed._asdict(),
        "hashes": b"".join(digest for digest, _ in one.chunks),
        "texts": [text for _, text in one.chunks],
        "ms": one.ms,
        "unread": "",
    }


def unread_row(key: BlobKey, reason: str) -> dict[str, Any]:
    """A blob without an analysis, and why: it is counted, and never kept."""
    return row_of(Analysed(key, _NOTHING, (), 0.0)) | {"unread": reason}


def analysed_of(row: dict[str, Any]) -> Analysed:
    """The analysed blob of a row."""
    hashes = bytes(row["hashes"])
    digests = (hashes[at : at + 16] for at in range(0, len(hashes), 16))
    packed = Packed(*(bytes(row[column]) for column in Packed._fields))
    chunks = tuple(zip(digests, row["texts"], strict=True))
    return Analysed((str(row["language"]), str(row["sha"])), packed, chunks, float(row["ms"]))
