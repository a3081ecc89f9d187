"""Kinds of definitions and families of languages, as far as resolving tells them apart."""

from __future__ import annotations

from typing import Final

TYPES: Final = frozenset({"class", "interface", "type"})
CLASSES: Final = TYPES | {"extension"}
FUNCTIONS: Final = frozenset({"function", "method"})
NAMESPACED: Final = frozenset({"jvm", "csharp", "php"})
SCRIPTS: Final = frozenset({"typescript", "javascript"})
# What a use of this kind means rather than anything else of its name.
KIND_FIT: Final = {
    "call": frozenset({"function", "method", "class"}),
    "type": TYPES,
}


def share_names(one: str, other: str) -> bool:
    """Whether two families share names."""
    return one == other or (one in SCRIPTS and other in SCRIPTS)
