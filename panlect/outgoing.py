"""HTTP clients that connect to nothing that the egress guard has not vetted; redirects are never followed.

The guard sits where a socket is opened: the name is resolved, vetted and connected to in one place, while the Host
header, SNI, the check of the certificate and the pool of connections all keep the name. So a connection to one host
is never used for another that shares its address, and a second answer of a name server has nothing to change.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

from panlect.egress import Egress, Resolver, Target, resolve, spelt, vet, vet_for_proxy
from panlect.errors import ConfigurationError

if TYPE_CHECKING:
    from httpcore2 import SOCKET_OPTION

_KEPT_S = 30.0
_SOCKETS = 512
_POOL: dict[str, Any] = {
    "max_connections": _SOCKETS,
    "max_keepalive_connections": _SOCKETS,
    "keepalive_expiry": _KEPT_S,
}
_LIMITS = httpx2.Limits(**_POOL)
_PACKED = "The answer is packed, which was not asked for."
_MOST_BYTES = 64 * 1024 * 1024
_HABITS: dict[str, Any] = {
    "trust_env": False,
    "follow_redirects": False,
    "timeout": 60.0,
    "headers": {"accept-encoding": "identity", "user-agent": "panlect"},
}


def client(egress: Egress, *, resolver: Resolver = resolve) -> httpx2.AsyncClient:
    """A pooled client of everything that `egress` lets through. Raises ConfigurationError for what cannot work.

    A request to a refused address raises EgressRefusedError, before a byte is sent. Answers are asked for unpacked,
    and end with ReadError where they are longer than anybody should read.
    """
    return httpx2.AsyncClient(transport=_AsyncGuard(egress, resolver), **_HABITS)


def blocking_client(egress: Egress, *, resolver: Resolver = resolve) -> httpx2.Client:
    """The same for code that runs in threads."""
    return httpx2.Client(transport=_Guard(egress, resolver), **_HABITS)


class _AsyncGuard(httpx2.AsyncBaseTransport):
    """Sends each request directly, or through the proxy, by its host."""

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress = egress
        trust = _trust(egress)
        self._direct = httpx2.AsyncHTTPTransport(verify=trust)
        # httpx2 has no argument for the backend of its pool, httpcore2 has: the pool is made anew with ours.
        self._direct._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust, network_backend=_AsyncVetting(egress, resolver), **_POOL
        )
        self._proxied = (
            httpx2.AsyncHTTPTransport(verify=trust, proxy=_proxy(egress, trust), limits=_LIMITS)
            if egress.proxy
            else None
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer; EgressRefusedError for an address that may not be called."""
        by_proxy = _by_proxy(self._egress, request)
        way = self._proxied if by_proxy and self._proxied else self._direct
        answer = await way.handle_async_request(request)
        if _packed(answer):
            await answer.aclose()
            raise httpx2.RemoteProtocolError(_PACKED, request=request)
        answer.stream = _AsyncBounded(answer.stream)
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        if self._proxied is not None:
            await self._proxied.aclose()


class _Guard(httpx2.BaseTransport):
    """The same, blocking."""

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress = egress
        trust = _trust(egress)
        self._direct = httpx2.HTTPTransport(verify=trust)
        self._direct._pool = httpcore2.ConnectionPool(
            ssl_context=trust, network_backend=_Vetting(egress, resolver), **_POOL
        )
        self._proxied = (
            httpx2.HTTPTransport(verify=trust, proxy=_proxy(egress, trust), limits=_LIMITS)
            if egress.proxy
            else None
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer; EgressRefusedError for an address that may not be called."""
        by_proxy = _by_proxy(self._egress, request)
        way = self._proxied if by_proxy and self._proxied else self._direct
        answer = way.handle_request(request)
        if _packed(answer):
            answer.close()
            raise httpx2.RemoteProtocolError(_PACKED, request=request)
        answer.stream = _Bounded(answer.stream)
        return answer

    def close(self) -> None:
        """Close every connection."""
        self._direct.close()
        if self._proxied is not None:
            self._proxied.close()


class _AsyncVetting(httpcore2.AsyncNetworkBackend):
    """Opens sockets to vetted addresses only."""

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress, self._resolver = egress, resolver
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the vetted address of `host`."""
        target = await asyncio.to_thread(_vetted, host, port, self._egress, self._resolver)
        return await self._inner.connect_tcp(target.address, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """As the pool asks between two tries."""
        await asyncio.sleep(seconds)


class _Vetting(httpcore2.NetworkBackend):
    """Opens sockets to vetted addresses only, blocking."""

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress, self._resolver = egress, resolver
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the vetted address of `host`."""
        target = _vetted(host, port, self._egress, self._resolver)
        return self._inner.connect_tcp(target.address, port, timeout, local_address, socket_options)


class _AsyncBounded(httpx2.AsyncByteStream):
    """The bytes of an answer, up to a number."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _MOST_BYTES
        async for block in self._inner:
            left = _less(left, block)
            yield block

    async def aclose(self) -> None:
        """Close the connection, or give it back to the pool."""
        await self._inner.aclose()


class _Bounded(httpx2.SyncByteStream):
    """The same, blocking."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        left = _MOST_BYTES
        for block in self._inner:
            left = _less(left, block)
            yield block

    def close(self) -> None:
        """Close the connection, or give it back to the pool."""
        self._inner.close()


def _less(left: int, block: bytes) -> int:
    if len(block) > left:
        raise httpx2.ReadError(f"The answer is longer than {_MOST_BYTES} bytes.")
    return left - len(block)


def _by_proxy(egress: Egress, request: httpx2.Request) -> bool:
    """Whether a request goes through the proxy. Raises EgressRefusedError for an address that may not be called."""
    url = str(request.url)
    _, host, port = spelt(url)
    if not egress.proxied(host, port):
        return False
    vet_for_proxy(url, egress.allow)
    return True


def _packed(answer: httpx2.Response) -> bool:
    return answer.headers.get("content-encoding", "identity").lower() not in ("", "identity")


def _vetted(host: str, port: int, egress: Egress, resolver: Resolver) -> Target:
    shown = f"[{host}]" if ":" in host else host
    return vet(f"https://{shown}:{port}", egress.allow, resolver=resolver)


def _trust(egress: Egress) -> ssl.SSLContext:
    """The system's certificates (or those of SSL_CERT_FILE), and the administrator's own beside them."""
    trust = httpcore2.default_ssl_context()
    if egress.ca_file is not None:
        try:
            trust.load_verify_locations(cafile=str(egress.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                "PANLECT_EGRESS_CA_FILE cannot be read.",
                why=f"{egress.ca_file}: {type(error).__name__}",
                fix="Give a file of certificates in PEM.",
            ) from error
    return trust


def _proxy(egress: Egress, trust: ssl.SSLContext) -> httpx2.Proxy:
    try:
        found = httpx2.Proxy(egress.proxy)
        if found.url.scheme not in ("http", "https") or not found.url.host:
            raise ValueError("not http or https")
    except (ValueError, httpx2.InvalidURL):
        # `from None`: the address may hold a password.
        raise ConfigurationError(
            "PANLECT_EGRESS_PROXY is no proxy's address.", fix="Use http(s)://[user:password@]host:port."
        ) from None
    return httpx2.Proxy(egress.proxy, ssl_context=trust if found.url.scheme == "https" else None)
