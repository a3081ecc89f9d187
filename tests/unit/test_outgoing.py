"""The clients: a vetted address and no other, through a proxy or not, trusting the system and one private authority."""

from __future__ import annotations

import base64
import datetime
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from panlect import outgoing
from panlect.egress import Egress
from panlect.errors import ConfigurationError, EgressRefusedError, NameUnresolvedError
from panlect.outgoing import blocking_client, client

pytestmark = pytest.mark.anyio
NAME = "models.example.org"


@dataclass
class Place:
    """A server, and what it was told."""

    port: int
    heard: list[str] = field(default_factory=list)


@dataclass
class Authority:
    """A private authority, and what a server of its shows."""

    ca_file: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("ca")
    root, key = certificate("A private authority", None, None)
    leaf, leaf_key = certificate(NAME, root, key)
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return Authority(folder / "ca.pem", context)


def certificate(
    name: str, issuer: x509.Certificate | None, issuer_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing = issuer_key or key
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(True, False, False, False, False, issuer is None, issuer is None, False, False)
    names = x509.SubjectAlternativeName([x509.DNSName(name if issuer else "ca.invalid")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .sign(signing, hashes.SHA256())
    )
    return made, key


def web(context: ssl.SSLContext | None) -> tuple[ThreadingHTTPServer, Place]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            place.heard.append(f"{self.headers['host']} {self.path}")
            redirected = self.path == "/elsewhere"
            if self.path == "/packed":
                self.send_response(200)
                self.send_header("content-encoding", "gzip")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(302 if redirected else 200)
            if redirected:
                self.send_header("location", "http://127.0.0.1:1/")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    place = Place(server.server_address[1])
    return server, place


class Tunnel(socketserver.BaseRequestHandler):
    """A proxy that knows CONNECT, resolves every name to loopback, and wants a password when it has one."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (block := self.request.recv(4096)):
            head += block
        lines = head.decode().split("\r\n")
        place: Place = self.server.place  # type: ignore[attr-defined]
        place.heard += [line for line in lines if line.startswith(("CONNECT", "proxy-authorization"))]
        wanted = base64.b64encode(b"user:a password").decode()
        if f"Basic {wanted}" not in head.decode():
            self.request.sendall(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")
            return
        port = int(lines[0].split()[1].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as onward:
            self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=copy, args=(onward, self.request))
            back.start()
            copy(self.request, onward)
            back.join()


def copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def secure(authority: Authority) -> Iterator[Place]:
    server, place = web(authority.server)
    yield from served(server, place)


@pytest.fixture
def plain() -> Iterator[Place]:
    server, place = web(None)
    yield from served(server, place)


@pytest.fixture
def proxy() -> Iterator[Place]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    place = Place(server.server_address[1])
    server.place = place  # type: ignore[attr-defined]
    yield from served(server, place)


def served(server: socketserver.BaseServer, place: Place) -> Iterator[Place]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield place
    server.shutdown()
    server.server_close()


def to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_name_is_connected_to_at_its_vetted_address_and_keeps_its_name(plain: Place) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    allow = (f"{NAME}:{plain.port}",)
    async with client(Egress(allow), resolver=resolver) as browser:
        for _ in range(3):
            assert (await browser.get(f"http://{NAME}:{plain.port}/v1")).text == "ok"
    assert plain.heard == [f"{NAME}:{plain.port} /v1"] * 3
    assert asked == [NAME]  # once a connection


async def test_a_host_that_leads_inside_is_refused_before_a_byte_is_sent(plain: Place) -> None:
    async with client(Egress(), resolver=to_loopback) as browser:
        with pytest.raises(EgressRefusedError, match="not a public address"):
            await browser.get(f"http://{NAME}:{plain.port}/")
        with pytest.raises(EgressRefusedError):
            await browser.get(f"http://127.0.0.1:{plain.port}/")
        with pytest.raises(EgressRefusedError, match="without a user"):
            await browser.get(f"http://user@{NAME}:{plain.port}/")
    with blocking_client(Egress(), resolver=to_loopback) as blocking, pytest.raises(EgressRefusedError):
        blocking.get(f"http://{NAME}:{plain.port}/")
    assert plain.heard == []


async def test_a_name_that_does_not_resolve_says_so() -> None:
    async with client(Egress(), resolver=lambda host, port: []) as browser:
        with pytest.raises(NameUnresolvedError):
            await browser.get("https://nowhere.example")


async def test_a_redirect_is_an_answer_and_is_not_followed(plain: Place) -> None:
    url = f"http://127.0.0.1:{plain.port}/elsewhere"
    async with client(Egress((f"127.0.0.1:{plain.port}",))) as browser:
        assert (await browser.get(url)).status_code == 302
    with blocking_client(Egress((f"127.0.0.1:{plain.port}",))) as blocking:
        assert blocking.get(url).status_code == 302


async def test_an_answer_is_neither_packed_nor_endless(plain: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    root = f"http://127.0.0.1:{plain.port}"
    way = Egress((f"127.0.0.1:{plain.port}",))
    async with client(way) as browser:
        with pytest.raises(httpx2.RemoteProtocolError, match="packed"):
            await browser.get(f"{root}/packed")
        monkeypatch.setattr(outgoing, "_MOST_BYTES", 1)
        with pytest.raises(httpx2.ReadError, match="longer than 1 bytes"):
            await browser.get(root)
    with blocking_client(way) as blocking:
        with pytest.raises(httpx2.RemoteProtocolError, match="packed"):
            blocking.get(f"{root}/packed")
        with pytest.raises(httpx2.ReadError, match="longer than 1 bytes"):
            blocking.get(root)


async def test_a_private_authority_is_trusted_only_where_it_was_given(
    secure: Place, authority: Authority
) -> None:
    allow = (NAME,)
    url = f"https://{NAME}:{secure.port}/"
    async with client(Egress(allow, ca_file=authority.ca_file), resolver=to_loopback) as browser:
        assert (await browser.get(url)).text == "ok"
    async with client(Egress(allow), resolver=to_loopback) as browser:
        with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
            await browser.get(url)
    with blocking_client(Egress(allow, ca_file=authority.ca_file), resolver=to_loopback) as blocking:
        assert blocking.get(url).text == "ok"


async def test_a_certificate_of_another_name_is_refused(secure: Place, authority: Authority) -> None:
    way = Egress(("other.example.org",), ca_file=authority.ca_file)
    async with client(way, resolver=to_loopback) as browser:
        with pytest.raises(httpx2.ConnectError, match="Hostname mismatch"):
            await browser.get(f"https://other.example.org:{secure.port}/")


async def test_a_proxy_is_asked_for_the_name_and_the_certificate_is_checked_through_it(
    secure: Place, proxy: Place, authority: Authority
) -> None:
    way = Egress(proxy=f"http://user:a%20password@127.0.0.1:{proxy.port}", ca_file=authority.ca_file)
    url = f"https://{NAME}:{secure.port}/"
    async with client(way, resolver=lambda host, port: []) as browser:
        assert (await browser.get(url)).text == "ok"
    with blocking_client(way, resolver=lambda host, port: []) as blocking:
        assert blocking.get(url).text == "ok"
    assert proxy.heard.count(f"CONNECT {NAME}:{secure.port} HTTP/1.1") == 2
    untrusting = Egress(proxy=way.proxy)
    async with client(untrusting) as browser:
        with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
            await browser.get(url)


async def test_a_proxy_is_not_asked_for_what_is_private(proxy: Place) -> None:
    way = Egress(proxy=f"http://user:a%20password@127.0.0.1:{proxy.port}")
    async with client(way) as browser:
        for url in ("https://10.0.0.7/", "https://vault.internal/", "https://kubernetes/"):
            with pytest.raises(EgressRefusedError):
                await browser.get(url)
    assert proxy.heard == []


async def test_a_proxy_that_refuses_is_a_proxy_error(proxy: Place) -> None:
    async with client(Egress(proxy=f"http://user:wrong@127.0.0.1:{proxy.port}")) as browser:
        with pytest.raises(httpx2.ProxyError, match="407"):
            await browser.get("https://models.example.org/")


async def test_what_is_excepted_from_the_proxy_goes_directly(plain: Place, proxy: Place) -> None:
    way = Egress((NAME,), proxy=f"http://127.0.0.1:{proxy.port}", no_proxy=(".example.org",))
    async with client(way, resolver=to_loopback) as browser:
        assert (await browser.get(f"http://{NAME}:{plain.port}/")).text == "ok"
    assert proxy.heard == []


@pytest.mark.parametrize("address", ["proxy.example:3128", "socks5://proxy.example", "http://", "ftp://x"])
def test_a_wrong_proxy_is_named_without_its_password(address: str) -> None:
    with pytest.raises(ConfigurationError, match="PANLECT_EGRESS_PROXY") as caught:
        client(Egress(proxy=address))
    assert "proxy.example" not in str(caught.value)


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="PANLECT_EGRESS_CA_FILE"):
            client(Egress(ca_file=path))
