"""Plain pages of the sandbox forge: repositories, pull requests with diff, comments and checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import nh3
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markdown_it import MarkdownIt

from cluster.sandbox import api
from cluster.sandbox import repositories as repos
from panlect.forge.diff import FileDiff

router = APIRouter(include_in_schema=False)
_MAX_FILES, _MAX_LINES = 60, 4000
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"}


def markdown(text: str) -> str:
    """Markdown as safe HTML, as GitHub shows it: sanitised, comments and images gone."""
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return nh3.clean(
        html, tags=nh3.ALLOWED_TAGS - {"img"}, url_schemes={"http", "https"}, link_rel="noopener noreferrer"
    )


def _page(name: str, request: Request, **values: object) -> HTMLResponse:
    html = _TEMPLATES.get_template(name).render(forge=api.forge_of(request), markdown=markdown, **values)
    return HTMLResponse(html, headers=_HEADERS)


@router.get("/")
def home(request: Request) -> Response:
    """Every repository."""
    store = api.forge_of(request).store
    rows = store.rows(
        "SELECT r.*, (SELECT count(*) FROM pull p WHERE p.repository = r.full_name AND p.state = 'open') AS open"
        " FROM repository r ORDER BY full_name"
    )
    return _page("home.html", request, repositories=rows)


@router.get("/{owner}/{name}")
def repository(request: Request, owner: str, name: str) -> Response:
    """The pull requests of a repository, and where its webhooks go."""
    store, full_name = api.forge_of(request).store, f"{owner}/{name}"
    found = store.repository(full_name)
    if found is None:
        raise HTTPException(404, "Not Found")
    pulls = store.rows(
        "SELECT p.*, (SELECT conclusion FROM check_run c WHERE c.repository = p.repository AND c.head_sha = p.head_sha"
        " ORDER BY c.id DESC LIMIT 1) AS conclusion FROM pull p WHERE repository = ? ORDER BY number DESC",
        full_name,
    )
    deliveries = store.rows(
        "SELECT d.*, h.url FROM delivery d JOIN hook h ON h.id = d.hook_id WHERE h.repository = ? ORDER BY d.id DESC LIMIT 20",
        full_name,
    )
    return _page("repository.html", request, repository=found, pulls=pulls, deliveries=deliveries)


@router.get("/{owner}/{name}/pull/{number}")
def pull_request(request: Request, owner: str, name: str, number: int) -> Response:
    """One pull request: checks, reviews, and the diff with the comments where they stand."""
    forge, full_name = api.forge_of(request), f"{owner}/{name}"
    pull = forge.store.pull(full_name, number)
    if pull is None:
        raise HTTPException(404, "Not Found")
    where = (full_name, number)
    reviews = forge.store.rows("SELECT * FROM review WHERE repository = ? AND number = ? ORDER BY id", *where)
    comments = forge.store.rows(
        "SELECT * FROM comment WHERE repository = ? AND number = ? ORDER BY id", *where
    )
    checks = forge.store.rows(
        "SELECT * FROM check_run WHERE repository = ? AND head_sha = ? ORDER BY id",
        full_name,
        pull["head_sha"],
    )
    diff = repos.pull_diff(forge.git(full_name), pull["base_sha"], pull["head_sha"])
    files = list(repos.files_by_path(diff).items())
    shown, left = _shown(files)
    return _page(
        "pull.html", request, pull=pull, reviews=reviews, checks=[{**c, "output": json.loads(c["output"])} for c in checks],
        files=shown, left_out=left, comments=_by_line(comments), file_count=len(files),
    )  # fmt: skip


def _shown(files: list[tuple[str, FileDiff]]) -> tuple[list[tuple[str, FileDiff]], int]:
    """As many files as a page carries, and how many are left out."""
    shown: list[tuple[str, FileDiff]] = []
    lines = 0
    for path, file in files[:_MAX_FILES]:
        lines += sum(len(hunk.lines) for hunk in file.hunks)
        if lines > _MAX_LINES and shown:
            break
        shown.append((path, file))
    return shown, len(files) - len(shown)


def _by_line(comments: list[dict[str, Any]]) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for comment in comments:
        found.setdefault((comment["path"], comment["side"], comment["line"]), []).append(comment)
    return found


@router.post("/{owner}/{name}/deliveries/{delivery_id}/redeliver")
async def redeliver(request: Request, owner: str, name: str, delivery_id: int) -> Response:
    """Send a delivery again from the page. The forge listens on loopback and holds nothing real."""
    forge = api.forge_of(request)
    row = forge.store.row("SELECT * FROM delivery WHERE id = ?", delivery_id)
    if row is None:
        raise HTTPException(404, "Not Found")
    forge.hooks.redeliver(row)
    return RedirectResponse(f"/{owner}/{name}", 303)
