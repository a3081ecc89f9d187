"""Models over API and pages on a real database: documents, sealed keys, tests, the record, costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import psycopg
import pytest

from panlect import keyring
from panlect.accounts.keys import issue, new_token
from panlect.db.pool import DEFAULT_ORGANISATION, Database
from panlect.errors import ConfigurationError
from panlect.llm.chat import Caller, ChatRequest, Message
from panlect.llm.document import layered, parse
from panlect.llm.gateway import Gateway
from panlect.llm.recorder import PostgresLedger
from panlect.llm.store import DatabaseTables, KeySource
from panlect.llm.table import ModelTable
from panlect.wiring import Services
from serve.app import edge
from tests.conftest import Place
from tests.unit.llm.upstream_double import Double

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
KEY = "sk-" + "k" * 40
OPERATORS = layered(
    ModelTable(),
    parse(
        {
            "providers": {"house": {"kind": "openai", "key": "HOUSE_KEY"}},
            "roles": {"review": ["house/gpt-5"]},
            "budgets": [{"scope": "organisation", "period": "month", "limit_usd": 5}],
        },
        shared=True,
    ),
)
DOCUMENT = {
    "providers": {
        "local": {"kind": "compatible", "url": "http://llm.example/v1"},
        "ours": {"kind": "openai"},
    },
    "roles": {"ask": {"chain": ["local/ok"]}, "summarize": ["ours/gpt-5-mini"]},
}


class Panlect:
    """One application with its gateway over a double of every provider."""

    def __init__(self, db: Database, tokens: dict[str, str]) -> None:
        self.double = Double()
        keys = keyring.parse(keyring.new_key())
        source = KeySource(None, {"HOUSE_KEY": "house-secret"})
        self.tables = DatabaseTables(db, keys, OPERATORS, source)
        models = Gateway(self.tables, PostgresLedger(db, 3600), lambda _: self.double, self.double.aclose)
        built = SimpleNamespace(
            db=db, keys=keys, models=models, models_of_file=OPERATORS, public_url="https://panlect.example"
        )
        self.models = models
        transport = httpx2.ASGITransport(edge(cast(Services, built)), raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="https://panlect.example")
        self.tokens = tokens

    async def call(self, method: str, path: str, body: Any = None, scope: str = "admin") -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.tokens[scope]}"}
        return await self.client.request(method, f"/api/v1/{path}", json=body, headers=headers)

    async def form(self, path: str, **fields: object) -> str:
        """What the page says after a form was sent."""
        headers = {"authorization": f"Bearer {self.tokens['admin']}", "accept": "text/html"}
        answer = await self.client.post(f"/settings/models/{path}", data=fields, headers=headers)
        assert answer.status_code == 303, answer.text
        return str((await self.client.get(answer.headers["location"], headers=headers)).text)


@pytest.fixture
async def panlect(db: Database) -> AsyncIterator[Panlect]:
    tokens = {scope: new_token() for scope in ("read", "write", "admin")}
    for scope, token in tokens.items():
        await issue(db, DEFAULT_ORGANISATION, f"test {scope}", (scope,), token)
    made = Panlect(db, tokens)
    async with made.client:
        yield made


async def test_a_document_is_layered_on_the_operators_file(panlect: Panlect) -> None:
    before = (await panlect.call("GET", "models", scope="read")).json()
    assert (before["version"], before["roles"]["review"]["chain"]) == (0, ["house/gpt-5"])
    after = (await panlect.call("PUT", "models", {"version": 0, "document": DOCUMENT})).json()
    assert after["version"] == 1
    chains = {role: state["chain"] for role, state in after["roles"].items() if state["named"]}
    assert chains == {"review": ["house/gpt-5"], "ask": ["local/ok"], "summarize": ["ours/gpt-5-mini"]}
    assert await panlect.models.named("ask", DEFAULT_ORGANISATION) == "local/ok"


async def test_two_who_edit_at_once_do_not_undo_each_other(panlect: Panlect) -> None:
    first, second = [
        await panlect.call("PUT", "models", {"version": 0, "document": DOCUMENT}) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (200, 400)
    assert "changed meanwhile" in second.json()["error"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"roles": {"reviewer": ["house/x"]}}, "There is no role 'reviewer'"),
        ({"roles": {"review": ["nobody/x"]}}, "There is no model 'nobody/x'"),
        ({"roles": {"review": ["role:ask"], "ask": ["role:review"]}}, "go in a circle"),
        ({"providrs": {}}, "Unknown 'providrs'"),
        ({"providers": {"x": {"kind": "compatible"}}}, "needs an address"),
        ({"providers": {"x": {"kind": "openai", "key": "HOUSE_KEY"}}}, "names a key of the operator"),
        ({"models": {"house/gpt-5": {"input_usd": 0}}}, "is a model of the operator's provider"),
        ({"budgets": [{"scope": "galaxy", "limit_usd": 1}]}, "budgets.0.scope"),
        ({"budgets": [{"scope": "organisation", "limit_usd": -1}]}, "the budget of each organisation is -1"),
        ({"models": {"x/m": {"input_usd": -1}}}, "input_usd of models.x/m is -1"),
        ({"providers": {"x": {"kind": "compatible", "url": "http://a/v1", "gpu_usd_per_hour": -5}}}, "gpu_usd_per_hour"),
        ({"providers": {"x": {"kind": "compatible", "url": "ftp://a"}}}, "is no address"),
        ({"providers": {"x": {"kind": "compatible", "url": "https://a/v1?key=sk-1"}}}, "has a query"),
        ({"roles": {"review": {"chain": ["house/x"], "timeout_s": 0.001}}}, "timeout_s of roles.review"),
        ({"roles": {"review": {"chain": ["house/x"], "max_tokens": 0}}}, "max_tokens of roles.review"),
        ({"roles": {"review": ["role:nope"]}}, "There is no role 'nope'"),
        ({"roles": {"review": ["house/x\u0000"]}}, "holds a NUL"),
        ({"roles": {"review": {"chain": ["house/x"], "degrade_to": "review"}}}, "cannot degrade"),
        ({"providers": {"X Y": {"kind": "openai"}}}, "is no provider's name"),
    ],
)  # fmt: skip
async def test_a_document_that_cannot_work_is_refused_with_the_place(
    panlect: Panlect, document: Any, says: str
) -> None:
    answer = await panlect.call("PUT", "models", {"version": 0, "document": document})
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert (await panlect.call("GET", "models")).json()["version"] == 0


async def test_a_key_is_sealed_opened_by_the_gateway_alone_and_shown_to_nobody(
    panlect: Panlect, administrator_url: str
) -> None:
    await panlect.call("PUT", "models", {"version": 0, "document": DOCUMENT})
    assert (await panlect.call("PUT", "models/keys/ours", {"key": KEY})).status_code == 204
    shown = await panlect.call("GET", "models")
    assert shown.json()["keys"] == ["ours"]
    assert KEY not in shown.text
    with psycopg.connect(administrator_url) as connection:
        for table in ("model_key", "model_settings", "history_event"):
            rows = connection.execute(f"select t::text from panlect.{table} t").fetchall()
            assert KEY not in str(rows) and KEY.encode().hex() not in str(rows)
    request = ChatRequest("summarize", (Message("user", "x"),), max_tokens=5)
    await panlect.models.chat(request, Caller(DEFAULT_ORGANISATION))
    assert panlect.double.targets[-1].key == KEY
    assert KEY not in repr(panlect.double.targets)
    assert (await panlect.call("DELETE", "models/keys/ours")).status_code == 204
    assert (await panlect.call("DELETE", "models/keys/ours")).status_code == 404


async def test_a_key_needs_a_provider_and_a_test_a_role(panlect: Panlect) -> None:
    for name in ("nobody", "%00"):
        answer = await panlect.call("PUT", f"models/keys/{name}", {"key": KEY})
        assert (answer.status_code, "no provider" in answer.json()["error"]) == (400, True)
    answer = await panlect.call("POST", "models/test", {"model": "nosuch"})
    assert (answer.status_code, "no role 'nosuch'" in answer.json()["error"]) == (400, True)


async def test_readers_see_names_of_the_operator_and_no_more(panlect: Panlect) -> None:
    shown = (await panlect.call("GET", "models", scope="read")).text
    assert "house" in shown and "HOUSE_KEY" not in shown


async def test_only_administrators_change_models_and_read_what_was_said(panlect: Panlect) -> None:
    for method, path, body in (
        ("PUT", "models", {"version": 0, "document": {}}),
        ("PUT", "models/keys/ours", {"key": KEY}),
        ("DELETE", "models/keys/ours", None),
        ("GET", "model-calls/00000000-0000-0000-0000-000000000000", None),
    ):
        assert (await panlect.call(method, path, body, scope="write")).status_code == 401


async def test_a_test_asks_each_model_of_the_chain(panlect: Panlect) -> None:
    document = {**DOCUMENT, "roles": {"ask": ["local/500", "local/ok"]}}
    await panlect.call("PUT", "models", {"version": 0, "document": document})
    tested = (await panlect.call("POST", "models/test", {"model": "ask"}, scope="write")).json()
    assert [(one["model"], one["ok"]) for one in tested] == [("local/500", False), ("local/ok", True)]
    assert tested[1]["said"] == "from ok"
    assert "500!" in tested[0]["error"]


async def test_calls_and_costs_can_be_looked_up(panlect: Panlect, place: Place) -> None:
    await panlect.call("PUT", "models", {"version": 0, "document": DOCUMENT})
    caller = Caller(DEFAULT_ORGANISATION, place.repository_id, place.pull_request_id)
    asked = ChatRequest("ask", (Message("user", "what is this?"),), max_tokens=5)
    answer = await panlect.models.chat(asked, caller)
    (row,) = (await panlect.call("GET", "model-calls", scope="read")).json()
    assert (row["id"], row["role"], row["outcome"]) == (str(answer.call_id), "ask", "ok")
    said = (await panlect.call("GET", f"model-calls/{row['id']}")).json()
    assert (said["messages"][0]["content"], said["answer"]) == ("what is this?", "from ok")
    (cost,) = (await panlect.call("GET", "costs?by=pull_request", scope="read")).json()
    assert (cost["about"], cost["calls"]) == ("acme/shop#7", 1)


async def test_the_pages_set_everything_without_a_script(panlect: Panlect) -> None:
    page = await panlect.form(
        "providers", name="local", kind="compatible", url="http://llm.example/v1", version=0, key=KEY
    )
    assert "local is saved." in page and KEY not in page
    page = await panlect.form("roles", version=1, ask="local/ok, local/500", review="")
    assert "The roles are saved." in page
    page = await panlect.form("budgets", version=2, scope="repository", period="month", limit_usd="2.50")
    assert "$2.50" in page
    page = await panlect.form("test", model="ask")
    assert "local/500: No model" in page
    page = await panlect.form("budgets", version=2, scope="repository", period="month", limit_usd="9")
    assert "Somebody changed the models meanwhile" in page
    page = await panlect.form("document", version=3, document="{")
    assert "This is no JSON" in page
    page = await panlect.form("roles", version=3, ask="<script>alert(1)</script>/x")
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    state = (await panlect.call("GET", "models")).json()
    assert state["document"]["roles"] == {"ask": {"chain": ["local/ok", "local/500"]}}
    headers = {"authorization": f"Bearer {panlect.tokens['read']}", "accept": "text/html"}
    costs = await panlect.client.get("/costs", headers=headers)
    assert "without an answer" in costs.text or "$0.00" in costs.text


async def test_a_reader_sees_models_and_cannot_change_them(panlect: Panlect) -> None:
    headers = {"authorization": f"Bearer {panlect.tokens['read']}", "accept": "text/html"}
    page = await panlect.client.get("/settings/models", headers=headers)
    assert page.status_code == 200
    assert "Save roles" not in page.text
    answer = await panlect.client.post("/settings/models/roles", data={"version": 0}, headers=headers)
    assert answer.status_code == 401


async def test_the_operators_key_goes_to_the_operators_provider_only(panlect: Panlect) -> None:
    caller = Caller(DEFAULT_ORGANISATION)
    await panlect.models.chat(ChatRequest("house/gpt-5", (Message("user", "x"),), max_tokens=5), caller)
    assert panlect.double.targets[-1].key == "house-secret"
    await panlect.call(
        "PUT", "models", {"version": 0, "document": {"providers": {"house": {"kind": "openai"}}}}
    )
    panlect.tables._known.clear()  # two seconds later
    with pytest.raises(ConfigurationError, match="Provider house has no key"):
        await panlect.models.chat(ChatRequest("house/gpt-5", (Message("user", "x"),), max_tokens=5), caller)
