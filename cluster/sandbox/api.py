"""GitHub's REST API, as much of it as Panlect uses, with GitHub's answers to what is wrong."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from cluster.sandbox import repositories as repos
from cluster.sandbox.hooks import Hooks
from cluster.sandbox.store import Store, now
from panlect.git.repository import Repository

router = APIRouter()
_PER_PAGE = 100


class Forge:
    """What the routes share: the memory, the hooks, the address under which clients see us."""

    def __init__(self, store: Store, url: str) -> None:
        self.store, self.url = store, url
        self.hooks = Hooks(store)

    def git(self, full_name: str) -> Repository:
        """The bare repository of a full name."""
        return Repository(self.store.git_dir(full_name))


def forge_of(request: Request) -> Forge:
    """The forge of this app."""
    forge: Forge = request.app.state.forge
    return forge


def login(request: Request, authorization: Annotated[str, Header()] = "") -> str:
    """Who calls; 401 as GitHub says it."""
    kind, _, token = authorization.partition(" ")
    found = forge_of(request).store.login_of(token) if kind.lower() in ("bearer", "token") else None
    if found is None:
        raise HTTPException(401, "Bad credentials")
    return found


def repository(owner: str, name: str, request: Request) -> dict[str, Any]:
    """The repository of the path, or 404."""
    found = forge_of(request).store.repository(f"{owner}/{name}")
    if found is None:
        raise HTTPException(404, "Not Found")
    return found


def pull(owner: str, name: str, number: int, request: Request) -> dict[str, Any]:
    """The pull request of the path, or 404."""
    found = forge_of(request).store.pull(f"{owner}/{name}", number)
    if found is None:
        raise HTTPException(404, "Not Found")
    return found


Login = Annotated[str, Depends(login)]
Repo = Annotated[dict[str, Any], Depends(repository)]
Pull = Annotated[dict[str, Any], Depends(pull)]


def unprocessable(errors: list[Any]) -> JSONResponse:
    """422, GitHub's way."""
    return JSONResponse({"message": "Unprocessable Entity", "errors": errors, "status": "422"}, 422)


def paged(request: Request, rows: list[Any], page: int, per_page: int) -> JSONResponse:
    """One page of `rows` with a Link header to its neighbours."""
    last = max(1, math.ceil(len(rows) / per_page))
    base = str(request.url.remove_query_params(["page"]))
    join = "&" if "?" in base else "?"
    links = []
    if page < last:
        links += [f'<{base}{join}page={page + 1}>; rel="next"', f'<{base}{join}page={last}>; rel="last"']
    if page > 1:
        links += [f'<{base}{join}page={page - 1}>; rel="prev"', f'<{base}{join}page=1>; rel="first"']
    start = (page - 1) * per_page
    return JSONResponse(rows[start : start + per_page], headers={"link": ", ".join(links)} if links else {})


Page = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1, le=_PER_PAGE)]


@router.get("/user")
def read_user(who: Login) -> dict[str, Any]:
    """Who the token belongs to."""
    return {"login": who, "type": "Bot"}


@router.get("/repos/{owner}/{name}")
def read_repository(request: Request, who: Login, repo: Repo) -> dict[str, Any]:
    """A repository."""
    return repository_json(forge_of(request), repo)


@router.get("/repos/{owner}/{name}/branches/{branch:path}")
def read_branch(request: Request, who: Login, repo: Repo, branch: str) -> dict[str, Any]:
    """A branch with its newest commit."""
    found = repos.heads(forge_of(request).git(repo["full_name"])).get(branch)
    if found is None:
        raise HTTPException(404, "Branch not found")
    return {"name": branch, "commit": {"sha": found}, "protected": False}


@router.get("/repos/{owner}/{name}/pulls")
def list_pulls(
    request: Request,
    who: Login,
    repo: Repo,
    state: str = "open",
    page: Page = 1,
    per_page: PerPage = 30,
) -> JSONResponse:
    """Pull requests, newest first."""
    forge = forge_of(request)
    rows = forge.store.rows("SELECT * FROM pull WHERE repository = ? ORDER BY number DESC", repo["full_name"])
    chosen = [pull_json(forge, row) for row in rows if state in ("all", row["state"])]
    return paged(request, chosen, page, per_page)


@router.post("/repos/{owner}/{name}/pulls", status_code=201)
async def open_pull(request: Request, who: Login, repo: Repo) -> Response:
    """Open a pull request from a branch of the same repository, and tell the hooks."""
    forge, body = forge_of(request), await json_body(request)
    branches = repos.heads(forge.git(repo["full_name"]))
    base, head = str(body.get("base", "")), str(body.get("head", ""))
    missing = [
        {"resource": "PullRequest", "field": f, "code": "invalid"}
        for f, v in (("base", base), ("head", head))
        if v not in branches
    ]
    if missing or not body.get("title"):
        return unprocessable(
            missing or [{"resource": "PullRequest", "field": "title", "code": "missing_field"}]
        )
    if branches[base] == branches[head]:
        return unprocessable(
            [{"resource": "PullRequest", "message": f"No commits between {base} and {head}"}]
        )
    if forge.store.open_pulls_with_head(repo["full_name"], head):
        return unprocessable(
            [{"resource": "PullRequest", "message": f"A pull request already exists for {head}."}]
        )
    number = forge.store.add_pull(
        repo["full_name"], title=str(body["title"])[:256], body=str(body.get("body") or ""), author=who,
        draft=int(bool(body.get("draft"))), base_ref=base, base_sha=branches[base], head_ref=head, head_sha=branches[head],
    )  # fmt: skip
    repos.set_pull_ref(forge.git(repo["full_name"]), number, branches[head])
    opened = forge.store.pull(repo["full_name"], number)
    assert opened is not None
    send_pull_event(forge, "opened", opened, who)
    return JSONResponse(pull_json(forge, opened), 201)


@router.get("/repos/{owner}/{name}/pulls/{number}")
def read_pull(request: Request, who: Login, pull: Pull, accept: Annotated[str, Header()] = "") -> Response:
    """A pull request, or its diff when that is what the client accepts."""
    forge = forge_of(request)
    if "diff" in accept:
        diff = repos.pull_diff(forge.git(pull["repository"]), pull["base_sha"], pull["head_sha"])
        return PlainTextResponse(diff)
    return JSONResponse(pull_json(forge, pull))


@router.patch("/repos/{owner}/{name}/pulls/{number}")
async def change_pull(request: Request, who: Login, pull: Pull) -> Response:
    """Close or reopen a pull request."""
    forge, state = forge_of(request), str((await json_body(request)).get("state", ""))
    if state not in ("open", "closed"):
        return unprocessable([{"resource": "PullRequest", "field": "state", "code": "invalid"}])
    if state != pull["state"]:
        forge.store.set_state(pull["repository"], pull["number"], state)
        changed = forge.store.pull(pull["repository"], pull["number"])
        assert changed is not None
        send_pull_event(forge, "closed" if state == "closed" else "reopened", changed, who)
    return JSONResponse(pull_json(forge, forge.store.pull(pull["repository"], pull["number"]) or pull))


@router.get("/repos/{owner}/{name}/pulls/{number}/reviews")
def list_reviews(
    request: Request, who: Login, pull: Pull, page: Page = 1, per_page: PerPage = 30
) -> JSONResponse:
    """Reviews, oldest first."""
    forge = forge_of(request)
    rows = forge.store.rows(
        "SELECT * FROM review WHERE repository = ? AND number = ? ORDER BY id",
        pull["repository"],
        pull["number"],
    )
    return paged(request, [review_json(forge, row) for row in rows], page, per_page)


@router.post("/repos/{owner}/{name}/pulls/{number}/reviews")
async def create_review(request: Request, who: Login, pull: Pull) -> Response:
    """One review with all its comments; one comment outside the diff refuses all of it."""
    forge, body = forge_of(request), await json_body(request)
    git = forge.git(pull["repository"])
    commit = str(body.get("commit_id") or pull["head_sha"])
    if commit not in repos.commits_between(git, pull["base_sha"], pull["head_sha"]):
        return unprocessable(["Commit is not part of the pull request"])
    comments, errors = read_comments(body.get("comments") or [])
    if not errors:
        files = repos.files_by_path(repos.pull_diff(git, pull["base_sha"], commit))
        errors = [reason for comment in comments if (reason := repos.unresolved(comment, files))]
    if not errors and body.get("event") == "COMMENT" and not body.get("body"):
        errors = ["Body is required for a COMMENT review"]
    if errors:
        return unprocessable(errors)
    review = forge.store.add_review(
        pull["repository"], pull["number"], who, str(body.get("body") or ""), commit, comments
    )
    row = forge.store.row("SELECT * FROM review WHERE id = ?", review)
    assert row is not None
    return JSONResponse(review_json(forge, row))


def read_comments(raw: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The comments of a review, checked for shape; the reasons when one has none."""
    if not isinstance(raw, list) or not all(isinstance(row, dict) for row in raw):
        return [], ["Comments must be a list of objects"]
    comments, errors = [], []
    for row in raw:
        path, line, side = row.get("path"), row.get("line"), row.get("side", "RIGHT")
        start = row.get("start_line")
        well = (
            isinstance(path, str) and isinstance(line, int) and side in ("LEFT", "RIGHT") and row.get("body")
        )
        if not well or not (start is None or isinstance(start, int)):
            errors.append("Comment is malformed: path, line, side and body are required")
        else:
            comments.append(
                {"path": path, "line": line, "side": side, "start_line": start, "body": str(row["body"])}
            )
    return comments, errors


@router.get("/repos/{owner}/{name}/pulls/{number}/comments")
def list_comments(
    request: Request, who: Login, pull: Pull, page: Page = 1, per_page: PerPage = 30
) -> JSONResponse:
    """Review comments, oldest first."""
    rows = forge_of(request).store.rows(
        "SELECT * FROM comment WHERE repository = ? AND number = ? ORDER BY id",
        pull["repository"],
        pull["number"],
    )
    return paged(request, [comment_json(row) for row in rows], page, per_page)


@router.get("/repos/{owner}/{name}/commits/{sha}/check-runs")
def list_checks(request: Request, who: Login, repo: Repo, sha: str, check_name: str = "") -> dict[str, Any]:
    """Checks of a commit, newest first."""
    rows = forge_of(request).store.rows(
        "SELECT * FROM check_run WHERE repository = ? AND head_sha = ? ORDER BY id DESC",
        repo["full_name"],
        sha,
    )
    chosen = [check_json(row) for row in rows if not check_name or row["name"] == check_name]
    return {"total_count": len(chosen), "check_runs": chosen}


@router.post("/repos/{owner}/{name}/check-runs", status_code=201)
async def create_check(request: Request, who: Login, repo: Repo) -> Response:
    """A check; the same name and head again replaces the first."""
    forge, body = forge_of(request), await json_body(request)
    name, sha = str(body.get("name") or ""), str(body.get("head_sha") or "")
    if not name or not forge.git(repo["full_name"]).has(sha):
        return unprocessable(
            [{"resource": "CheckRun", "field": "head_sha" if name else "name", "code": "invalid"}]
        )
    values, errors = read_check(body)
    if errors:
        return unprocessable(errors)
    old = forge.store.row(
        "SELECT id FROM check_run WHERE repository = ? AND head_sha = ? AND name = ?",
        repo["full_name"],
        sha,
        name,
    )
    check_id = old["id"] if old else forge.store.insert(
        "check_run", repository=repo["full_name"], head_sha=sha, name=name, author=who, status="queued",
        details_url="", output="{}", updated_at=now(),
    )  # fmt: skip
    forge.store.update_check(check_id, values)
    row = forge.store.row("SELECT * FROM check_run WHERE id = ?", check_id)
    assert row is not None
    return JSONResponse(check_json(row), 201)


@router.patch("/repos/{owner}/{name}/check-runs/{check_id}")
async def change_check(request: Request, who: Login, repo: Repo, check_id: int) -> Response:
    """Replace what a check says."""
    forge = forge_of(request)
    old = forge.store.row(
        "SELECT * FROM check_run WHERE id = ? AND repository = ?", check_id, repo["full_name"]
    )
    if old is None:
        raise HTTPException(404, "Not Found")
    values, errors = read_check(await json_body(request))
    if errors:
        return unprocessable(errors)
    forge.store.update_check(check_id, values)
    row = forge.store.row("SELECT * FROM check_run WHERE id = ?", check_id)
    assert row is not None
    return JSONResponse(check_json(row))


_CONCLUSIONS = ("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required")


def read_check(body: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """What a check says, checked against what GitHub allows."""
    conclusion = body.get("conclusion")
    output = body.get("output") or {}
    errors: list[Any] = []
    if conclusion is not None and conclusion not in _CONCLUSIONS:
        errors.append({"resource": "CheckRun", "field": "conclusion", "code": "invalid"})
    if len(str(output.get("summary", ""))) > 65535:
        errors.append({"resource": "CheckRun", "field": "output.summary", "code": "invalid"})
    status = "completed" if conclusion else str(body.get("status") or "queued")
    url = str(body.get("details_url") or "")
    return {"status": status, "conclusion": conclusion, "details_url": url, "output": output}, errors


@router.get("/repos/{owner}/{name}/hooks")
def list_hooks(request: Request, who: Login, repo: Repo) -> list[dict[str, Any]]:
    """Webhooks, without their secrets."""
    rows = forge_of(request).store.rows(
        "SELECT * FROM hook WHERE repository = ? ORDER BY id", repo["full_name"]
    )
    return [hook_json(row) for row in rows]


@router.post("/repos/{owner}/{name}/hooks", status_code=201)
async def create_hook(request: Request, who: Login, repo: Repo) -> Response:
    """A webhook; the same address again is refused, as on GitHub."""
    forge, body = forge_of(request), await json_body(request)
    config = body.get("config") or {}
    url, secret = str(config.get("url") or ""), str(config.get("secret") or "")
    if not url.startswith(("http://", "https://")):
        return unprocessable([{"resource": "Hook", "field": "url", "code": "invalid"}])
    if forge.store.row("SELECT id FROM hook WHERE repository = ? AND url = ?", repo["full_name"], url):
        return unprocessable(
            [{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}]
        )
    hook = forge.store.insert(
        "hook",
        repository=repo["full_name"],
        url=url,
        secret=secret,
        events=json.dumps(body.get("events") or ["push"]),
    )
    row = forge.store.row("SELECT * FROM hook WHERE id = ?", hook)
    assert row is not None
    return JSONResponse(hook_json(row), 201)


@router.get("/repos/{owner}/{name}/hooks/{hook_id}/deliveries")
def list_deliveries(request: Request, who: Login, repo: Repo, hook_id: int) -> list[dict[str, Any]]:
    """What was sent, newest first."""
    rows = forge_of(request).store.rows("SELECT * FROM delivery WHERE hook_id = ? ORDER BY id DESC", hook_id)
    return [delivery_json(row) for row in rows]


@router.post("/repos/{owner}/{name}/hooks/{hook_id}/deliveries/{delivery_id}/attempts", status_code=202)
async def redeliver(
    request: Request, who: Login, repo: Repo, hook_id: int, delivery_id: int
) -> dict[str, Any]:
    """Send a delivery again, with the same GUID."""
    forge = forge_of(request)
    row = forge.store.row("SELECT * FROM delivery WHERE id = ? AND hook_id = ?", delivery_id, hook_id)
    if row is None:
        raise HTTPException(404, "Not Found")
    forge.hooks.redeliver(row)
    return {}


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object, or 400 as GitHub says it."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise HTTPException(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "Body should be a JSON object")
    return body


# What GitHub's objects look like


def repository_json(forge: Forge, row: dict[str, Any]) -> dict[str, Any]:
    """A repository."""
    owner, _, name = row["full_name"].partition("/")
    return {
        "id": row["id"], "name": name, "full_name": row["full_name"], "private": False,
        "owner": {"login": owner, "type": "Organization"}, "description": row["description"],
        "default_branch": row["default_branch"], "html_url": f"{forge.url}/{row['full_name']}",
        "clone_url": f"{forge.url}/{row['full_name']}.git", "url": f"{forge.url}/api/v3/repos/{row['full_name']}",
    }  # fmt: skip


def pull_json(forge: Forge, row: dict[str, Any]) -> dict[str, Any]:
    """A pull request."""
    repo = repository_json(forge, forge.store.repository(row["repository"]) or {})
    url = f"{forge.url}/{row['repository']}/pull/{row['number']}"
    return {
        "id": row["id"], "number": row["number"], "state": row["state"], "title": row["title"], "body": row["body"],
        "draft": bool(row["draft"]), "user": {"login": row["author"], "type": "User"}, "html_url": url,
        "diff_url": f"{url}.diff", "created_at": row["created_at"], "merged": False,
        "base": {"ref": row["base_ref"], "sha": row["base_sha"], "repo": repo},
        "head": {"ref": row["head_ref"], "sha": row["head_sha"], "repo": repo},
    }  # fmt: skip


def review_json(forge: Forge, row: dict[str, Any]) -> dict[str, Any]:
    """A review."""
    url = f"{forge.url}/{row['repository']}/pull/{row['number']}#review-{row['id']}"
    return {
        "id": row["id"], "user": {"login": row["author"], "type": "Bot"}, "body": row["body"], "state": row["state"],
        "commit_id": row["commit_id"], "submitted_at": row["submitted_at"], "html_url": url,
    }  # fmt: skip


def comment_json(row: dict[str, Any]) -> dict[str, Any]:
    """A review comment."""
    return {
        "id": row["id"], "pull_request_review_id": row["review_id"], "path": row["path"], "side": row["side"],
        "line": row["line"], "start_line": row["start_line"], "commit_id": row["commit_id"], "body": row["body"],
        "user": {"login": row["author"], "type": "Bot"}, "created_at": row["created_at"],
    }  # fmt: skip


def check_json(row: dict[str, Any]) -> dict[str, Any]:
    """A check run."""
    return {
        "id": row["id"], "name": row["name"], "head_sha": row["head_sha"], "status": row["status"],
        "conclusion": row["conclusion"], "details_url": row["details_url"], "output": json.loads(row["output"]),
        "app": {"slug": row["author"]}, "completed_at": row["updated_at"],
    }  # fmt: skip


def hook_json(row: dict[str, Any]) -> dict[str, Any]:
    """A webhook, its secret masked."""
    config = {"url": row["url"], "content_type": "json", "secret": "********", "insecure_ssl": "0"}
    return {
        "id": row["id"],
        "name": "web",
        "active": True,
        "events": json.loads(row["events"]),
        "config": config,
    }


def delivery_json(row: dict[str, Any]) -> dict[str, Any]:
    """A delivery of a webhook."""
    return {
        "id": row["id"], "guid": row["guid"], "event": row["event"], "action": row["action"] or None,
        "delivered_at": row["delivered_at"], "redelivery": bool(row["redelivery"]), "status_code": row["status_code"] or 0,
        "status": "OK" if row["status_code"] and row["status_code"] < 300 else "failed",
    }  # fmt: skip


def send_pull_event(forge: Forge, action: str, pull: dict[str, Any], sender: str) -> None:
    """Tell the hooks what happened to a pull request."""
    repo = forge.store.repository(pull["repository"]) or {}
    payload = {
        "action": action,
        "number": pull["number"],
        "pull_request": pull_json(forge, pull),
        "repository": repository_json(forge, repo),
        "sender": {"login": sender, "type": "User"},
    }
    forge.hooks.send(pull["repository"], "pull_request", payload)


def pushed(forge: Forge, full_name: str, before: dict[str, str], sender: str) -> None:
    """After a push: move the heads of open pull requests and tell the hooks of each branch that moved."""
    after = repos.heads(forge.git(full_name))
    for branch in sorted(set(before) | set(after)):
        old, new = before.get(branch, "0" * 40), after.get(branch, "0" * 40)
        if old == new:
            continue
        payload = {
            "ref": f"refs/heads/{branch}", "before": old, "after": new, "deleted": branch not in after,
            "repository": repository_json(forge, forge.store.repository(full_name) or {}), "sender": {"login": sender},
        }  # fmt: skip
        forge.hooks.send(full_name, "push", payload)
        for pull in forge.store.open_pulls_with_head(full_name, branch) if branch in after else []:
            forge.store.move_head(full_name, pull["number"], new)
            repos.set_pull_ref(forge.git(full_name), pull["number"], new)
            send_pull_event(forge, "synchronize", {**pull, "head_sha": new}, sender)
