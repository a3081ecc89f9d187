"""The model gateway, OpenAI-compatible. No model is configured yet, and every answer says so."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from serve.auth import guard

router = APIRouter(prefix="/v1", tags=["models"], dependencies=[Depends(guard("read"))])
_NO_MODEL = {
    "error": {
        "message": "No model is configured: reviews run on checks alone, and say model: none.",
        "type": "model_not_configured",
        "code": "model_not_configured",
    }
}


@router.get("/models")
async def models() -> dict[str, object]:
    """The models that can be asked: none."""
    return {"object": "list", "data": []}


@router.post("/chat/completions")
async def chat_completions() -> JSONResponse:
    """Refused while no model is configured."""
    return JSONResponse(_NO_MODEL, 503)


@router.post("/embeddings")
async def embeddings() -> JSONResponse:
    """Refused while no model is configured."""
    return JSONResponse(_NO_MODEL, 503)
