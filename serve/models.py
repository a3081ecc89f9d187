"""Models over the API: what is configured, keys of providers, a test of each, the record of calls, what they cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response

from panlect.accounts.keys import Principal
from panlect.errors import BadInputError
from panlect.insights.costs import costs, spending
from panlect.llm import recorder, store
from panlect.llm.chat import ROLES, Caller
from panlect.llm.document import above
from panlect.llm.probe import probe
from panlect.llm.table import ModelTable
from panlect.wiring import Services
from serve.auth import Reader, Writer, guard, services
from serve.schemas import (
    BudgetState,
    CostRow,
    ModelBody,
    ModelCallRow,
    ModelKey,
    ModelsState,
    ModelsUpdate,
    ModelTest,
    ModelTested,
    RoleState,
)

router = APIRouter(prefix="/api/v1", tags=["models"])
Administrator = Annotated[Principal, Depends(guard("admin"))]


@router.get("/models")
async def show(request: Request, who: Reader) -> ModelsState:
    """What is configured here and by the operator, who plays which role, and which providers have a key."""
    return await models_state(services(request), who.organisation_id)


@router.put("/models")
async def change(request: Request, who: Administrator, asked: ModelsUpdate) -> ModelsState:
    """Replace this organisation's document that was read as `version`. It holds in every replica two seconds later."""
    built = services(request)
    await store.store_document(
        built.db,
        who.organisation_id,
        asked.document,
        version=asked.version,
        by=who.name,
        file=built.models_of_file,
    )
    return await models_state(built, who.organisation_id)


@router.put("/models/keys/{provider}", status_code=204)
async def put_key(request: Request, who: Administrator, provider: str, asked: ModelKey) -> Response:
    """Store a provider's key, sealed; it is never shown again."""
    built = services(request)
    await store.store_key(built.db, built.keys, who.organisation_id, provider, asked.key.get_secret_value())
    return Response(status_code=204)


@router.delete("/models/keys/{provider}", status_code=204)
async def drop_key(request: Request, who: Administrator, provider: str) -> Response:
    """Forget a provider's key."""
    if not await store.delete_key(services(request).db, who.organisation_id, provider):
        raise HTTPException(404, "This provider has no key here.")
    return Response(status_code=204)


@router.post("/models/test")
async def test(request: Request, who: Writer, asked: ModelTest) -> list[ModelTested]:
    """Ask each model of a role, or one model, for one word: whether it answers, how soon, and at what cost."""
    built = services(request)
    table = await table_of(built, who.organisation_id)
    if "/" not in asked.model and asked.model not in ROLES:
        raise BadInputError(
            f"There is no role {asked.model[:80]!r}.",
            fix=f"Use provider/model, or one of {', '.join(ROLES)}.",
        )
    caller = Caller(who.organisation_id, step="test")
    tested = [await probe(built.models, caller, choice.name) for choice in table.chain(asked.model)]
    return [ModelTested.model_validate(one, from_attributes=True) for one in tested]


@router.get("/model-calls")
async def calls(
    request: Request,
    who: Reader,
    run: Annotated[UUID | None, Query(description="Only the calls of this run")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ModelCallRow]:
    """Every call of a model, the newest first: role, model, tokens, cost, latency, outcome."""
    rows = await recorder.list_calls(services(request).db, who.organisation_id, run_id=run, limit=limit)
    return [ModelCallRow.model_validate(row) for row in rows]


@router.get("/model-calls/{call_id}")
async def call_body(request: Request, who: Administrator, call_id: UUID) -> ModelBody:
    """What was asked and answered in one call, while that is kept."""
    found = await recorder.find_body(services(request).db, who.organisation_id, call_id)
    if found is None:
        raise HTTPException(404, "There is no such call, or what was said in it is not kept any more.")
    return ModelBody(
        role=found.role,
        provider=found.provider,
        model=found.model,
        outcome=found.outcome,
        messages=[{"role": m.role, "content": m.content} for m in found.request.messages],
        answer=found.answer.content,
        finish_reason=found.answer.finish_reason,
    )


@router.get("/costs")
async def cost_rows(
    request: Request,
    who: Reader,
    by: Annotated[str, Query(description="role, model, repository, pull_request, day or outcome")] = "role",
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> list[CostRow]:
    """What models cost and how long they took, summed by one thing over the last days."""
    since = datetime.now(UTC) - timedelta(days=days)
    rows = await costs(services(request).db, who.organisation_id, by, since=since)
    return [CostRow.model_validate(row) for row in rows]


@router.get("/budgets")
async def budgets(request: Request, who: Reader) -> list[BudgetState]:
    """Every budget that bounded a call in its present period: spent, promised, and when it will be gone."""
    built = services(request)
    table = await table_of(built, who.organisation_id)
    found = await spending(built.db, who.organisation_id, table.budgets)
    return [BudgetState.model_validate(one, from_attributes=True) for one in found]


async def models_state(built: Services, organisation_id: UUID) -> ModelsState:
    """What GET /api/v1/models answers and the page of settings shows."""
    document, version = await store.find_document(built.db, organisation_id)
    table = above(built.models_of_file, document)
    roles = {
        role: RoleState(
            chain=[choice.name for choice in table.chain(role)],
            named=role in table.roles,
            degrade_to=table.role(role).degrade_to,
            timeout_s=table.role(role).timeout_s,
            max_tokens=table.role(role).max_tokens,
            cache=table.role(role).cache,
        )
        for role in ROLES
    }
    return ModelsState(
        version=version,
        document=dict(document),
        operator={
            name: sorted(getattr(built.models_of_file, name)) for name in ("providers", "models", "roles")
        },
        roles=roles,
        keys=await store.key_names(built.db, organisation_id),
    )


async def table_of(built: Services, organisation_id: UUID) -> ModelTable:
    """What an organisation has configured, as it stands in the database now."""
    document, _ = await store.find_document(built.db, organisation_id)
    return above(built.models_of_file, document)
