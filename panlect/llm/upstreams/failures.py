"""What a provider's refusal means, and what of its words may be repeated: never a key, never more than a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2

from panlect.errors import EgressRefusedError, NameUnresolvedError, ProviderError
from panlect.hidden import without_hidden
from panlect.redact import redact

if TYPE_CHECKING:
    from panlect.llm.upstreams import Target

LONGEST_WAIT_S = 600.0
_MOST_WORDS = 300
_MOST_READ = 4096
_TOO_LONG = re.compile(
    r"context[ _]length|context[ _](window|size)|maximum context|max_model_len|(prompt|input|request) is too long"
    r"|too many (input |total )?tokens|reduce the length|input tokens? (count )?.{0,40}exceed|exceed.{0,40}input tokens"
    r"|exceeds the maximum number of (input )?tokens|string_above_max_length",
    re.IGNORECASE,
)
_ANSWERED = "panlect.answered"
_CODES = ("code", "Code", "type", "status")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def failed(
    target: Target,
    what: str,
    outcome: str,
    *,
    why: str = "",
    retry_after_s: float = 0.0,
    billed: bool = False,
) -> ProviderError:
    """The error of one call; `why` may hold anything that a provider said."""
    said = printable(why, target.key)
    return ProviderError(
        f"{target.choice.name} {what}.", outcome=outcome, retry_after_s=retry_after_s, billed=billed, why=said
    )


def printable(text: str, key: str) -> str:
    """One short line of `text` without the key, its parts, or anything else that looks like a credential.

    Nor does it hold characters that nobody sees: they go first, since a key may be broken in two by one.
    """
    text = without_hidden(text[:_MOST_READ])[0]
    for secret in sorted({key, *key.split(":")}, key=len, reverse=True):
        if len(secret) >= 6:
            text = text.replace(secret, "[SECRET:key]")
    return _CONTROL.sub(" ", redact(text)).strip()[:_MOST_WORDS]


def refused(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error that an answer of `status` other than 200 stands for."""
    said, code = words_of(body)
    wait_s = retry_after(headers)
    if status in (401, 402, 403):
        # Providers repeat parts of a wrong key in their words: the code alone is told.
        return failed(target, "refused the key", "auth", why=f"It answered {status} {code}".strip() + ".")
    if status == 429:
        return failed(target, "is at its limit", "rate_limited", why=said, retry_after_s=wait_s)
    if status == 413 or (status in (400, 422, 500) and _TOO_LONG.search(f"{code} {said}")):
        return failed(target, "cannot take so long a prompt", "too_long", why=said)
    if status in (408, 504):
        return failed(target, "took too long", "timeout", why=said, retry_after_s=wait_s, billed=True)
    if status >= 500 or status in (409, 425):
        why = said or f"It answered {status}."
        return failed(target, "is not available", "unavailable", why=why, retry_after_s=wait_s)
    if 300 <= status < 400:
        return failed(target, "redirects, which is not followed", "rejected", why=f"It answered {status}.")
    return failed(target, "rejected the request", "rejected", why=said or f"It answered {status}.")


def reported(target: Target, error: object) -> ProviderError:
    """The error that a provider reports in the middle of a stream."""
    said, code = in_error({"error": error})
    if _TOO_LONG.search(f"{code} {said}"):
        return failed(target, "cannot take so long a prompt", "too_long", why=said)
    limited = "rate_limit" in code or "429" in code
    what, outcome = ("is at its limit", "rate_limited") if limited else ("broke off", "unavailable")
    return failed(target, what, outcome, why=said, billed=True)


def note_answered(answer: httpx2.Response) -> None:
    """Remember with a request that its answer began: the hook of clients whose SDKs read answers on their own."""
    answer.request.extensions[_ANSWERED] = answer.status_code == 200


async def note_answered_async(answer: httpx2.Response) -> None:
    """The same for a client that is awaited."""
    note_answered(answer)


def had_begun(error: httpx2.HTTPError) -> bool:
    """Whether the answer that broke off had begun, so that the provider may ask for its price."""
    try:
        return error.request.extensions.get(_ANSWERED) is True
    except RuntimeError:  # an error of no request
        return False


@contextmanager
def connecting(target: Target) -> Iterator[None]:
    """Every way in which a connection fails, as ProviderError."""
    try:
        yield
    except EgressRefusedError as error:
        raise not_called(target, error) from error
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise failed(target, "cannot be reached", "timeout", why=type(error).__name__) from error
    except httpx2.TimeoutException as error:
        why = type(error).__name__
        raise failed(target, "was silent for too long", "timeout", why=why, billed=True) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why, begun = (
            f"{type(error).__name__}: {error}",
            isinstance(error, httpx2.HTTPError) and had_begun(error),
        )
        what = "broke off its answer" if begun else "is not available"
        raise failed(target, what, "unavailable", why=why, billed=begun) from error


def not_called(target: Target, error: EgressRefusedError) -> ProviderError:
    """The error of an address that may not be called."""
    if isinstance(error, NameUnresolvedError):
        return failed(target, "cannot be found", "unavailable", why=error.what)
    return failed(target, "may not be called", "rejected", why=str(error))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the provider asks to wait, as a number or a date; at most ten minutes."""
    said = headers.get("retry-after-ms", "")
    if said.isascii() and said.isdecimal() and len(said) < 12:
        return min(LONGEST_WAIT_S, int(said) / 1000)
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", said):
        return min(LONGEST_WAIT_S, float(said))
    try:
        at = parsedate_to_datetime(said)
        wait_s = (at - datetime.now(UTC)).total_seconds() if at.tzinfo else 0.0
    except (ValueError, OverflowError, TypeError):
        return 0.0
    return min(LONGEST_WAIT_S, max(0.0, wait_s))


def words_of(body: bytes) -> tuple[str, str]:
    """(message, code) of an error's body in any of the usual shapes; ("", "") for a page or nothing."""
    try:
        return in_error(json.loads(body[: 64 * 1024]))
    except (ValueError, RecursionError):
        return "", ""


def in_error(body: Any) -> tuple[str, str]:
    """The same of a body that was parsed."""
    if isinstance(body, list) and body:  # Gemini's
        body = body[0]
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error", body.get("Error", body))
    if isinstance(error, str):  # Ollama's
        return error[:_MOST_READ], ""
    if not isinstance(error, dict):
        return "", ""
    said = error.get("message") or error.get("Message") or error.get("detail") or ""
    codes = [str(error[name])[:60] for name in _CODES if isinstance(error.get(name), str | int)]
    text = said[:_MOST_READ] if isinstance(said, str) else ""
    if not _TOO_LONG.search(text) and any(_TOO_LONG.search(code) for code in codes):
        text = f"{text} ({', '.join(codes)})"
    return text, re.sub(r"[^A-Za-z0-9_.-]", "", codes[0]) if codes else ""
