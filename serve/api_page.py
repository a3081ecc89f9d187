"""The API for people: one page made from the application's own description, with nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serve.auth import Reader, services
from serve.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/api/docs")
async def api_page(request: Request, who: Reader) -> Response:  # noqa: ARG001 - the guard
    """Every route with what it takes."""
    description = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for operation in operations(description):
        groups.setdefault(operation["tag"], []).append(operation)
    return page("api.html", here="api", groups=list(groups.items()), public_url=services(request).public_url)


def operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The operations of an OpenAPI description, each with the names of what it takes."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield {
                "tag": (operation.get("tags") or ["other"])[0],
                "method": method.upper(),
                "path": path,
                "summary": operation.get("description") or operation.get("summary", ""),
                "takes": [*_parameters(operation), *_body(operation, description)],
            }


def _parameters(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in operation.get("parameters", []):
        if one["in"] in ("path", "query"):
            yield {
                "name": one["name"],
                "required": one.get("required", False),
                "said": one.get("description", ""),
            }


def _body(operation: dict[str, Any], description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
    schema = description.get("components", {}).get("schemas", {}).get(name, {})
    for field, about in schema.get("properties", {}).items():
        yield {
            "name": field,
            "required": field in schema.get("required", []),
            "said": about.get("description", ""),
        }
