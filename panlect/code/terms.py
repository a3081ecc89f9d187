"""What lexical search counts: identifiers split at case and underscores, lightly stemmed, as 60-bit ids.

Ids are hashes, so postings of different blobs join without a shared vocabulary; a term's text is never
needed again. Among 10^6 terms two collide with a probability of 4 in 10^7.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, count

import numpy as np

from panlect.code.analysis import Postings

_WORD = re.compile(r"[^\W\d]\w+")
_ASCII_WORD = re.compile(r"[A-Za-z_]\w+", re.ASCII)  # the same for ASCII text, twice as fast
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_LONGEST_WORD = 80  # longer ones are encoded data
_LONGEST_PART = 32
_MOST_WORDS = 1 << 17


def split_identifier(word: str) -> list[str]:
    """`parseHTTPHeader_v2` -> parse, http, header, v, 2 (lower case, unstemmed)."""
    return [part.lower()[:_LONGEST_PART] for part in _PART.findall(word)]


def stem(word: str) -> str:
    """A light stem: plurals, -ing, -ed. Enough to join `retries` with `retry`, and quick.

    A full English stemmer takes twenty times as long, which would be a fifth of all the time of an index.
    """
    if len(word) < 4 or not word.isascii():
        return word
    for ending, replacement in _ENDINGS:
        root = word.removesuffix(ending)
        if root is not word and len(root) > 2:
            return _bare(root + replacement)
    return _bare(word)


_ENDINGS = (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""))


def _bare(word: str) -> str:
    """Without a plural's s, a silent e, a doubled last letter (`runn` of running; `call` and `pass` stay)."""
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] if word[-1] == word[-2] and word[-1] not in "lsz" else word


def term_id(term: str) -> int:
    """The id of one term. 60 bits: Python counts such numbers markedly faster than 64-bit ones."""
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest(), "little") >> 4


@lru_cache(maxsize=1 << 16)
def _part_id(part: str) -> int:
    return term_id(stem(part))


def _ids_of(word: str) -> tuple[int, ...]:
    if len(word) > _LONGEST_WORD:
        return ()
    parts = [part for part in split_identifier(word) if len(part) > 1]
    ids = [_part_id(part) for part in parts]
    if len(parts) > 1:  # the whole name too: it is what tells `capture_order` from its words
        ids.append(term_id(word.lower()))
    return tuple(ids)


class _WordIds(dict[str, tuple[int, ...]]):
    """Word -> ids of its terms, bounded. For a word that it knows it is twice as quick as an lru_cache."""

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= _MOST_WORDS:
            self.clear()
        found = self[word] = _ids_of(word)
        return found


_word_ids = _WordIds().__getitem__


def _words(text: str) -> list[str]:
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def terms_of(text: str) -> list[int]:
    """The term ids of a text in order, repeats included."""
    return list(chain.from_iterable(map(_word_ids, _words(text))))


def postings_of(texts: Iterable[str]) -> tuple[Postings, Collection[str]]:
    """The postings of a blob's chunks, by chunk and then by the word's first occurrence in the blob; and its words."""
    found: list[str] = []
    ends = [0]
    for text in texts:
        found += _words(text)
        ends.append(len(found))
    if not found:
        return Postings(), ()
    ordinals = dict(zip(dict.fromkeys(found), count(), strict=False))
    place = np.fromiter(map(ordinals.__getitem__, found), np.int64, len(found))
    place += np.repeat(
        np.arange(len(ends) - 1) * len(ordinals), np.diff(ends)
    )  # chunk and word in one number
    place, counts = np.unique(place, return_counts=True)
    chunks, words = np.divmod(place, len(ordinals))
    ids = list(map(_word_ids, ordinals))
    postings = Postings(
        words.astype("<u4").tobytes(),
        chunks.astype("<u4").tobytes(),
        counts.astype("<u2").tobytes(),  # a chunk holds at most some 2000 words
        np.repeat(np.arange(len(ids), dtype="<u4"), list(map(len, ids))).tobytes(),
        np.fromiter(chain.from_iterable(ids), "<u8").tobytes(),
    )
    return postings, ordinals.keys()
