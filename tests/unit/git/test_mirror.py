"""Mirrors fetch from vetted addresses only, once for each new head, and keep the token to themselves."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from panlect.errors import BadInputError, EgressRefusedError, ForgeUnavailableError, GitError
from panlect.git import mirror
from panlect.git.mirror import Remote, checked_ref, fetch, pull_ref


@pytest.fixture
def served(work: Any, tmp_path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The work tree's repository over plain HTTP, and the headers of each request."""
    work.commit({"a": "1"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "served/shop.git"))
    seen: list[dict[str, str]] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({k.lower(): v for k, v in self.headers.items()})
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    work.git("-C", str(tmp_path / "served/shop.git"), "update-server-info")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/shop.git", seen
    server.shutdown()
    thread.join()
    server.server_close()


MAIN = ["refs/heads/main"]


def test_a_mirror_holds_the_refs_that_were_asked_for(work: Any, served: Any, tmp_path: Path) -> None:
    url, _ = served
    found = fetch(tmp_path / "mirror", Remote(url, allow=["127.0.0.1"]), MAIN)
    assert found.resolve("refs/heads/main") == work.git("rev-parse", "main")
    assert found.work_tree is None


def test_a_commit_that_is_there_is_not_fetched_again(work: Any, served: Any, tmp_path: Path) -> None:
    url, seen = served
    remote = Remote(url, allow=["127.0.0.1"])
    sha = fetch(tmp_path / "mirror", remote, MAIN).resolve("refs/heads/main")
    asked = len(seen)
    fetch(tmp_path / "mirror", remote, MAIN, want=[sha])
    assert len(seen) == asked
    fetch(tmp_path / "mirror", remote, MAIN, want=[sha, "0" * 40])
    assert len(seen) > asked


def test_the_token_is_sent_and_is_in_no_argument_and_no_file(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = served
    arguments: list[list[str]] = []
    real = mirror.git

    def spied(*args: str, **kwargs: Any) -> Any:
        arguments.append([*args])
        return real(*args, **kwargs)

    monkeypatch.setattr(mirror, "git", spied)
    fetch(tmp_path / "mirror", Remote(url, "tok-en-1", ["127.0.0.1"]), MAIN)
    sent = "eC1hY2Nlc3MtdG9rZW46dG9rLWVuLTE="
    assert {headers.get("authorization") for headers in seen} == {f"Basic {sent}"}
    assert not [word for words in arguments for word in words if "tok-en-1" in word or sent in word]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "mirror").rglob("*") if path.is_file())
    assert b"tok-en-1" not in kept
    assert sent.encode() not in kept


def test_a_remote_does_not_show_its_token() -> None:
    assert "tok-en-1" not in repr(Remote("https://example.org/x.git", "tok-en-1"))


def test_a_failed_fetch_does_not_tell_the_token(tmp_path: Path) -> None:
    with pytest.raises(ForgeUnavailableError) as caught:
        fetch(tmp_path / "mirror", Remote("http://127.0.0.1:1/shop.git", "tok-en-1", ["127.0.0.1"]), MAIN)
    assert "tok-en-1" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/shop.git",
        "http://169.254.169.254/latest",
        "http://[::1]/shop.git",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "ssh://git@example.org/x.git",
        "git@example.org:x.git",
        "--upload-pack=sh",
        "https://user:password@example.org/x.git",
    ],
)
def test_an_address_that_leads_inside_is_never_fetched(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs: list[str] = []
    real = mirror.git
    monkeypatch.setattr(
        mirror, "git", lambda *args, **kwargs: [verbs.append(args[0]), real(*args, **kwargs)][1]
    )
    with pytest.raises(EgressRefusedError):
        fetch(tmp_path / "mirror", Remote(url), MAIN)
    assert verbs == ["init"]


def test_the_vetted_address_is_pinned_for_git(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = served
    port = url.split(":")[2].split("/")[0]
    vetted = partial(mirror.vet, resolver=lambda host, port: ["127.0.0.1"])
    monkeypatch.setattr(mirror, "vet", vetted)
    name = f"forge.does-not-exist.example:{port}"
    fetch(tmp_path / "mirror", Remote(f"http://{name}/shop.git", allow=[name]), MAIN)
    assert seen[0]["host"] == name


def test_only_the_owner_sees_a_mirror(served: Any, tmp_path: Path) -> None:
    url, _ = served
    fetch(tmp_path / "mirror", Remote(url, allow=["127.0.0.1"]), MAIN)
    assert stat.S_IMODE((tmp_path / "mirror").stat().st_mode) == 0o700


def test_fetches_at_the_same_time_do_not_disturb_each_other(served: Any, tmp_path: Path) -> None:
    url, _ = served
    errors: list[BaseException] = []

    def one() -> None:
        try:
            fetch(tmp_path / "mirror", Remote(url, allow=["127.0.0.1"]), MAIN).resolve("refs/heads/main")
        except GitError as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_pull_request_has_the_ref_that_github_gives_it() -> None:
    assert pull_ref(7) == "refs/pull/7/head"


@pytest.mark.parametrize("name", ["main", "feat/x", "v1.2", "a_b-c", "user@host", "fix#1", "a=b", "c++"])
def test_usual_branch_names_pass(name: str) -> None:
    assert checked_ref(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "--upload-pack=sh",
        "/x",
        ".x",
        "a..b",
        "a b",
        "a:b",
        "a*",
        "a?",
        "a[b",
        "a^",
        "a~1",
        "a\nb",
        "é",
        "+x:y",
        "a\\b",
    ],
)
def test_names_that_git_could_read_as_more_are_refused(name: str) -> None:
    with pytest.raises(BadInputError):
        checked_ref(name)


def test_locks_that_a_killed_git_left_do_not_stop_the_next_fetch(
    work: Any, served: Any, tmp_path: Path
) -> None:
    url, _ = served
    remote = Remote(url, allow=["127.0.0.1"])
    fetch(tmp_path / "mirror", remote, MAIN)
    (tmp_path / "mirror/refs/heads/main.lock").touch()
    (tmp_path / "mirror/packed-refs.lock").touch()
    found = fetch(tmp_path / "mirror", remote, MAIN)
    assert found.resolve("refs/heads/main") == work.git("rev-parse", "main")
    assert (tmp_path / "mirror/panlect.lock").exists()


def test_a_branch_that_is_gone_is_no_fault_of_the_moment(served: Any, tmp_path: Path) -> None:
    url, _ = served
    with pytest.raises(GitError):
        fetch(tmp_path / "mirror", Remote(url, allow=["127.0.0.1"]), ["refs/heads/gone"])
