"""Pages of models and costs: who plays which role, what it may cost, what it did cost; all work without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from panlect.accounts.keys import Principal
from panlect.errors import BadInputError, PanlectError
from panlect.insights.costs import BY, costs, spending
from panlect.llm import store
from panlect.llm.chat import ROLES, Caller
from panlect.llm.document import above
from panlect.llm.probe import probe
from panlect.llm.table import KINDS
from panlect.wiring import Services
from serve.auth import Reader, services
from serve.models import Administrator, models_state, table_of
from serve.pages import page

router = APIRouter(include_in_schema=False)
HERE = "/settings/models"
_MEANT = {
    "review": "reads each change and proposes findings",
    "review-deep": "the same for risky changes; goes on as review when its budget is spent",
    "verify": "tries to refute each finding before it is posted",
    "triage": "decides how deep to look",
    "summarize": "says what files and directories are about, once for each content",
    "ask": "answers questions over the code",
    "reply": "answers comments on a review",
    "embed": "turns code and questions into vectors",
    "memory": "drafts rules from feedback",
}


@router.get(HERE)
async def models_page(request: Request, who: Reader, said: str = "", wrong: str = "") -> Response:
    """Who plays which role, with what keys, within which budgets."""
    built = services(request)
    state = await models_state(built, who.organisation_id)
    table = above(built.models_of_file, state.document)
    found = await spending(built.db, who.organisation_id, table.budgets)
    return page(
        "models.html",
        here="models",
        state=state,
        meant=_MEANT,
        kinds=KINDS,
        providers=table.providers,
        budgets=table.budgets,
        own_budgets=state.document.get("budgets", []),
        spent=found,
        document=json.dumps(state.document, indent=2, ensure_ascii=False),
        may_change=who.may("admin"),
        said=said[:500],
        wrong=wrong[:1000],
    )


@router.post(f"{HERE}/roles")
async def save_roles(request: Request, who: Administrator) -> Response:
    """The chains as they were typed; an empty one takes the role back to the default."""
    form = await request.form()

    def changed(document: dict[str, Any]) -> None:
        roles: dict[str, Any] = dict(document.get("roles", {}))
        for role in ROLES:
            chain = [part.strip() for part in str(form.get(role, "")).split(",") if part.strip()]
            before = roles.pop(role, {})
            kept = before if isinstance(before, Mapping) else {}
            if chain:
                roles[role] = {**kept, "chain": chain}
        document["roles"] = roles

    return await _changed(
        services(request), who, changed, "The roles are saved.", _version(form.get("version"))
    )


@router.post(f"{HERE}/providers")
async def save_provider(
    request: Request,
    who: Administrator,
    name: Annotated[str, Form(max_length=63)],
    kind: Annotated[str, Form(max_length=20)],
    version: Annotated[int, Form()],
    url: Annotated[str, Form(max_length=500)] = "",
    region: Annotated[str, Form(max_length=50)] = "",
    key: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Add or change a provider, with its key when one was typed."""
    built = services(request)
    row = {"kind": kind, "url": url.strip(), "region": region.strip()}

    def changed(document: dict[str, Any]) -> None:
        providers = dict(document.get("providers", {}))
        providers[name] = {
            **providers.get(name, {}),
            **{field: value for field, value in row.items() if value},
        }
        document["providers"] = providers

    async def keep_key() -> None:
        if key.strip():
            await store.store_key(built.db, built.keys, who.organisation_id, name, key)

    return await _changed(built, who, changed, f"{name} is saved.", version, then=keep_key)


@router.post(f"{HERE}/budgets")
async def save_budget(
    request: Request,
    who: Administrator,
    scope: Annotated[str, Form(max_length=20)],
    period: Annotated[str, Form(max_length=10)],
    version: Annotated[int, Form()],
    limit_usd: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Set a limit; an empty one takes it away."""

    def changed(document: dict[str, Any]) -> None:
        kept = [
            one
            for one in document.get("budgets", [])
            if (one.get("scope"), one.get("period", "total")) != (scope, period)
        ]
        if limit_usd.strip():
            try:
                kept.append({"scope": scope, "period": period, "limit_usd": float(limit_usd)})
            except ValueError:
                raise BadInputError("This is no amount.", fix="Write dollars as 12.50.") from None
        document["budgets"] = kept

    return await _changed(services(request), who, changed, "The budget is saved.", version)


@router.post(f"{HERE}/document")
async def save_document(
    request: Request,
    who: Administrator,
    document: Annotated[str, Form(max_length=200_000)],
    version: Annotated[int, Form()],
) -> Response:
    """The whole document as JSON, for what the forms do not offer."""
    try:
        written = json.loads(document)
    except (ValueError, RecursionError) as error:
        return _back(wrong=f"This is no JSON: {error}")
    if not isinstance(written, dict):
        return _back(wrong="The document is a JSON object.")

    def changed(before: dict[str, Any]) -> None:
        before.clear()
        before.update(written)

    return await _changed(services(request), who, changed, "The document is saved.", version)


@router.post(f"{HERE}/test")
async def test_models(request: Request, who: Administrator, model: Annotated[str, Form()]) -> Response:
    """Ask every model of a role for one word and say how it went."""
    built = services(request)
    state = await models_state(built, who.organisation_id)
    names: Sequence[str] = state.roles[model].chain if model in state.roles else [model]
    tested = [await probe(built.models, Caller(who.organisation_id, step="test"), name) for name in names]
    lines = [
        f"{one.model} answered in {one.ms:.0f} ms" if one.ok else f"{one.model}: {one.error}"
        for one in tested
    ]
    good = all(one.ok for one in tested)
    return _back(**{"said" if good else "wrong": "; ".join(lines) or f"Nobody plays {model}: model none."})


@router.get("/costs")
async def costs_page(request: Request, who: Reader, by: str = "role", days: int = 30) -> Response:
    """What models cost and how long they take."""
    built = services(request)
    days = min(366, max(1, days))
    since = datetime.now(UTC) - timedelta(days=days)
    rows = await costs(built.db, who.organisation_id, by, since=since)
    daily = rows if by == "day" else await costs(built.db, who.organisation_id, "day", since=since)
    table = await table_of(built, who.organisation_id)
    return page(
        "costs.html",
        here="costs",
        by=by,
        choices=BY,
        days=days,
        rows=rows,
        dearest=max((row["cost_microusd"] for row in rows), default=0),
        total=sum(row["cost_microusd"] for row in rows),
        calls=sum(row["calls"] for row in rows),
        failed=sum(row["failed"] for row in rows),
        columns=_columns(daily, days),
        spent=await spending(built.db, who.organisation_id, table.budgets),
    )


def _columns(daily: Sequence[Mapping[str, Any]], days: int) -> list[dict[str, Any]]:
    """One column a day for the chart, empty days included; heights in percent of the dearest day."""
    known = {row["about"]: row for row in daily}
    today = datetime.now(UTC).date()
    dates = [(today - timedelta(days=back)).isoformat() for back in range(min(days, 90) - 1, -1, -1)]
    spent = {date: known[date]["cost_microusd"] if date in known else 0 for date in dates}
    most = max(spent.values(), default=0) or 1
    return [
        {"date": date, "cost": cost, "height": round(100 * cost / most, 1)} for date, cost in spent.items()
    ]


async def _changed(
    built: Services,
    who: Principal,
    change: Callable[[dict[str, Any]], None],
    said: str,
    version: int,
    then: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """Make a change on top of the document as it was shown, and what comes `then`; or say on the page why not."""
    try:
        found, now = await store.find_document(built.db, who.organisation_id)
        if now != version:
            raise BadInputError("Somebody changed the models meanwhile.", fix="Look again, then save.")
        document = dict(found)
        change(document)
        await store.store_document(
            built.db, who.organisation_id, document, version=now, by=who.name, file=built.models_of_file
        )
    except PanlectError as error:
        return _back(wrong=str(error))
    if then is not None:
        await then()
    return _back(said=said)


def _version(sent: object) -> int:
    text = str(sent or "")
    return int(text) if text.isdecimal() else 0


def _back(**said: str) -> RedirectResponse:
    return RedirectResponse(f"{HERE}?{urlencode(said)}", 303)
