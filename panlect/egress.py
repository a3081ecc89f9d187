"""The guard on outgoing addresses: resolve, refuse private and metadata ranges, pin what was vetted.

`panlect/outgoing.py` holds the HTTP clients that connect only to what stands here.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from panlect.errors import EgressRefusedError, NameUnresolvedError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637, newer than the standard library's table
Resolver = Callable[[str, int], Sequence[str]]
# What is vetted is pinned by name. A spelling that another library would read as another name (escapes, a dot
# at the end, letters beyond ASCII) would miss its pin and be looked up again.
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_IPV6 = re.compile(r"[0-9a-f:.]{2,45}")
_NUMBER = re.compile(
    r"(.*\.)?([0-9]+|0x[0-9a-f]*)"
)  # a last label that resolvers read as (part of) an address
_UNSEEN = re.compile(r"[\x00-\x20\x7f\\]")  # urlsplit drops some of these, other libraries do not
_INSIDE = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".lan", ".intranet", ".corp")
_PLAIN = "Give a plain https address."


@dataclass(frozen=True, slots=True)
class Target:
    """A vetted address: connect to `address`, say `host` in the Host header and in TLS."""

    scheme: str
    host: str
    port: int
    address: str


@dataclass(frozen=True, slots=True)
class Egress:
    """How calls leave this network.

    `allow`: hosts, or host:port, that may be called although they are private. `proxy`: the http(s) address of a
    proxy, with credentials or without; `no_proxy`: hosts, `.suffixes`, networks or `*` that are called directly, as
    loopback always is. `ca_file`: certificates in PEM that are trusted beside the system's.
    """

    allow: tuple[str, ...] = ()
    proxy: str = field(default="", repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None

    def proxied(self, host: str, port: int) -> bool:
        """Whether calls to `host` go through the proxy."""
        if not self.proxy or host == "localhost" or _in(host, ("127.0.0.0/8", "::1/128")):
            return False
        return not any(_covers(entry.strip().lower(), host, port) for entry in self.no_proxy)


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of `host`, as the system resolver says."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def spelt(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of a plain address; nothing is looked up.

    Raises EgressRefusedError for another scheme, a user in the URL, and every spelling that two libraries could
    read as two hosts.
    """
    try:
        if _UNSEEN.search(url):
            raise ValueError("It holds white space, a control character or a backslash.")
        parts = urlsplit(url)
        if not parts.netloc.isascii():
            raise ValueError("Its host has letters beyond ASCII: write it as xn--.")
        host, scheme, user = parts.hostname or "", parts.scheme, parts.username
    except ValueError as error:
        raise EgressRefusedError("This address is refused.", why=str(error), fix=_PLAIN) from error
    if scheme not in ("http", "https") or user is not None:
        raise EgressRefusedError(
            f"{scheme or 'This'} address is refused.", why="Only http and https without a user are called.", fix=_PLAIN
        )  # fmt: skip
    if not (_NAME.fullmatch(host) or (":" in host and _IPV6.fullmatch(host))) or _odd_number(host):
        raise EgressRefusedError(
            "This host is refused.", why="Only names of letters, digits, hyphens and dots are called.", fix=_PLAIN
        )  # fmt: skip
    try:
        port = (443 if scheme == "https" else 80) if parts.port is None else parts.port
        if port == 0:
            raise ValueError("Nothing listens on port 0.")
    except ValueError as error:
        raise EgressRefusedError(f"The port of {host} is not valid.", fix="Use 1 to 65535.") from error
    return scheme, host, port


def vet(url: str, allow: Sequence[str] = (), *, resolver: Resolver = resolve) -> Target:
    """The address to connect to for `url`.

    `allow` holds hosts, or host:port, that an administrator lets through although they are private.
    Raises EgressRefusedError for what `spelt` refuses, a name that does not resolve, or any address that is not a
    public unicast one: one private address among several is enough, since a rebinding name server would hand out
    that one next.
    """
    scheme, host, port = spelt(url)
    try:
        addresses = list(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise NameUnresolvedError(f"{host} does not resolve.", fix="Check the name.") from error
    if not addresses:
        raise NameUnresolvedError(f"{host} does not resolve.", fix="Check the name.")
    if not _allowed(host, port, allow):
        for address in addresses:
            _refuse_private(host, address)
    return Target(scheme, host, port, addresses[0])


def vet_for_proxy(url: str, allow: Sequence[str] = ()) -> Target:
    """The name that a proxy is asked to connect to; `address` is the host as written.

    A proxy resolves names itself, on its side of the network, so no address is pinned here: against a name server
    that answers first with a public address and then with a private one, the proxy's own rules are the guard. What
    can be told from the spelling is refused all the same: private literals, localhost, names without a dot or under
    a suffix of private networks, unless an administrator allowed them.
    """
    scheme, host, port = spelt(url)
    if not _allowed(host, port, allow):
        if _literal(host) is not None:
            _refuse_private(host, host)
        elif "." not in host or host.endswith(_INSIDE):
            raise EgressRefusedError(
                f"{host} is refused: it names a host of a private network.", fix=_allow_it(host)
            )
    return Target(scheme, host, port, host)


def _allowed(host: str, port: int, allow: Sequence[str]) -> bool:
    entries = {entry.lower() for entry in allow}
    return host in entries or f"{host}:{port}" in entries


def _allow_it(host: str) -> str:
    return f"An administrator can allow it: PANLECT_EGRESS_ALLOW='[\"{host}\"]'."


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _odd_number(host: str) -> bool:
    """A host that a resolver reads as an address although it is not written as one (2130706433, 0x7f.1, 127.1)."""
    return _NUMBER.fullmatch(host) is not None and _literal(host) is None


def _in(host: str, networks: Sequence[str]) -> bool:
    ip = _literal(host)
    return ip is not None and any(ip in ipaddress.ip_network(network) for network in networks)


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of no_proxy means `host`, as the usual tools read it: a name covers the names below it."""
    if entry in ("*", host, f"{host}:{port}"):
        return True
    if "/" in entry:
        try:
            return _in(host, (entry,))
        except ValueError:
            return False
    return bool(entry) and _literal(host) is None and host.endswith(f".{entry.lstrip('.')}")


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address that a NAT64 gateway would call for this one (RFC 6052)."""
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None


def _refuse_private(host: str, address: str) -> None:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    elsewhere = False
    if isinstance(ip, ipaddress.IPv6Address):
        elsewhere = ip.is_site_local or ip in _DOCUMENTATION
        ip = ip.ipv4_mapped or ip.sixtofour or _translated(ip) or ip
    if not ip.is_global or ip.is_multicast or ip.is_reserved or elsewhere:
        raise EgressRefusedError(f"{host} is refused: {ip} is not a public address.", fix=_allow_it(host))
