"""The egress guard: public addresses pass and are pinned, everything that leads inside is refused."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

import pytest

from panlect import egress
from panlect.egress import Egress, Target, spelt, vet, vet_for_proxy
from panlect.errors import EgressRefusedError, NameUnresolvedError

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


REFUSED, CALLED, UNKNOWN = "refused", "called", "does not resolve"


def as_the_system_would(host: str, port: int) -> Sequence[str]:
    """Loopback and private names as in /etc/hosts and a company's DNS; every other name is public."""
    known = {
        "localhost": ["127.0.0.1", "::1"],
        "localhost.localdomain": ["127.0.0.1"],
        "ip6-localhost": ["::1"],
        "metadata.google.internal": ["169.254.169.254"],
        "rebinding.example": [PUBLIC, "10.0.0.1"],
        "six.example": [PUBLIC, "fd00::7"],
        "empty.example": [],
    }
    if host in known:
        return known[host]
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        host.encode("idna")
        return [PUBLIC]


@pytest.mark.parametrize(
    ("url", "direct", "through_a_proxy"),
    [
        ("http://0177.0.0.1/", REFUSED, REFUSED),  # octal
        ("http://0x7f.0.0.1/", REFUSED, REFUSED),  # hexadecimal
        ("http://0xa9fea9fe/", REFUSED, REFUSED),
        ("http://2852039166/", REFUSED, REFUSED),  # decimal
        ("http://1572395278/", REFUSED, REFUSED),  # decimal, and public: not written as an address
        ("http://127.1/", REFUSED, REFUSED),
        ("http://169.254.169.254/latest/meta-data", REFUSED, REFUSED),
        ("http://[fd00:ec2::254]/", REFUSED, REFUSED),
        ("http://100.100.100.200/", REFUSED, REFUSED),  # another cloud's metadata
        ("http://metadata.google.internal/", REFUSED, REFUSED),
        ("http://0.0.0.0/", REFUSED, REFUSED),
        ("http://0/", REFUSED, REFUSED),
        ("http://[::]/", REFUSED, REFUSED),
        ("http://[::1]/", REFUSED, REFUSED),
        ("http://[::ffff:127.0.0.1]/", REFUSED, REFUSED),  # mapped
        ("http://[::ffff:a9fe:a9fe]/", REFUSED, REFUSED),
        ("http://[2002:7f00:1::]/", REFUSED, REFUSED),  # 6to4
        ("http://[64:ff9b::a9fe:a9fe]/", REFUSED, REFUSED),  # NAT64
        ("http://[64:ff9b:1::a00:1]/", REFUSED, REFUSED),
        ("http://[3fff::1]/", REFUSED, REFUSED),  # documentation
        ("http://[fe80::1%25eth0]/", REFUSED, REFUSED),  # zone id
        ("http://[fe80::1%eth0]/", REFUSED, REFUSED),
        ("http://localhost/", REFUSED, REFUSED),
        ("http://LOCALHOST/", REFUSED, REFUSED),
        ("http://localhost./", REFUSED, REFUSED),  # a dot at the end
        ("http://localhost.localdomain/", REFUSED, REFUSED),
        ("http://ip6-localhost/", REFUSED, REFUSED),
        ("https://api.example.org.", REFUSED, REFUSED),
        ("https://user:password@api.example.org", REFUSED, REFUSED),
        ("https://api.example.org@10.0.0.1", REFUSED, REFUSED),
        ("https://10.0.0.1#@api.example.org", REFUSED, REFUSED),
        ("https://api.example.org#@10.0.0.1", CALLED, CALLED),  # a fragment is no host
        ("https://api.example.org?@10.0.0.1", CALLED, CALLED),
        ("https://api.example.org\\@10.0.0.1", REFUSED, REFUSED),
        ("https:\\\\10.0.0.1", REFUSED, REFUSED),
        ("http://\uff11\uff12\uff17.0.0.1/", REFUSED, REFUSED),  # digits beyond ASCII
        ("http://\u0661\u0662\u0667.0.0.1/", REFUSED, REFUSED),
        ("http://\u2460\u2461\u2466.0.0.1/", REFUSED, REFUSED),
        ("http://%31%32%37.0.0.1/", REFUSED, REFUSED),
        ("https://api.ex%61mple.org", REFUSED, REFUSED),
        ("https://\u0430pi.example.org", REFUSED, REFUSED),  # a Cyrillic a
        ("https://\u212aernel.example", REFUSED, REFUSED),  # a Kelvin sign, which lower() makes a k
        ("https://xn--pi-7kc.example.org", CALLED, CALLED),  # it says what it is
        ("https://api\u3002example.org", REFUSED, REFUSED),
        ("https://api.example.org:0", REFUSED, REFUSED),
        ("https://api.example.org:70000", REFUSED, REFUSED),
        ("https://api.example.org:44\u0663", REFUSED, REFUSED),
        ("https://api.exa\r\nmple.org", REFUSED, REFUSED),
        ("https://api.example.org/\r\nHost: 10.0.0.1", REFUSED, REFUSED),
        ("\thttps://api.example.org", REFUSED, REFUSED),
        ("https://", REFUSED, REFUSED),
        ("https:///etc/passwd", REFUSED, REFUSED),
        ("file:///etc/passwd", REFUSED, REFUSED),
        ("gopher://10.0.0.1:70/_GET", REFUSED, REFUSED),
        ("data:text/plain,x", REFUSED, REFUSED),
        ("https://rebinding.example", REFUSED, CALLED),  # one private address; a proxy resolves by itself
        ("https://six.example", REFUSED, CALLED),
        ("https://empty.example", UNKNOWN, CALLED),
        ("http://kubernetes/", CALLED, REFUSED),  # no dot: public by this resolver, private behind a proxy
        ("http://db.corp/", CALLED, REFUSED),
    ],
)
def test_what_happens_to_hostile_addresses(url: str, direct: str, through_a_proxy: str) -> None:
    def outcome(vetting: Callable[[], Target]) -> str:
        try:
            vetting()
        except NameUnresolvedError:
            return UNKNOWN
        except EgressRefusedError:
            return REFUSED
        return CALLED

    assert outcome(lambda: vet(url, resolver=as_the_system_would)) == direct
    assert outcome(lambda: vet_for_proxy(url)) == through_a_proxy


@pytest.mark.parametrize("url", ["http://10.0.0.7:8000/v1", "http://vllm:8000/v1", "http://vllm.corp:8000"])
def test_a_proxy_is_asked_for_a_private_host_that_was_allowed(url: str) -> None:
    host = spelt(url)[1]
    assert vet_for_proxy(url, [f"{host}:8000"]).host == host
    with pytest.raises(EgressRefusedError):
        vet_for_proxy(url, [f"{host}:9000"])


@pytest.mark.parametrize(
    ("no_proxy", "host", "proxied"),
    [
        ((), "api.example.org", True),
        ((), "127.0.0.1", False),
        ((), "::1", False),
        ((), "localhost", False),
        (("*",), "api.example.org", False),
        (("example.org",), "example.org", False),
        ((".example.org",), "api.example.org", False),
        (("example.org",), "api.example.org", False),
        (("example.org",), "badexample.org", True),
        (("API.example.org:443",), "api.example.org", False),
        (("api.example.org:80",), "api.example.org", True),
        (("10.0.0.0/8",), "10.1.2.3", False),
        (("10.0.0.0/8",), "11.1.2.3", True),
        (("not/anetwork", ""), "api.example.org", True),
    ],
)
def test_no_proxy_means_what_it_means_elsewhere(no_proxy: tuple[str, ...], host: str, proxied: bool) -> None:
    egress_ = Egress(proxy="http://proxy.example:3128", no_proxy=no_proxy)
    assert egress_.proxied(host, 443) is proxied
    assert not Egress().proxied(host, 443)
