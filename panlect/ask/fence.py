"""What may be shown to a model, and between which marks: the one place where the ask rooms meet `panlect.llm`.

A stand-in until `panlect.llm.prompts` and `panlect.llm.outgoing` are here: then these three functions call those.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import PurePosixPath

from panlect.redact import redact

_PRIVATE = re.compile(
    r"\.env(\..+)?|.+\.env|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.htpasswd|id_(rsa|dsa|ecdsa|ed25519)"
    r"|.+\.(pem|key|p12|pfx|jks|keystore|kdbx)|credentials(\.json)?|secrets?\.(env|json|ya?ml|toml|ini)"
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


def new_tag() -> str:
    """A mark that nobody who wrote the code could know."""
    return secrets.token_hex(8)


def fenced(text: str, tag: str) -> str:
    """`text` as data: between marks that it cannot close."""
    return f"<untrusted-{tag}>\n{text}\n</untrusted-{tag}>"


def may_leave(path: str) -> bool:
    """Whether a file may be shown to a model at all."""
    return not any(_PRIVATE.fullmatch(part) for part in PurePosixPath(path.lower()).parts)


def cleaned(lines: Sequence[str]) -> list[str]:
    """The lines of a whole file without what looks like a credential; as many as there were."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = inside or _KEY_BEGINS.search(line) is not None
        kept.append("[SECRET:private-key]" if inside else redact(line))
        inside = inside and _KEY_ENDS.search(line) is None
    return kept
