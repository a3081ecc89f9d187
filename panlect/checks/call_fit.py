"""Does a call fit a signature? One rule for the three languages, on the spelled form that facts carry.

A signature is a comma-separated list: `a` required, `a=` may be left out, `|a` positional only, `!a` keyword
only, `*args` any number of positional arguments, `**kw` any keyword, `?` a parameter without a plain name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from panlect.code.facts import Spread, Use


@dataclass(frozen=True, slots=True)
class Signature:
    """What a callable takes. `positional`: names in order; `required`: how many of them, at the front."""

    positional: tuple[str, ...]
    positional_only: frozenset[str]
    optional: frozenset[str]
    keyword_only: tuple[str, ...]
    any_positional: bool
    any_keyword: bool

    def accepts_keyword(self, name: str) -> bool:
        """Whether `name=` may be passed."""
        if self.any_keyword or name in self.keyword_only:
            return True
        return name in self.positional and name not in self.positional_only


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a call does not fit: names it lacks, keywords nobody takes, positional arguments too many."""

    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    surplus: int = 0


@lru_cache(maxsize=4096)
def read_signature(spelled: str) -> Signature:
    """The signature that facts spell as text."""
    positional: list[str] = []
    keyword_only: list[str] = []
    positional_only: set[str] = set()
    optional: set[str] = set()
    any_positional = any_keyword = False
    for place, part in enumerate(spelled.split(",") if spelled else ()):
        if part.startswith("**"):
            any_keyword = True
            continue
        if part.startswith("*"):
            any_positional = True
            continue
        name = part.strip("|!=")
        if name in ("?", "_"):  # several of these in one signature stay apart
            name = f"{name}{place}"
            positional_only.add(name)
        if part.startswith("|"):
            positional_only.add(name)
        if part.endswith("="):
            optional.add(name)
        (keyword_only if part.startswith("!") else positional).append(name)
    return Signature(
        tuple(positional),
        frozenset(positional_only),
        frozenset(optional),
        tuple(keyword_only),
        any_positional,
        any_keyword,
    )


def misfit(spelled: str, call: Use) -> Misfit | None:
    """Why `call` cannot be served by the signature, or None when it fits or cannot be told."""
    signature = read_signature(spelled)
    surplus = 0
    if not signature.any_positional and call.argc > len(signature.positional):
        surplus = call.argc - len(signature.positional)
    if call.spread & Spread.POSITIONAL:
        surplus = 0
    unknown: tuple[str, ...] = ()
    if not call.spread & Spread.KEYWORD:
        unknown = tuple(name for name in call.keywords if not signature.accepts_keyword(name))
    missing: tuple[str, ...] = ()
    if not call.spread:  # *args or **kw may bring what is missing
        given = set(signature.positional[: call.argc]) | set(call.keywords)
        missing = tuple(
            name
            for name in (*signature.positional, *signature.keyword_only)
            if name not in given and name not in signature.optional
        )
    if not (missing or unknown or surplus):
        return None
    return Misfit(missing, unknown, surplus)


def stricter(over: str, under: str) -> Misfit | None:
    """What a method asks for or refuses beyond the one it overrides; None when it takes all that one takes."""
    above, below = read_signature(over), read_signature(under)
    surplus = 0
    if not below.any_positional:
        surplus = max(0, len(above.positional) - len(below.positional))
    needed = [name for name in below.positional if name not in below.optional]
    given = [name for name in above.positional if name not in above.optional]
    missing = tuple(needed[len(given) :]) if len(needed) > len(given) and not above.any_positional else ()
    missing += tuple(
        name for name in below.keyword_only if name not in below.optional and not above.accepts_keyword(name)
    )
    unknown = tuple(name for name in above.keyword_only if not below.accepts_keyword(name))
    return Misfit(missing, unknown, surplus) if missing or unknown or surplus else None
