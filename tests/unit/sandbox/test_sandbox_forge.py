"""The sandbox forge answers as GitHub does, to what is right and to what is wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.sandbox.store import Store

REPO, BRANCH = "acme/payments", "retry-captures"
PATH = "payments/checkout.py"
SECRET = "webhook-secret"


def comment(**changes: object) -> dict[str, object]:
    return {"path": PATH, "line": 16, "side": "RIGHT", "body": "Look here.", **changes}


def post_review(sandbox: Any, number: object, *comments: object, body: str = "Found something.") -> Any:
    asked = {"event": "COMMENT", "body": body, "comments": list(comments)}
    return sandbox.api.post(f"/repos/{REPO}/pulls/{number}/reviews", json=asked)


def stored(sandbox: Any, number: object) -> tuple[int, int]:
    """How many reviews and comments a pull request has."""
    pull = f"/repos/{REPO}/pulls/{number}"
    return tuple(len(sandbox.api.get(f"{pull}/{what}").json()) for what in ("reviews", "comments"))


def connect(sandbox: Any, listener: Any, events: tuple[str, ...] = ("pull_request", "push")) -> int:
    config = {"url": listener.url, "secret": SECRET, "content_type": "json"}
    answer = sandbox.api.post(f"/repos/{REPO}/hooks", json={"events": list(events), "config": config})
    assert answer.status_code == 201
    return int(answer.json()["id"])


def git(*args: str, cwd: Path | None = None) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    done = subprocess.run(
        ["git", *args], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.strip()


def clone(sandbox: Any, into: Path, token: str = "") -> Path:
    url = f"{sandbox.url}/{REPO}.git"
    git("clone", "-q", url.replace("://", f"://x:{token}@") if token else url, str(into))
    return into


# Who may call


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic sandbox-developer-token", "token"])
def test_a_wrong_token_is_refused_as_github_says_it(sandbox: Any, header: str) -> None:
    answer = sandbox.api.get("/user", headers={"authorization": header})
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


def test_a_token_names_its_account(sandbox: Any) -> None:
    assert sandbox.api.get("/user").json()["login"] == "developer"


@pytest.mark.parametrize("path", ["/repos/acme/none", "/repos/acme/payments/pulls/99", "/nowhere"])
def test_what_is_not_there_is_not_found(sandbox: Any, path: str) -> None:
    assert sandbox.api.get(path).status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object_is_a_bad_request(sandbox: Any, body: bytes) -> None:
    assert sandbox.api.post(f"/repos/{REPO}/pulls", content=body).status_code == 400


# Pull requests


def test_a_pull_request_knows_its_commits(sandbox: Any) -> None:
    pull = sandbox.open(REPO, BRANCH)
    heads = [sandbox.api.get(f"/repos/{REPO}/branches/{b}").json()["commit"]["sha"] for b in ("main", BRANCH)]
    assert [pull["base"]["sha"], pull["head"]["sha"]] == heads
    assert (pull["number"], pull["state"], pull["user"]["login"]) == (1, "open", "developer")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"title": "t", "base": "main", "head": "none"}, "head"),
        ({"title": "t", "base": "none", "head": BRANCH}, "base"),
        ({"base": "main", "head": BRANCH}, "title"),
    ],
)
def test_a_pull_request_that_cannot_be_is_unprocessable(
    sandbox: Any, asked: dict[str, str], field: str
) -> None:
    answer = sandbox.api.post(f"/repos/{REPO}/pulls", json=asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_branch_has_one_open_pull_request_at_a_time(sandbox: Any) -> None:
    first = sandbox.open(REPO, BRANCH)
    asked = {"title": "again", "base": "main", "head": BRANCH}
    assert sandbox.api.post(f"/repos/{REPO}/pulls", json=asked).status_code == 422
    sandbox.api.patch(f"/repos/{REPO}/pulls/{first['number']}", json={"state": "closed"})
    assert sandbox.open(REPO, BRANCH)["number"] == 2


def test_nothing_to_merge_is_unprocessable(sandbox: Any) -> None:
    asked = {"title": "t", "base": "main", "head": "main"}
    assert sandbox.api.post(f"/repos/{REPO}/pulls", json=asked).status_code == 422


def test_the_diff_of_a_pull_request_is_a_media_type(sandbox: Any) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    accept = {"accept": "application/vnd.github.diff"}
    text = sandbox.api.get(f"/repos/{REPO}/pulls/{number}", headers=accept).text
    assert text.startswith(f"diff --git a/{PATH} b/{PATH}\n")


def test_pages_are_linked_and_hold_every_review_once(sandbox: Any) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    ids = [post_review(sandbox, number).json()["id"] for _ in range(5)]
    url, seen, pages = f"/repos/{REPO}/pulls/{number}/reviews?per_page=2", [], 0
    while url:
        answer = sandbox.api.get(url)
        seen += [row["id"] for row in answer.json()]
        links = {v["rel"]: v["url"] for v in answer.links.values()}
        assert set(links) <= {"next", "last", "prev", "first"}
        url, pages = links.get("next", ""), pages + 1
    assert (seen, pages) == (ids, 3)


def test_one_page_has_no_link(sandbox: Any) -> None:
    assert "link" not in sandbox.api.get(f"/repos/{REPO}/pulls").headers


# Reviews


@pytest.mark.parametrize(
    "placed",
    [
        {"line": 16},
        {"line": 18, "start_line": 16},
        {"line": 16, "side": "LEFT"},
        {"line": 13},  # context above
        {"line": 21},  # context below
    ],
)
def test_a_comment_on_a_line_of_the_diff_is_accepted(sandbox: Any, placed: dict[str, object]) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    assert post_review(sandbox, number, comment(**placed)).status_code == 200
    assert stored(sandbox, number) == (1, 1)


@pytest.mark.parametrize(
    "placed",
    [
        {"line": 1},
        {"line": 400},
        {"line": -1},
        {"line": 2**70},
        {"path": "payments/money.py"},
        {"path": "../checkout.py"},
        {"line": 16, "start_line": 16},
        {"line": 16, "start_line": 18},
        {"line": 18, "start_line": 1},
        {"side": "MIDDLE"},
        {"side": None},
        {"body": ""},
        {"line": None},
        {"line": "16"},
        {"start_line": "16"},
    ],
)
def test_one_comment_outside_the_diff_refuses_the_whole_review(
    sandbox: Any, placed: dict[str, object]
) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    answer = post_review(sandbox, number, comment(), comment(**placed))
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 1
    assert stored(sandbox, number) == (0, 0)


@pytest.mark.parametrize("comments", ["text", {"path": PATH}, ["text"], [None], 7])
def test_comments_that_are_no_list_of_objects_are_refused(sandbox: Any, comments: object) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    asked = {"event": "COMMENT", "body": "b", "comments": comments}
    assert sandbox.api.post(f"/repos/{REPO}/pulls/{number}/reviews", json=asked).status_code == 422
    assert stored(sandbox, number) == (0, 0)


def test_a_review_is_stored_with_all_its_comments_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    good = {"path": PATH, "side": "RIGHT", "line": 1, "start_line": None, "body": "b"}
    with pytest.raises(sqlite3.IntegrityError):
        store.add_review(REPO, 1, "panlect", "b", "c", [good, {**good, "path": None}])
    assert store.rows("SELECT * FROM review") == store.rows("SELECT * FROM comment") == []
    store.close()


def test_a_review_of_a_commit_of_another_branch_is_refused(sandbox: Any) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    foreign = sandbox.api.get(f"/repos/{REPO}/branches/rename-ledger").json()["commit"]["sha"]
    asked = {"event": "COMMENT", "body": "b", "commit_id": foreign}
    assert sandbox.api.post(f"/repos/{REPO}/pulls/{number}/reviews", json=asked).status_code == 422


def test_a_review_without_words_is_refused(sandbox: Any) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    assert post_review(sandbox, number, body="").status_code == 422


def test_hostile_markdown_is_shown_as_text(sandbox: Any) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    said = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:alert(1))"
    post_review(sandbox, number, comment(body=said), body=said)
    page = sandbox.api.get(f"{sandbox.url}/{REPO}/pull/{number}")
    assert page.status_code == 200
    for active in ("<script", "<img", 'href="javascript:'):
        assert active not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


# Checks


def set_check(sandbox: Any, sha: str, **changes: object) -> Any:
    asked = {
        "name": "panlect",
        "head_sha": sha,
        "conclusion": "neutral",
        "output": {"title": "t", "summary": "s"},
    }
    return sandbox.api.post(f"/repos/{REPO}/check-runs", json={**asked, **changes})


def test_a_commit_has_one_check_of_a_name(sandbox: Any) -> None:
    sha = sandbox.open(REPO, BRANCH)["head"]["sha"]
    first = set_check(sandbox, sha).json()["id"]
    assert set_check(sandbox, sha, conclusion="success").json()["id"] == first
    assert set_check(sandbox, sha, name="other").json()["id"] != first
    listed = sandbox.api.get(f"/repos/{REPO}/commits/{sha}/check-runs?check_name=panlect").json()
    assert [(row["id"], row["conclusion"]) for row in listed["check_runs"]] == [(first, "success")]


def test_a_check_is_replaced_by_its_id(sandbox: Any) -> None:
    sha = sandbox.open(REPO, BRANCH)["head"]["sha"]
    check = set_check(sandbox, sha).json()["id"]
    changed = {"conclusion": "failure", "output": {"title": "new", "summary": "s"}}
    answer = sandbox.api.patch(f"/repos/{REPO}/check-runs/{check}", json=changed).json()
    assert (answer["conclusion"], answer["output"]["title"]) == ("failure", "new")
    assert sandbox.api.patch(f"/repos/acme/dispatch/check-runs/{check}", json=changed).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"conclusion": "fine"},
        {"name": ""},
        {"head_sha": "0" * 40},
        {"head_sha": "--all"},
        {"output": {"title": "t", "summary": "x" * 65536}},
    ],
)
def test_a_check_that_cannot_be_is_unprocessable(sandbox: Any, changes: dict[str, object]) -> None:
    sha = sandbox.open(REPO, BRANCH)["head"]["sha"]
    assert set_check(sandbox, sha, **changes).status_code == 422
    assert sandbox.api.get(f"/repos/{REPO}/commits/{sha}/check-runs").json()["total_count"] == 0


# Webhooks


def test_an_opened_pull_request_is_told_with_a_signature_over_the_bytes(sandbox: Any, listener: Any) -> None:
    connect(sandbox, listener)
    pull = sandbox.open(REPO, BRANCH)
    ((headers, body),) = listener.wait_for(1)
    assert headers["x-github-event"] == "pull_request"
    assert (
        headers["x-hub-signature-256"]
        == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    )
    told = json.loads(body)
    assert (told["action"], told["pull_request"]["head"]["sha"]) == ("opened", pull["head"]["sha"])
    assert told["repository"]["full_name"] == REPO


def test_a_redelivery_keeps_its_guid_and_its_bytes(sandbox: Any, listener: Any) -> None:
    hook = connect(sandbox, listener)
    sandbox.open(REPO, BRANCH)
    listener.wait_for(1)
    deliveries = f"/repos/{REPO}/hooks/{hook}/deliveries"
    first = sandbox.api.get(deliveries).json()[0]
    assert sandbox.api.post(f"{deliveries}/{first['id']}/attempts").status_code == 202
    (before, body), (after, again) = listener.wait_for(2)
    assert before["x-github-delivery"] == after["x-github-delivery"] == first["guid"]
    assert body == again
    assert [row["redelivery"] for row in sandbox.api.get(deliveries).json()] == [True, False]


def test_a_hook_hears_only_what_it_asked_for(sandbox: Any, listener: Any) -> None:
    hook = connect(sandbox, listener, events=("push",))
    sandbox.open(REPO, BRANCH)
    assert sandbox.api.get(f"/repos/{REPO}/hooks/{hook}/deliveries").json() == []


def test_the_same_hook_twice_is_refused_and_secrets_are_masked(sandbox: Any, listener: Any) -> None:
    connect(sandbox, listener)
    config = {"url": listener.url, "secret": "other"}
    answer = sandbox.api.post(f"/repos/{REPO}/hooks", json={"config": config})
    assert answer.status_code == 422
    assert "Hook already exists on this repository" in answer.text
    assert SECRET not in sandbox.api.get(f"/repos/{REPO}/hooks").text


@pytest.mark.parametrize("url", ["", "ftp://example.org", "file:///etc/passwd"])
def test_a_hook_needs_an_http_address(sandbox: Any, url: str) -> None:
    assert sandbox.api.post(f"/repos/{REPO}/hooks", json={"config": {"url": url}}).status_code == 422


# git over HTTP


def test_anyone_clones_every_branch(sandbox: Any, tmp_path: Path) -> None:
    work = clone(sandbox, tmp_path / "work")
    branches = git("branch", "--remotes", "--format=%(refname:lstrip=3)", cwd=work).split()
    assert {"main", BRANCH, "add-regional-rates"} <= set(branches)
    assert (work / PATH).read_text().startswith('"""An order becomes a captured payment."""')


def test_a_push_moves_the_head_and_tells_it(sandbox: Any, listener: Any, tmp_path: Path) -> None:
    number = sandbox.open(REPO, BRANCH)["number"]
    connect(sandbox, listener)
    work = clone(sandbox, tmp_path / "work", token="sandbox-developer-token")
    git("checkout", "-q", BRANCH, cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "More", cwd=work)
    git("push", "-q", "origin", BRANCH, cwd=work)
    head = git("rev-parse", "HEAD", cwd=work)
    assert sandbox.api.get(f"/repos/{REPO}/pulls/{number}").json()["head"]["sha"] == head
    told = {h["x-github-event"]: json.loads(body) for h, body in listener.wait_for(2)}
    assert (told["push"]["ref"], told["push"]["after"]) == (f"refs/heads/{BRANCH}", head)
    assert told["pull_request"]["action"] == "synchronize"
    assert told["pull_request"]["pull_request"]["head"]["sha"] == head
    assert git("ls-remote", "origin", f"refs/pull/{number}/head", cwd=work).split()[0] == head


@pytest.mark.parametrize("token", ["", "wrong"])
def test_nobody_pushes_without_a_token(sandbox: Any, tmp_path: Path, token: str) -> None:
    work = clone(sandbox, tmp_path / "work", token=token)
    before = git("rev-parse", "origin/main", cwd=work)
    git("commit", "-q", "--allow-empty", "-m", "More", cwd=work)
    with pytest.raises(AssertionError):
        git("push", "-q", "origin", "main", cwd=work)
    assert sandbox.api.get(f"/repos/{REPO}/branches/main").json()["commit"]["sha"] == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("acme/none.git/info/refs?service=git-upload-pack", 404),
        ("acme/payments.git/info/refs", 403),
        ("acme/payments.git/info/refs?service=git-upload-archive", 403),
        ("acme/payments.git/info/refs?service=git-receive-pack", 401),
    ],
)
def test_only_fetch_and_push_are_served(sandbox: Any, path: str, status: int) -> None:
    assert sandbox.api.get(f"{sandbox.url}/{path}").status_code == status
