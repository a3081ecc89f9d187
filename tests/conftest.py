"""One real embedded server for the session, and a fresh migrated database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from panlect.db import embedded
from panlect.db.migrate import migrate
from panlect.db.pool import DEFAULT_ORGANISATION, Database

TEMPLATE = "panlect_template"
_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=1, help="rounds of the kill table, each at a later step")
    parser.addoption("--write-table", metavar="FILE", help="write the kill table into this page")
    parser.addoption("--hostile-full", action="store_true", help="hostile repositories at their full size")
    parser.addoption(
        "--write-prompts", action="store_true", help="write the rendered prompts into tests/samples"
    )
    parser.addoption("--write-garbage-table", action="store_true", help="write docs/models-garbage.md")
    parser.addoption("--write-hostile-table", metavar="FILE", help="write the table of hostile repositories")


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.Server]:
    directory = Path(tempfile.mkdtemp(prefix="panlect-test-"))
    try:
        # Durability is what the server's own tests are about; here it would only cost time.
        server = embedded.start(directory, options={"fsync": "off", "shared_buffers": "64MB"})
        with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE} owner {embedded.LOGIN}")
        with psycopg.connect(server.administrator_url(TEMPLATE), autocommit=True) as connection:
            connection.execute("create extension vector")
        migrate(_url(server, TEMPLATE))
        yield server
    finally:
        root = embedded.postgres_root(directory)
        embedded.stop(directory, "immediate")
        shutil.rmtree(directory)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def database_url(server: embedded.Server) -> Iterator[str]:
    """A migrated database that belongs to this test alone."""
    with _database(server, TEMPLATE) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server: embedded.Server) -> Iterator[str]:
    """A migrated database for tests of one file that leave nothing in it."""
    with _database(server, TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_database_url(server: embedded.Server) -> Iterator[str]:
    """A database with the vector extension and nothing else."""
    with _database(server, "template1") as url:
        with psycopg.connect(server.administrator_url(url.rsplit("/", 1)[1]), autocommit=True) as connection:
            connection.execute("create extension vector")
        yield url


@pytest.fixture
def administrator_url(server: embedded.Server, database_url: str) -> str:
    """The test's database as its superuser sees it: everything, whatever the policies say."""
    return server.administrator_url(database_url.rsplit("/", 1)[1])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def db(database_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    async with Database(database_url, pool_size=12) as database:
        yield database


@dataclass(frozen=True, slots=True)
class Place:
    """A pull request to work on, and where it hangs."""

    connection_id: UUID
    repository_id: UUID
    pull_request_id: UUID


@pytest.fixture
def place(administrator_url: str) -> Place:
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        row = connection.execute(
            """with c as (insert into panlect.forge_connection (organisation_id, kind, base_url)
                          values (%(o)s, 'github', 'https://forge.example') returning id),
                    r as (insert into panlect.repository (organisation_id, connection_id, full_name, clone_url)
                          select %(o)s, id, 'acme/shop', 'https://forge.example/acme/shop.git' from c returning id)
               insert into panlect.pull_request (organisation_id, repository_id, number, base_sha, head_sha)
               select %(o)s, r.id, 7, 'base', 'head1' from r
               returning (select id from c), repository_id, id""",
            {"o": DEFAULT_ORGANISATION},
        ).fetchone()
    assert row is not None
    return Place(*row)


@contextmanager
def _database(server: embedded.Server, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} owner {embedded.LOGIN}")
        yield _url(server, name)
        connection.execute(f"drop database {name} with (force)")


def _url(server: embedded.Server, database: str) -> str:
    return server.url.rsplit("/", 1)[0] + "/" + database


# In CI a test that is skipped is a test that is missing, unless its reason stands here.
ALLOWED_SKIPS = {
    "only root needs another user's server",
    "no llama.cpp here: make test-llm-wire installs it",
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip that nobody allowed into a failure where `CI` is set."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if reason.removeprefix("Skipped: ") not in ALLOWED_SKIPS:
            report.outcome, report.longrepr = "failed", f"{item.nodeid} was skipped in CI: {reason}"
