"""Settings -> everything else. The only place where objects are built; what needs Ray is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panlect import keyring
from panlect.accounts.keys import issue
from panlect.db import embedded
from panlect.db.migrate import migrate as migrate_database
from panlect.db.pool import DEFAULT_ORGANISATION, Database
from panlect.forge.connections import Connections
from panlect.index import models
from panlect.index.models import Endpoint, ModelSpec
from panlect.index.store import PostgresStore
from panlect.llm.chat import Caller
from panlect.llm.gateway import Gateway
from panlect.llm.local import Wires, local_models
from panlect.llm.nobody import Nobody
from panlect.llm.store import DatabaseTables, KeySource, file_table
from panlect.llm.table import ModelTable
from panlect.metrics import Metrics
from panlect.redact import configure_logging
from panlect.search.hosted import HostedSearch
from panlect.settings import Settings

if TYPE_CHECKING:
    from panlect.index.embed import Embed
    from panlect.llm.chat import Models

SubmitBulk = Callable[..., Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Services:
    """What one process works with. `embedder` and `submit_bulk` are None where there is no Ray."""

    settings: Settings
    db: Database
    keys: keyring.Keyring
    connections: Connections
    metrics: Metrics
    search: HostedSearch
    models: Models
    models_of_file: ModelTable
    embedder: Embed | None = None
    submit_bulk: SubmitBulk | None = None

    @property
    def mirrors(self) -> Path:
        """Where this node keeps its mirrors; they may vanish at any time."""
        return self.settings.data_dir / "mirrors"

    @property
    def public_url(self) -> str:
        """Under which address people reach the pages."""
        return (self.settings.public_url or f"http://{self.settings.host}:{self.settings.port}").rstrip("/")

    async def ping(self) -> None:
        """Raises DatabaseError when the database does not answer."""
        async with self.db.system() as connection:
            await connection.execute("select 1")

    async def close(self) -> None:
        """Give connections back."""
        await asyncio.to_thread(self.search.close)
        await self.models.aclose()
        await self.db.close()


def build(
    settings: Settings,
    *,
    embedder: Embed | None = None,
    gateway: Models | None = None,
    is_gateway: bool = False,
    submit_bulk: SubmitBulk | None = None,
    metrics: Metrics | None = None,
) -> Services:
    """The services of a process; nothing is opened yet. Raises ConfigurationError for what cannot work.

    `gateway` asks the process that holds the providers' keys; `is_gateway`: this one does. Without either nobody is asked.
    """
    url = database_url(settings)
    db = Database(
        url,
        app_url=settings.reveal("app_database_url"),
        system_url=settings.reveal("system_database_url"),
        pool_size=settings.pool_size,
    )
    keys = keyring.load(settings.reveal("secret_key"), settings.data_dir / "secret.key")
    counted = metrics or Metrics()
    connections = Connections(db, keys, allow=settings.egress_allow, metrics=counted)
    search = HostedSearch(db.app_url, embedder, settings.data_dir / "segments")
    file = file_table(settings.models_file)
    asked = gateway_of(settings, db, keys, file) if is_gateway else gateway or Nobody()
    return Services(settings, db, keys, connections, counted, search, asked, file, embedder, submit_bulk)


async def opened(
    settings: Settings,
    *,
    embedder: Embed | None = None,
    gateway: Models | None = None,
    is_gateway: bool = False,
    submit_bulk: SubmitBulk | None = None,
    metrics: Metrics | None = None,
) -> Services:
    """As `build`, with logging set up and the database reached. Raises DatabaseError when it is not there."""
    configure_logging(settings.log_level, as_json=settings.log_json)
    services = await asyncio.to_thread(
        build,
        settings,
        embedder=embedder,
        gateway=gateway,
        is_gateway=is_gateway,
        submit_bulk=submit_bulk,
        metrics=metrics,
    )
    await services.ping()
    return services


def gateway_of(settings: Settings, db: Database, keys: keyring.Keyring, file: ModelTable) -> Gateway:
    """The gateway itself: the process that calls this holds the providers' keys."""
    from panlect.llm.recorder import PostgresLedger

    wires = Wires(settings, file)
    tables = DatabaseTables(db, keys, file, KeySource(settings.provider_keys_dir))
    ledger = PostgresLedger(db, settings.model_bodies_kept_s)
    return Gateway(tables, ledger, wires.of, wires.aclose)


def test_models(name: str, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    """The JSON of `panlect models test`: each model of a role (or of all, or one model) asked for one word."""
    from panlect.llm.probe import SCHEMA_VERSION, probe
    from panlect.settings import load

    models = local_models(load())
    caller = Caller(DEFAULT_ORGANISATION, step="test")

    async def ask() -> list[dict[str, Any]]:
        try:
            names = [name] if "/" in name else await models.named_by(name, caller.organisation_id)
            tested = []
            for done, one in enumerate(names):
                progress("asking", done, len(names))
                tested.append(asdict(await probe(models, caller, one)))
            progress("asking", len(names), len(names))
            return tested
        finally:
            await models.aclose()

    return {"schema_version": SCHEMA_VERSION, "models": asyncio.run(ask())}


def database_url(settings: Settings) -> str:
    """Where Postgres is: what is configured, or the embedded one that runs here."""
    return embedded.locate(settings.reveal("database_url"), settings.data_dir, settings.pg_bindir).url


def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; what was done, in words."""
    done = migrate_database(database_url(settings))
    return [f"applied {name}" for name in done] or ["the schema is up to date"]


def bootstrap(settings: Settings, token: str) -> None:
    """Make `token` an administrator's of the default organisation."""

    async def store() -> None:
        services = build(settings)
        try:
            await issue(services.db, DEFAULT_ORGANISATION, "bootstrap", ("admin",), token)
        finally:
            await services.close()

    asyncio.run(store())


def who_everywhere(name: str, kind: str = "") -> dict[str, Any]:
    """The JSON of `panlect who` over every connected repository of the default organisation."""
    import time

    from panlect.search.who import timed, who_in_organisation
    from panlect.settings import load

    began = time.perf_counter()
    with PostgresStore(database_url(load()), DEFAULT_ORGANISATION) as store:
        return timed(who_in_organisation(store, name, kind), began)


def embedding_spec(settings: Settings) -> ModelSpec:
    """The embedding model that the settings name."""
    return models.named(
        settings.embed_model,
        dimension=settings.embed_dimension,
        query_prompt=settings.embed_query_prompt,
        document_prompt=settings.embed_document_prompt,
    )


def embedding_endpoint(settings: Settings) -> Endpoint:
    """Where models behind an address are asked."""
    return Endpoint(settings.embed_url, settings.reveal("embed_token") or "", settings.egress_allow)
