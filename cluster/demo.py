"""`make demo`: the whole way once. Connect, index, open pull requests, and print what came back."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from rich.console import Console
from rich.text import Text

from cluster.laptop import Running, everything
from cluster.sandbox.samples import DEVELOPER, REVIEWER, add_accounts, import_repository, plant
from cluster.sandbox.store import Store
from panlect.db import embedded
from panlect.errors import BadInputError, PanlectError
from panlect.git.repository import Repository, open_repository
from panlect.review.terminal import printable
from panlect.settings import Settings

T = TypeVar("T")
_INDEX_S, _REVIEW_S = 300.0, 300.0
_FINAL = ("done", "failed", "cancelled", "superseded")


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What to show: the samples, or `head` against `base` of a repository of yours."""

    repo: Path | None = None
    base: str = ""
    head: str = ""
    json_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pull request to open."""

    repository: str
    base: str
    head: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Change:
    """A local change to show: a repository and two commits of it."""

    repository: Repository
    name: str
    base_sha: str
    head_sha: str


def demo(settings: Settings, request: DemoRequest) -> int:
    """Run the main job end to end, print what came out, stop everything."""
    change = _local_change(request) if request.repo else None  # wrong input is said before anything starts
    settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    proposed: list[Proposed] = []

    def prepare() -> None:
        _wipe(settings.data_dir)
        proposed.extend(_plant(settings, change))

    print("Panlect demo: a signed webhook becomes a posted review, on the real parts", file=sys.stderr)
    began = time.monotonic()
    with everything(settings, prepare=prepare) as running:
        seconds = dict(running.seconds)
        with httpx2.Client(
            base_url=running.url, headers=_bearer(running.token), timeout=60, trust_env=False
        ) as api:
            _connect_and_index(api, running, sorted({one.repository for one in proposed}), seconds)
            numbers = _timed(seconds, "open pull requests", lambda: _open_all(running, proposed))
            reviews = _timed(seconds, "webhook to posted review", lambda: _wait_for_reviews(api, numbers))
        seconds["total"] = round(time.monotonic() - began, 1)
        outcome = {"reviews": reviews, "seconds": seconds}
        _print_outcome(outcome)
    _print_where_to_look(settings, reviews)
    if request.json_file:
        request.json_file.write_text(json.dumps(outcome, indent=2) + "\n")
    return 0


def _local_change(request: DemoRequest) -> Change:
    assert request.repo is not None
    repository = open_repository(request.repo)
    head = repository.resolve(request.head or "HEAD")
    base = repository.resolve(request.base or repository.default_base(head))
    if base == head:
        raise BadInputError("BASE and HEAD are the same commit.", fix="Give two: BASE=main HEAD=feature.")
    name = (
        "".join(c if c.isalnum() or c in "._-" else "-" for c in request.repo.resolve().name) or "repository"
    )
    return Change(repository, f"local/{name}", base, head)


def _wipe(data_dir: Path) -> None:
    """A demo begins with nothing: the data of the last one goes, the running directory stays."""
    embedded.stop(data_dir)
    shutil.rmtree(embedded.postgres_root(data_dir), ignore_errors=True)
    for name in ("forge", "mirrors", "ray"):
        shutil.rmtree(data_dir / name, ignore_errors=True)


def _plant(settings: Settings, change: Change | None) -> list[Proposed]:
    """Fill the forge's directory before it starts, and say which pull requests to open."""
    store = Store(settings.data_dir / "forge")
    try:
        add_accounts(store)
        if change is None:
            return [
                Proposed(one.repository, "main", pull.branch, pull.title, pull.body)
                for one in plant(store)
                for pull in one.pulls
            ]
        import_repository(store, change.repository, change.base_sha, change.head_sha, change.name)
        title = change.repository.run("log", "-1", "--format=%s", change.head_sha).stdout.decode(
            "utf-8", "replace"
        )
        return [Proposed(change.name, "base", "head", title.strip() or "A change", "")]
    finally:
        store.close()


def _timed(seconds: dict[str, float], what: str, work: Callable[[], T]) -> T:
    began = time.monotonic()
    print(f"  {what} ...", end="", file=sys.stderr, flush=True)
    result = work()
    seconds[what] = round(time.monotonic() - began, 2)
    print(f" {seconds[what]:.1f} s", file=sys.stderr, flush=True)
    return result


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _connect_and_index(
    api: httpx2.Client, running: Running, repositories: Sequence[str], seconds: dict[str, float]
) -> None:
    def connect() -> list[str]:
        return [_connect(api, running, name) for name in repositories]

    runs = _timed(seconds, "connect repositories", connect)

    def index() -> None:
        for run in runs:
            _wait_for_run(api, run)

    _timed(seconds, "index (Ray job with Ray Data)", index)


def _connect(api: httpx2.Client, running: Running, full_name: str) -> str:
    asked = {
        "base_url": f"{running.forge_url}/api/v3",
        "full_name": full_name,
        "token": REVIEWER[1],
        "bulk": True,
    }
    answer = _checked(api.post("/api/v1/repositories", json=asked), f"connect {full_name}")
    return str(answer["run_id"])


def _wait_for_run(api: httpx2.Client, run_id: str) -> None:
    """Until the run is final. Raises PanlectError when it did not end well."""
    deadline = time.monotonic() + _INDEX_S
    while time.monotonic() < deadline:
        run = _checked(api.get(f"/api/v1/runs/{run_id}"), "read the run")
        if run["status"] in _FINAL or run["detail"].get("searchable"):
            if run["status"] in ("failed", "cancelled"):
                raise PanlectError(
                    "Indexing failed.", why=run["reason"], fix="See the Ray dashboard's job logs."
                )
            return
        time.sleep(0.25)
    raise PanlectError(
        f"Indexing took longer than {_INDEX_S:.0f} s.", fix="See the Ray dashboard's job logs."
    )


def _open_all(running: Running, proposed: Sequence[Proposed]) -> list[tuple[str, int]]:
    url = f"{running.forge_url}/api/v3"
    with httpx2.Client(base_url=url, headers=_bearer(DEVELOPER[1]), timeout=60, trust_env=False) as forge:
        return [(one.repository, _open(forge, one)) for one in proposed]


def _open(forge: httpx2.Client, one: Proposed) -> int:
    asked = {"title": one.title, "body": one.body, "base": one.base, "head": one.head}
    return int(
        _checked(forge.post(f"/repos/{one.repository}/pulls", json=asked), "open the pull request")["number"]
    )


def _wait_for_reviews(api: httpx2.Client, numbers: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """The review of every pull request, once each is posted or will not be. Raises PanlectError when one is missing."""
    deadline = time.monotonic() + _REVIEW_S
    found: dict[tuple[str, int], str] = {}
    while time.monotonic() < deadline:
        rows = _checked(api.get("/api/v1/reviews", params={"limit": 200}), "list reviews")
        found = {(row["repository"], row["number"]): row["id"] for row in rows if row["state"] != "stored"}
        if all(one in found for one in numbers):
            reviews = [
                _checked(api.get(f"/api/v1/reviews/{found[one]}"), "read the review") for one in numbers
            ]
            return [review for review in reviews if isinstance(review, dict)]
        time.sleep(0.1)
    missing = [f"{name}#{number}" for name, number in numbers if (name, number) not in found]
    raise PanlectError(
        f"No review of {', '.join(missing)} within {_REVIEW_S:.0f} s.", fix="See the worker's log."
    )


def _checked(answer: httpx2.Response, what: str) -> Any:
    if answer.status_code >= 400:
        raise PanlectError(
            f"Could not {what}.", why=answer.text[:500], fix="See the logs in the data directory."
        )
    return answer.json()


def _print_outcome(outcome: dict[str, Any]) -> None:
    console = Console(highlight=False)
    for review in outcome["reviews"]:
        _print_review(console, review)
    console.print()
    for what, spent in outcome["seconds"].items():
        console.print(f"  {spent:7.1f} s  {what}")


def _print_review(console: Console, review: dict[str, Any]) -> None:
    coverage = review["coverage"]
    colour = {"REVIEWED": "green", "PARTIAL": "yellow", "FAILED": "red"}.get(review["verdict"], "")
    head = f"\n{review['repository']} #{review['pull_request']}  "
    read = f"  {coverage['read']} of {coverage['hunks']} hunks read, {len(coverage['excluded'])} excluded"
    said = "posted" if review["posted"] else f"{review['state']} {review['state_reason']}"
    console.print(
        Text.assemble((head, "bold"), (review["verdict"], f"bold {colour}"), read, f", {said}"),
        soft_wrap=True,
    )
    for finding in review["findings"]:
        where = finding["evidence"][0] if finding["path"] is None else finding
        at = f"{printable(where['path'])}:{where['start_line']}"
        console.print(
            Text.assemble(f"  {finding['severity']} ", (at, "bold"), f"  {printable(finding['title'])}"),
            soft_wrap=True,
        )
        for evidence in finding["evidence"][:3]:
            quote = printable(evidence["quote"].strip().splitlines()[0]) if evidence["quote"].strip() else ""
            place = f"{printable(evidence['path'])}:{evidence['start_line']} ({evidence['side']})"
            console.print(Text.assemble((f"       {place}  {quote}", "dim")), soft_wrap=True)
    if not review["findings"]:
        console.print("  no finding" + (f": {review['reason']}" if review["verdict"] != "REVIEWED" else ""))


def _print_where_to_look(settings: Settings, reviews: Sequence[dict[str, Any]]) -> None:
    print(
        f"\nTo look around: PANLECT_DATA_DIR={settings.data_dir} make up\n"
        f"  a review        http://127.0.0.1:{settings.port}/reviews/{reviews[0]['id']}\n"
        f"  its pull request http://127.0.0.1:{settings.forge_port}/{reviews[0]['repository']}/pull/{reviews[0]['pull_request']}"
    )
