"""The guard on outgoing addresses: resolve, refuse private and metadata ranges, pin what was vetted."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from panlect.errors import EgressRefusedError, NameUnresolvedError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Resolver = Callable[[str, int], Sequence[str]]
# What is vetted is pinned by name. A spelling that another library would read as another name (escapes, a dot
# at the end, letters beyond ASCII) would miss its pin and be looked up again.
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_IPV6 = re.compile(r"[0-9a-f:.]{2,45}")
_PLAIN = "Give a plain https address."


@dataclass(frozen=True, slots=True)
class Target:
    """A vetted address: connect to `address`, say `host` in the Host header and in TLS."""

    scheme: str
    host: str
    port: int
    address: str


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of `host`, as the system resolver says."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def vet(url: str, allow: Sequence[str] = (), *, resolver: Resolver = resolve) -> Target:
    """The address to connect to for `url`.

    `allow` holds hosts, or host:port, that an administrator lets through although they are private.
    Raises EgressRefusedError for another scheme, a user in the URL, a name that does not resolve, or any
    address that is not a public unicast one: one private address among several is enough, since a
    rebinding name server would hand out that one next.
    """
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname or "", parts.scheme
    except ValueError as error:
        raise EgressRefusedError("This address is refused.", why=str(error), fix=_PLAIN) from error
    if scheme not in ("http", "https") or parts.username is not None:
        raise EgressRefusedError(
            f"{scheme or 'This'} address is refused.", why="Only http and https without a user are called.", fix=_PLAIN
        )  # fmt: skip
    if not (_NAME.fullmatch(host) or (":" in host and _IPV6.fullmatch(host))):
        raise EgressRefusedError(
            "This host is refused.", why="Only names of letters, digits, hyphens and dots are called.", fix=_PLAIN
        )  # fmt: skip
    try:
        port = parts.port or (443 if scheme == "https" else 80)
    except ValueError as error:
        raise EgressRefusedError(f"The port of {host} is not valid.", fix="Use 1 to 65535.") from error
    try:
        addresses = list(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise NameUnresolvedError(f"{host} does not resolve.", fix="Check the name.") from error
    if not addresses:
        raise NameUnresolvedError(f"{host} does not resolve.", fix="Check the name.")
    allowed = {entry.lower() for entry in allow}
    if host.lower() not in allowed and f"{host.lower()}:{port}" not in allowed:
        for address in addresses:
            _refuse_private(host, address)
    return Target(scheme, host, port, addresses[0])


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address that a NAT64 gateway would call for this one (RFC 6052)."""
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None


def _refuse_private(host: str, address: str) -> None:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    site_local = False
    if isinstance(ip, ipaddress.IPv6Address):
        site_local = ip.is_site_local
        ip = ip.ipv4_mapped or ip.sixtofour or _translated(ip) or ip
    if not ip.is_global or ip.is_multicast or ip.is_reserved or site_local:
        raise EgressRefusedError(
            f"{host} is refused: {ip} is not a public address.",
            fix=f"An administrator can allow it: PANLECT_EGRESS_ALLOW='[\"{host}\"]'.",
        )
