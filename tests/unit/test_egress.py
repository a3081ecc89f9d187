"""The egress guard: public addresses pass and are pinned, everything that leads inside is refused."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from panlect import egress
from panlect.egress import Target, vet
from panlect.errors import EgressRefusedError

PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def answering(*addresses: str) -> egress.Resolver:
    return lambda host, port: addresses


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", Target("https", "example.org", 443, PUBLIC)),
        ("http://example.org/x?y#z", Target("http", "example.org", 80, PUBLIC)),
        ("HTTPS://Example.ORG:8443/api", Target("https", "example.org", 8443, PUBLIC)),
        ("https://xn--bcher-kva.example", Target("https", "xn--bcher-kva.example", 443, PUBLIC)),
        ("https://git_lab.example", Target("https", "git_lab.example", 443, PUBLIC)),
    ],
)
def test_a_public_address_is_pinned(url: str, target: Target) -> None:
    assert vet(url, resolver=answering(PUBLIC, PUBLIC_6)) == target


def test_an_address_of_the_sixth_version_is_pinned() -> None:
    assert vet(f"https://[{PUBLIC_6}]:444", resolver=answering(PUBLIC_6)) == Target(
        "https", PUBLIC_6, 444, PUBLIC_6
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org",
        "ftp://example.org",
        "file:///etc/passwd",
        "gopher://example.org",
        "ssh://example.org",
        "ext::sh -c id",
        "https://",
        "https:///path",
        "https://:443",
        "https://user@example.org",
        "https://user:password@example.org",
        "https://@example.org",
        "https://example.org\\@10.0.0.1",
        "https://example.org:99999",
        "https://example.org:port",
        "https://example.org:-1",
        "https://[::1",
        "https://[not-an-address]",
        "https://[fe80::1%25eth0]",
        "https://example.org.",
        "https://ex%61mple.org",
        "https://bücher.example",
        "https://example\u3002org",
        "https://exam ple.org",
        "https://-example.org",
        "https://" + "a" * 254,
        "https://" + "a" * 64 + ".org",
    ],
)
def test_an_address_that_is_not_plain_is_refused(url: str) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        host.encode("idna")  # as getaddrinfo does
        return [PUBLIC]

    with pytest.raises(EgressRefusedError):
        vet(url, resolver=resolver)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:1::1",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(EgressRefusedError, match="not a public address"):
        vet("https://innocent.example", resolver=answering(address))


@pytest.mark.parametrize(
    "spelled", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::ffff:7f00:1]"]
)
def test_no_spelling_of_loopback_passes_the_systems_resolver(spelled: str) -> None:
    with pytest.raises(EgressRefusedError):
        vet(f"http://{spelled}/")


@pytest.mark.parametrize("answers", [(PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC, PUBLIC_6, "::1")])
def test_one_private_address_among_several_is_enough(answers: tuple[str, ...]) -> None:
    with pytest.raises(EgressRefusedError):
        vet("https://rebinding.example", resolver=answering(*answers))


def test_a_name_is_asked_for_once_so_that_a_second_answer_cannot_differ() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    assert vet("https://rebinding.example", resolver=lambda host, port: next(answers)).address == PUBLIC
    assert next(answers) == ["127.0.0.1"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_that_does_not_resolve_is_refused(error: Exception) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(EgressRefusedError, match="does not resolve"):
        vet("https://nowhere.example", resolver=resolver)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(EgressRefusedError, match="does not resolve"):
        vet("https://nowhere.example", resolver=answering())


@pytest.mark.parametrize("allow", [["forge.lan"], ["FORGE.LAN"], ["forge.lan:8443"]])
def test_an_administrator_lets_a_private_host_through(allow: list[str]) -> None:
    assert vet("https://forge.lan:8443", allow, resolver=answering("10.0.0.7")).address == "10.0.0.7"


@pytest.mark.parametrize(
    "allow", [["forge.lan:443"], ["lan"], [".lan"], ["10.0.0.7"], ["forge.lan.evil.example"], [""]]
)
def test_only_what_was_allowed_by_name_and_port_gets_through(allow: list[str]) -> None:
    with pytest.raises(EgressRefusedError):
        vet("https://forge.lan:8443", allow, resolver=answering("10.0.0.7"))
