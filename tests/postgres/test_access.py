"""Tokens over a real database: revoked, expired, of another organisation; and signing in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from panlect.accounts.keys import issue, new_token
from panlect.db.pool import DEFAULT_ORGANISATION, Database
from panlect.wiring import Services
from serve.app import edge

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

PAGES = ("/reviews", "/repos")
LISTS = ("/api/v1/repositories", "/api/v1/reviews", "/api/v1/runs")


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = edge(cast(Services, SimpleNamespace(db=db, public_url="https://panlect.example")))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://panlect.example") as found:
        yield found


@pytest.fixture
async def token(db: Database) -> str:
    """A reader of the default organisation."""
    return await issued(db, DEFAULT_ORGANISATION, "read")


async def issued(db: Database, organisation: UUID, scope: str) -> str:
    token = new_token()
    await issue(db, organisation, f"test {scope}", (scope,), token)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def other_organisation(administrator_url: str) -> UUID:
    organisation = uuid4()
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            "insert into panlect.organisation (id, slug, name) values (%s, 'other', 'Other')", [organisation]
        )
    return organisation


@pytest.fixture
def review_id(place: Any, administrator_url: str) -> UUID:
    """A stored review of the default organisation."""
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        row = connection.execute(
            """with r as (insert into panlect.run (organisation_id, kind, cause, repository_id, pull_request_id, head_sha)
                          values (%(o)s, 'review', 'test', %(r)s, %(p)s, 'head1') returning id)
               insert into panlect.review (organisation_id, repository_id, pull_request_id, run_id, head_sha, base_sha,
                                           cause, verdict, reason, model)
               select %(o)s, %(r)s, %(p)s, r.id, 'head1', 'base', 'test', 'REVIEWED', 'SECRET WORDS', 'none' from r
               returning id""",
            {"o": DEFAULT_ORGANISATION, "r": place.repository_id, "p": place.pull_request_id},
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def test_a_token_sees_what_is_its_organisations(
    client: httpx2.AsyncClient, token: str, review_id: UUID
) -> None:
    for path in LISTS:
        assert len((await client.get(path, headers=bearer(token))).json()) == 1
    seen = await client.get(f"/api/v1/reviews/{review_id}", headers=bearer(token))
    assert seen.json()["reason"] == "SECRET WORDS"


async def test_a_token_of_another_organisation_sees_nothing(
    client: httpx2.AsyncClient, db: Database, other_organisation: UUID, review_id: UUID, place: Any
) -> None:
    stranger = bearer(await issued(db, other_organisation, "admin"))
    for path in LISTS:
        assert (await client.get(path, headers=stranger)).json() == []
    for path in (
        f"/api/v1/reviews/{review_id}",
        f"/api/v1/reviews/{review_id}/trace",
        f"/reviews/{review_id}",
    ):
        answer = await client.get(path, headers=stranger)
        assert answer.status_code == 404, path
        assert "SECRET WORDS" not in answer.text
    for path in PAGES:
        page = await client.get(path, headers={**stranger, "accept": "text/html"})
        assert page.status_code == 200
        assert "acme/shop" not in page.text


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
async def test_a_token_that_was_revoked_or_expired_is_401(
    client: httpx2.AsyncClient, token: str, administrator_url: str, column: str
) -> None:
    assert (await client.get("/api/v1/reviews", headers=bearer(token))).status_code == 200
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(f"update panlect.api_token set {column} = now() - interval '1 second'")
    assert (await client.get("/api/v1/reviews", headers=bearer(token))).status_code == 401


async def test_an_unknown_token_is_401(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/reviews", headers=bearer(new_token()))).status_code == 401


async def test_a_reader_may_not_write(client: httpx2.AsyncClient, token: str) -> None:
    asked = {"base_url": "https://host.example", "full_name": "acme/shop", "token": "12345678"}
    answer = await client.post("/api/v1/repositories", json=asked, headers=bearer(token))
    assert answer.status_code == 401
    assert "'write'" in answer.json()["error"]


async def test_a_token_is_kept_as_a_hash_alone(token: str, administrator_url: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute("select api_token::text from panlect.api_token").fetchall()
    assert rows
    assert all(token not in str(row) and token[8:40] not in str(row) for row in rows)


async def test_signing_in_sets_a_cookie_that_opens_the_pages_and_signing_out_takes_it_back(
    client: httpx2.AsyncClient, token: str
) -> None:
    answer = await client.post("/auth/sign-in", data={"token": f" {token}\n", "to": "/repos"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/repos")
    cookie = answer.headers["set-cookie"].lower()
    for attribute in ("httponly", "samesite=lax", "secure", "max-age=43200"):
        assert attribute in cookie
    for path in PAGES:
        assert (await client.get(path, headers={"accept": "text/html"})).status_code == 200
    assert (await client.post("/auth/sign-out")).status_code == 303
    assert (await client.get("/repos", headers={"accept": "text/html"})).status_code == 303


async def test_a_wrong_token_leads_back_to_the_form_which_says_so(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/auth/sign-in", data={"token": new_token(), "to": "/repos"})
    page = await client.get(answer.headers["location"])
    assert page.status_code == 401
    assert "This token is not known" in page.text
    assert 'value="/repos"' in page.text
    assert "set-cookie" not in answer.headers


async def test_a_cookie_alone_may_not_change_anything_from_another_site(
    client: httpx2.AsyncClient, db: Database
) -> None:
    writer = await issued(db, DEFAULT_ORGANISATION, "write")
    headers = {"cookie": f"panlect_token={writer}", "sec-fetch-site": "cross-site"}
    asked = {"base_url": "https://host.example", "full_name": "acme/shop", "token": "12345678"}
    answer = await client.post("/api/v1/repositories", json=asked, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "This form came from another site.")


async def test_the_verdict_of_a_commit_is_that_commits_alone(
    client: httpx2.AsyncClient, token: str, place: Any, administrator_url: str
) -> None:
    head, other = "a" * 40, "b" * 40
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        values = {"o": DEFAULT_ORGANISATION, "r": place.repository_id, "p": place.pull_request_id, "h": head}
        run = connection.execute(
            "insert into panlect.run (organisation_id, kind, cause, repository_id, pull_request_id, head_sha)"
            " values (%(o)s, 'review', 'test', %(r)s, %(p)s, %(h)s) returning id",
            values,
        ).fetchone()
        assert run is not None

        async def asked(sha: str, repo: str = "acme/shop") -> httpx2.Response:
            return await client.get(f"/api/v1/verdict?repo={repo}&sha={sha}", headers=bearer(token))

        assert (await asked(head)).json()["verdict"] == "RUNNING"
        assert (await asked(head)).json()["conclusion"] is None
        assert (await asked(other)).status_code == 404
        assert (await asked(head, "acme/nothing")).status_code == 404
        assert (await asked(head[:8])).status_code == 422
        connection.execute(
            "insert into panlect.review (organisation_id, repository_id, pull_request_id, run_id, head_sha, base_sha,"
            " cause, verdict, reason, model) values (%(o)s, %(r)s, %(p)s, %(n)s, %(h)s, 'base', 'test', 'PARTIAL',"
            " '1 of 2 hunks read', 'none')",
            {**values, "n": run[0]},
        )
        said = (await asked(head, str(place.repository_id))).json()
    assert (said["verdict"], said["conclusion"], said["posted"]) == ("PARTIAL", "neutral", False)
    assert (await asked(other)).status_code == 404
