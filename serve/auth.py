"""Who calls, and the guard on every route: a bearer token, or the same token in a cookie set by signing in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Cookie, Depends, Form, Header, Request
from fastapi.responses import RedirectResponse, Response

from panlect.accounts.keys import Principal, principal_of
from panlect.errors import NotAuthorisedError
from panlect.wiring import Services
from serve.pages import page

COOKIE = "panlect_token"
router = APIRouter(prefix="/auth", tags=["auth"])


def services(request: Request) -> Services:
    """What this process was built with."""
    found: Services = request.app.state.services
    return found


def guard(scope: str) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the principal of the request, who must hold `scope`. A route without it fails a test."""

    async def authorised(
        request: Request,
        authorization: Annotated[str, Header()] = "",
        cookie: Annotated[str, Cookie(alias=COOKIE)] = "",
    ) -> Principal:
        kind, _, sent = authorization.partition(" ")
        bearer = sent if kind.lower() == "bearer" else ""
        if not bearer and request.method not in ("GET", "HEAD"):
            _refuse_other_sites(request)
        principal = await principal_of(services(request).db, bearer or cookie)
        if not principal.may(scope):
            raise NotAuthorisedError(f"This needs the scope {scope!r}.", fix="Use a token that has it.")
        return principal

    authorised.__dict__["scope"] = scope
    return authorised


Reader = Annotated[Principal, Depends(guard("read"))]
Writer = Annotated[Principal, Depends(guard("write"))]


def _refuse_other_sites(request: Request) -> None:
    """A cookie travels with forms of other sites too; browsers say where a form came from."""
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if site not in ("", "same-origin", "none") or (origin and urlsplit(origin).netloc != request.url.netloc):
        raise NotAuthorisedError("This form came from another site.", fix="Open the page here and try again.")


@router.get("/sign-in", include_in_schema=False)
async def sign_in_page(to: str = "/", wrong: bool = False) -> Response:
    """Where a token is asked for."""
    return page("sign_in.html", status=401 if wrong else 200, to=_local(to), wrong=wrong)


@router.post("/sign-in", include_in_schema=False)
async def sign_in(
    request: Request, token: Annotated[str, Form()] = "", to: Annotated[str, Form()] = "/"
) -> Response:
    """Check the token and keep it in a cookie that scripts cannot read."""
    _refuse_other_sites(request)
    try:
        await principal_of(services(request).db, token.strip())
    except NotAuthorisedError:
        return RedirectResponse(f"/auth/sign-in?wrong=1&to={quote(_local(to))}", 303)
    response = RedirectResponse(_local(to), 303)
    secure = services(request).public_url.startswith("https:") or request.url.scheme == "https"
    response.set_cookie(
        COOKIE, token.strip(), max_age=12 * 3600, httponly=True, samesite="lax", secure=secure
    )
    return response


@router.post("/sign-out", include_in_schema=False)
async def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    _refuse_other_sites(request)
    response = RedirectResponse("/auth/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


def _local(path: str) -> str:
    """`path` when it leads to this site, else the front page: no open redirect."""
    parts = urlsplit(path)
    well = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc
    return path if well and path.isprintable() else "/"  # browsers pass over tabs and newlines
