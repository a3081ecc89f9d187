"""GitHub's dialect: nothing unsigned is read, nothing malformed passes, wishes become the documented requests."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from uuid import UUID

import pytest

from panlect.errors import BadPayloadError, BadSignatureError, ForgeError
from panlect.forge import github
from panlect.forge.types import Check, Conclusion, InlineComment, ReviewPost

CONNECTION = UUID(int=3)
BODY = b'{"action": "opened"}'
HEADERS = {"x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "x-github-event": "pull_request"}
SHA = "a" * 40


def signed(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def payload(**changes: object) -> bytes:
    said = {
        "action": "opened",
        "pull_request": {"number": 7},
        "repository": {"full_name": "acme/shop"},
    }
    return json.dumps({**said, **changes}).encode()


# Signatures


@pytest.mark.parametrize("secrets", [["new"], ["new", "old"], ["old", "new"], ["", "new"]])
def test_a_body_signed_with_a_known_secret_passes(secrets: list[str]) -> None:
    github.verify(BODY, {"x-hub-signature-256": signed(BODY, "new")}, secrets)


@pytest.mark.parametrize("secret", ["ключ", "🔑", " spaces ", "x" * 500])
def test_secrets_may_be_any_text(secret: str) -> None:
    github.verify(BODY, {"x-hub-signature-256": signed(BODY, secret)}, [secret])


_GOOD = signed(BODY, "secret")


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        ({}, ["secret"]),
        ({"x-hub-signature-256": ""}, ["secret"]),
        ({"x-hub-signature": "sha1=" + hmac.new(b"secret", BODY, hashlib.sha1).hexdigest()}, ["secret"]),
        ({"x-hub-signature-256": "sha1=" + hmac.new(b"secret", BODY, hashlib.sha1).hexdigest()}, ["secret"]),
        ({"x-hub-signature-256": _GOOD}, []),
        ({"x-hub-signature-256": _GOOD}, [""]),
        ({"x-hub-signature-256": signed(BODY, "")}, [""]),
        ({"x-hub-signature-256": _GOOD}, ["another"]),
        ({"x-hub-signature-256": _GOOD.removeprefix("sha256=")}, ["secret"]),
        ({"x-hub-signature-256": _GOOD.upper()}, ["secret"]),
        ({"x-hub-signature-256": _GOOD + "\n"}, ["secret"]),
        ({"x-hub-signature-256": _GOOD[:-1]}, ["secret"]),
        ({"x-hub-signature-256": _GOOD[:-1] + ("0" if _GOOD[-1] != "0" else "1")}, ["secret"]),
        ({"x-hub-signature-256": "sha256=" + "é" * 64}, ["secret"]),
        ({"x-hub-signature-256": "sha256=" + "٣" * 64}, ["secret"]),
        ({"x-hub-signature-256": signed(BODY + b" ", "secret")}, ["secret"]),
    ],
)
def test_everything_else_is_refused(headers: dict[str, str], secrets: list[str]) -> None:
    with pytest.raises(BadSignatureError):
        github.verify(BODY, headers, secrets)


# Payloads


def test_a_delivery_says_what_happened_where() -> None:
    found = github.delivery(payload(), HEADERS, CONNECTION)
    assert (found.event, found.action, found.repository, found.pull_request) == (
        "pull_request",
        "opened",
        "acme/shop",
        7,
    )
    assert (found.delivery_id, found.connection_id, found.body) == (
        HEADERS["x-github-delivery"],
        CONNECTION,
        payload(),
    )
    assert github.wants_review(found)


def test_only_known_headers_are_kept_and_short() -> None:
    headers = {**HEADERS, "user-agent": "x" * 1000, "authorization": "secret", "cookie": "secret"}
    kept = github.delivery(payload(), headers, CONNECTION).headers
    assert set(kept) == {"x-github-delivery", "x-github-event", "user-agent"}
    assert len(kept["user-agent"]) == 200


@pytest.mark.parametrize(
    ("event", "action", "wanted"),
    [
        ("pull_request", "opened", True),
        ("pull_request", "reopened", True),
        ("pull_request", "synchronize", True),
        ("pull_request", "ready_for_review", True),
        ("pull_request", "edited", True),  # its base may have changed
        ("pull_request", "closed", False),
        ("pull_request", "labeled", False),
        ("pull_request", "Opened", False),
        ("pull_request_review", "opened", False),
        ("issues", "opened", False),
        ("projects_v2_item", "edited", False),
        ("event_of_next_year", "opened", False),
    ],
)
def test_only_events_that_may_bring_a_new_head_want_a_review(event: str, action: str, wanted: bool) -> None:
    found = github.delivery(payload(action=action), {**HEADERS, "x-github-event": event}, CONNECTION)
    assert github.wants_review(found) is wanted


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"pull_request": {"number": "7"}}, None),
        ({"pull_request": {"number": True}}, None),
        ({"pull_request": {"number": 0}}, None),
        ({"pull_request": {"number": -1}}, None),
        ({"pull_request": {"number": 2**31}}, None),
        ({"pull_request": {"number": 7.0}}, None),
        ({"pull_request": []}, None),
        ({"pull_request": None}, None),
        ({"pull_request": {"number": 2**31 - 1}}, 2**31 - 1),
    ],
)
def test_a_number_that_cannot_be_is_no_pull_request(changes: dict[str, object], number: int | None) -> None:
    found = github.delivery(payload(**changes), HEADERS, CONNECTION)
    assert found.pull_request == number
    assert github.wants_review(found) is (number is not None)


@pytest.mark.parametrize("action", [None, 7, ["opened"], {}, "x" * 61])
def test_an_action_that_cannot_be_is_none(action: object) -> None:
    assert github.delivery(payload(action=action), HEADERS, CONNECTION).action == ""


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        "acme/shop/x",
        "../x",
        "acme/..",
        "./x",
        "acme/shop?x",
        "acme/sh op",
        7,
        ["acme/shop"],
        "a" * 101 + "/x",
    ],
)
def test_a_repository_that_cannot_be_is_a_bad_payload(name: object) -> None:
    with pytest.raises(BadPayloadError):
        github.delivery(payload(repository={"full_name": name}), HEADERS, CONNECTION)


@pytest.mark.parametrize("repository", [None, [], "acme/shop", {}])
def test_an_event_without_a_repository_is_kept(repository: object) -> None:
    assert github.delivery(payload(repository=repository), HEADERS, CONNECTION).repository == ""


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-github-event": "push"},
        {"x-github-delivery": "1"},
        {"x-github-delivery": "1", "x-github-event": "Push"},
        {"x-github-delivery": "1", "x-github-event": "push\n"},
        {"x-github-delivery": "", "x-github-event": "push"},
        {"x-github-delivery": "x" * 101, "x-github-event": "push"},
        {"x-github-delivery": "a;drop table", "x-github-event": "push"},
        {"x-github-delivery": "é", "x-github-event": "push"},
    ],
)
def test_headers_that_cannot_be_are_a_bad_payload(headers: dict[str, str]) -> None:
    with pytest.raises(BadPayloadError):
        github.delivery(payload(), headers, CONNECTION)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=%7B%7D",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"a": ' * 65 + b"1" + b"}" * 65,
        b"[" * 200_000,
        b'{"a": ' + b"[" * 200_000,
    ],
)
def test_a_body_that_is_no_bounded_object_is_a_bad_payload(body: bytes) -> None:
    with pytest.raises(BadPayloadError):
        github.delivery(body, HEADERS, CONNECTION)


@pytest.mark.parametrize("text", ["[[[[" * 100, '\\"[' * 100, "\\\\", '"{' * 100, "\u2028]\n}"])
def test_brackets_in_texts_are_not_depth(text: str) -> None:
    assert github.delivery(payload(title=text), HEADERS, CONNECTION).pull_request == 7


def test_a_text_that_never_ends_is_looked_at_once() -> None:
    with pytest.raises(BadPayloadError):
        github.delivery(b'{"a": ' + b'"\\' * 500_000, HEADERS, CONNECTION)  # once from each quote: hours


# Requests


def test_a_review_is_one_request_that_comments_and_never_approves() -> None:
    comments = (InlineComment("a.py", 3, 3, "RIGHT", "one"), InlineComment("b.py", 4, 9, "LEFT", "two"))
    request = github.create_review("acme/shop", 7, ReviewPost(SHA, "said", comments))
    assert (request.method, request.path) == ("POST", "/repos/acme/shop/pulls/7/reviews")
    assert request.body == {
        "commit_id": SHA,
        "event": "COMMENT",
        "body": "said",
        "comments": [
            {"path": "a.py", "side": "RIGHT", "line": 3, "body": "one"},
            {"path": "b.py", "side": "LEFT", "line": 9, "body": "two", "start_line": 4, "start_side": "LEFT"},
        ],
    }


@pytest.mark.parametrize("url", ["", "https://panlect.example/reviews/1"])
def test_a_check_is_completed_and_has_a_link_only_where_there_is_one(url: str) -> None:
    check = Check("panlect", SHA, Conclusion.NEUTRAL, "t" * 300, "summary", url)
    body = dict(github.create_check("acme/shop", check).body or {})
    assert (body["status"], body["conclusion"], body["head_sha"]) == ("completed", "neutral", SHA)
    assert body.get("details_url", "") == url
    assert len(dict(body["output"])["title"]) == 250  # type: ignore[call-overload]
    assert "head_sha" not in dict(github.update_check("acme/shop", "9", check).body or {})


@pytest.mark.parametrize(
    ("branch", "path"),
    [("main", "main"), ("feat/x", "feat%2Fx"), ("a?b#c", "a%3Fb%23c"), ("../x", "..%2Fx"), ("é", "%C3%A9")],
)
def test_a_branch_is_one_segment_of_the_path(branch: str, path: str) -> None:
    assert github.get_branch("acme/shop", branch).path == f"/repos/acme/shop/branches/{path}"


# Answers


def pull_answer(**changes: Any) -> dict[str, Any]:
    repo = {"full_name": "acme/shop", "clone_url": "https://github.com/acme/shop.git"}
    side = {"ref": "main", "sha": SHA, "repo": repo}
    return {
        "number": 7,
        "title": "t",
        "state": "open",
        "user": {"login": "a"},
        "base": side,
        "head": side,
        **changes,
    }


def test_a_pull_request_is_read() -> None:
    found = github.pull_request(pull_answer())
    assert (found.repository, found.number, found.author, found.draft) == ("acme/shop", 7, "a", False)


@pytest.mark.parametrize(
    "changes", [{"user": None}, {"user": "a"}, {"head": {"ref": "x", "sha": SHA, "repo": None}}]
)
def test_a_deleted_account_or_fork_is_no_error(changes: dict[str, Any]) -> None:
    assert github.pull_request(pull_answer(**changes)).number == 7


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        "text",
        pull_answer(number="seven"),
        pull_answer(base=None),
        pull_answer(head={"ref": "x", "sha": "--upload-pack=sh"}),
        pull_answer(head={"ref": "x", "sha": SHA[:-1]}),
    ],
)
def test_an_answer_that_is_no_pull_request_is_an_error_of_the_host(answer: Any) -> None:
    with pytest.raises(ForgeError):
        github.pull_request(answer)


@pytest.mark.parametrize(
    "answer", [None, {}, [], {"name": "x"}, {"name": "x", "commit": {"sha": "main"}}, "x"]
)
def test_an_answer_that_is_no_branch_is_an_error_of_the_host(answer: Any) -> None:
    with pytest.raises(ForgeError):
        github.branch(answer)


@pytest.mark.parametrize(
    "answer", [None, {}, [], {"full_name": "../x", "clone_url": "u", "default_branch": "m"}, "x"]
)
def test_an_answer_that_is_no_repository_is_an_error_of_the_host(answer: Any) -> None:
    with pytest.raises(ForgeError):
        github.hosted_repository(answer)


@pytest.mark.parametrize("answer", [None, {"message": "x"}, [None], ["text"], [{}], [[]]])
def test_an_answer_that_is_no_list_of_reviews_is_an_error_of_the_host(answer: Any) -> None:
    with pytest.raises(ForgeError):
        github.reviews(answer)


@pytest.mark.parametrize("answer", [None, [], {}, {"check_runs": [None]}, {"check_runs": None}, "x"])
def test_an_answer_that_is_no_list_of_checks_is_an_error_of_the_host(answer: Any) -> None:
    with pytest.raises(ForgeError):
        github.check_ids(answer)
