"""No route without a guard, no answer without its headers, no way to another site: without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from panlect.accounts.keys import SCOPES, Principal, new_token
from panlect.errors import BadInputError, DatabaseError, ForgeError, PanlectError
from panlect.wiring import Services
from serve.app import edge, gateway
from serve.pages import SECURITY_HEADERS

pytestmark = pytest.mark.anyio

# Whoever may come: a code host proves itself by its signature, a probe learns only "alive" or "ready".
OPEN = {
    ("POST", "/webhook/github"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/auth/sign-in"),
    ("POST", "/auth/sign-in"),
    ("POST", "/auth/sign-out"),
    ("GET", "/static"),
}
# The machine-readable description of the routes; it holds nothing that this repository does not.
DESCRIPTION = {("GET", "/api/openapi.json")}


class NoDatabase:
    """A database that is away."""

    async def call_system(self, *_: Any) -> Any:
        raise DatabaseError("Postgres does not answer.", fix="Start it.")


@pytest.fixture
def services() -> Services:
    return cast(Services, SimpleNamespace(db=NoDatabase()))


@pytest.fixture
async def browser(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(edge(services), accept="text/html") as found:
        yield found


@pytest.fixture
async def program(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(edge(services), accept="application/json") as found:
        yield found


def client(app: FastAPI, accept: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(
        transport=transport, base_url="https://panlect.example", headers={"accept": accept}
    )


def guards(app: FastAPI) -> Iterator[tuple[str, str, list[str]]]:
    """(method, path, scopes that the route asks for) of every route."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        scopes = [scope for call in calls(dependant) if (scope := getattr(call, "scope", ""))]
        for method in (getattr(route, "methods", None) or {"GET"}) - {"HEAD"}:
            yield method, str(getattr(route, "path", "")), scopes


def calls(dependant: Dependant | None) -> Iterator[Any]:
    for inner in dependant.dependencies if dependant else ():
        yield inner.call
        yield from calls(inner)


def test_every_route_asks_for_a_scope_but_those_that_are_open_on_purpose() -> None:
    app = edge(cast(Services, None))
    unguarded = {(method, path) for method, path, scopes in guards(app) if not scopes}
    assert unguarded - DESCRIPTION == OPEN
    assert {scope for _, _, scopes in guards(app) for scope in scopes} <= set(SCOPES)


def test_every_route_of_the_gateway_asks_for_a_scope() -> None:
    found = list(guards(gateway(cast(Services, None))))
    assert found
    assert all(scopes for _, _, scopes in found)


def test_what_changes_something_asks_for_more_than_reading() -> None:
    changing = [
        (method, path, scopes)
        for method, path, scopes in guards(edge(cast(Services, None)))
        if method not in ("GET", "HEAD") and (method, path) not in OPEN
    ]
    assert changing
    assert all("read" not in scopes for _, _, scopes in changing)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        f"Bearer panlect_{'a' * 43}00000000",
        f"Bearer {new_token()[:-1]}",
        f"Bearer {new_token()} {new_token()}",
        "Basic cGFubGVjdDp4",
        "Bearer panlect_' or 1=1 --",
        f"Bearer {'x' * 10_000}",
    ],
)
async def test_a_missing_or_malformed_token_is_401_without_asking_the_database(
    program: httpx2.AsyncClient, authorization: str
) -> None:
    answer = await program.get("/api/v1/reviews", headers={"authorization": authorization})
    assert answer.status_code == 401
    assert answer.json()["fix"].startswith("Sign in")


async def test_a_browser_without_a_token_is_led_to_sign_in_and_back(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/reviews")
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/sign-in?to=/reviews")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/reviews\r\nset-cookie: a=b",
        "",
        "http:evil.example",
        "/\x00/evil.example",
    ],
)
async def test_sign_in_leads_nowhere_else(browser: httpx2.AsyncClient, target: str) -> None:
    page = await browser.get("/auth/sign-in", params={"to": target})
    assert page.status_code == 200
    wrong = await browser.post("/auth/sign-in", data={"token": "guess", "to": target})
    assert wrong.status_code == 303
    assert as_a_browser_goes(wrong.headers["location"]) == "panlect.example"
    (back,) = parse_qs(urlsplit(wrong.headers["location"]).query)["to"]
    assert as_a_browser_goes(back) == "panlect.example"
    assert "set-cookie" not in wrong.headers


def as_a_browser_goes(location: str) -> str:
    """The host that a browser ends up at: it drops tabs and line ends, and reads \\ as /."""
    seen = location.translate({9: None, 10: None, 13: None, ord("\\"): "/"})
    return urlsplit(urljoin("https://panlect.example/auth/sign-in", seen)).netloc


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://panlect.example.evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/sign-out", "/api/v1/repositories"])
async def test_a_form_of_another_site_is_refused(
    program: httpx2.AsyncClient, headers: dict[str, str], path: str
) -> None:
    cookie = f"panlect_token={new_token()}"
    answer = await program.post(path, headers={**headers, "cookie": cookie}, data={"token": "x"})
    assert answer.status_code == 401
    assert "another site" in answer.json()["error"]


async def test_another_kind_of_authorization_does_not_make_a_cookie_trusted(
    program: httpx2.AsyncClient,
) -> None:
    headers = {
        "authorization": "Basic eDp5",
        "cookie": f"panlect_token={new_token()}",
        "sec-fetch-site": "cross-site",
    }
    answer = await program.post("/api/v1/repositories", headers=headers, json={})
    assert (answer.status_code, answer.json()["error"]) == (401, "This form came from another site.")


async def test_a_large_or_unannounced_body_is_refused_before_it_is_read(program: httpx2.AsyncClient) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        yield b"{}"

    for path in ("/api/v1/repositories", "/auth/sign-in"):
        for content in (b" " * (2 * 1024 * 1024), unannounced()):
            answer = await program.post(path, content=content)
            assert (answer.status_code, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("path", ["/auth/sign-in", "/healthz", "/api/v1/reviews", "/nowhere"])
async def test_every_answer_carries_the_security_headers(browser: httpx2.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    for name in ("x-content-type-options", "referrer-policy", "cache-control"):
        assert answer.headers[name] == SECURITY_HEADERS[name]


async def test_pages_may_run_nothing_but_our_own(browser: httpx2.AsyncClient) -> None:
    for path in ("/auth/sign-in", "/nowhere"):
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "<script" not in page.text


async def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(
    browser: httpx2.AsyncClient, program: httpx2.AsyncClient
) -> None:
    page, answer = await browser.get("/nowhere"), await program.get("/nowhere")
    assert (page.status_code, answer.status_code) == (404, 404)
    assert page.text.startswith("<!doctype html>")
    assert answer.json() == {"error": "Not Found", "why": "", "fix": ""}


async def test_a_database_that_is_away_is_503_with_a_time_to_come_back(program: httpx2.AsyncClient) -> None:
    bearer = {"authorization": f"Bearer {new_token()}"}
    answer = await program.get("/api/v1/reviews", headers=bearer)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"] == "Postgres does not answer."


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInputError("What <b>was</b> asked.", fix="Ask otherwise."), 400),
        (DatabaseError("Away."), 503),
        (ForgeError("Refused.", status=403), 502),
        (PanlectError("Ours."), 500),
    ],
)
async def test_an_error_a_person_can_act_on_has_its_status_and_is_escaped(
    services: Services, error: PanlectError, status: int
) -> None:
    app = edge(services)

    @app.get("/fails")
    async def fails() -> None:
        raise error

    async with client(app, "text/html") as people, client(app, "application/json") as programs:
        page, answer = await people.get("/fails"), await programs.get("/fails")
    assert (page.status_code, answer.status_code) == (status, status)
    assert answer.json() == {"error": error.what, "why": error.why, "fix": error.fix}
    assert "<b>was</b>" not in page.text


async def test_an_invalid_request_names_the_field_and_does_not_repeat_what_was_sent(
    services: Services,
) -> None:
    app = edge(services)
    everybody = Principal(cast(Any, "o"), cast(Any, "t"), "test", frozenset({"admin"}))
    for route in iter_route_contexts(app.routes):
        for call in calls(getattr(route, "dependant", None)):
            app.dependency_overrides[call] = lambda: everybody
    secret = "s3cret"  # too short to be a token
    async with client(app, "application/json") as programs:
        answer = await programs.post(
            "/api/v1/repositories", json={"base_url": "x", "full_name": "../../x", "token": secret, "more": 1}
        )
    assert answer.status_code == 422
    assert {wrong["field"] for wrong in answer.json()["why"]} == {"full_name", "token", "more"}
    assert secret not in answer.text


@pytest.mark.parametrize("headers", [{"content-length": "3000000"}, {"transfer-encoding": "chunked"}])
@pytest.mark.parametrize("path", ["/auth/sign-in", "/api/v1/repositories"])
async def test_a_body_without_a_bound_is_refused_before_its_route_is_asked(
    program: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await program.post(path, headers=headers, content=b"{}")
    assert answer.status_code == 413
