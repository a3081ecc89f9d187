"""The hook lies where git looks for it; what somebody else put there is never lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from panlect.errors import BadInputError, NotARepositoryError
from panlect.git.hooks import MARK, hook_place, install, remove

SCRIPT = f"#!/bin/sh\n{MARK}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person whose configuration is known."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


def said_by_git(repo: Path) -> Path:
    """Where git itself looks."""
    command = ["git", "-C", str(repo), "rev-parse", "--path-format=absolute", "--git-path", "hooks"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def test_it_lies_where_git_looks_for_it_and_can_be_run(work: Any) -> None:
    work.commit({"a": "1"})
    (work.path / "below").mkdir()
    place = hook_place(work.path / "below")
    assert place.folder == said_by_git(work.path)
    assert install(place, SCRIPT) is None
    assert os.access(place.hook, os.X_OK)
    assert install(place, SCRIPT + "# newer\n") is None
    assert place.hook.read_text().endswith("# newer\n")
    assert remove(place) is None
    assert not [found for found in place.folder.glob("*pre-push*") if found.suffix != ".sample"]


@pytest.mark.parametrize("where", [".githooks", "~/hooks", "/absolute"])
@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_configured_folder_of_hooks_is_the_one_that_is_used(
    work: Any, tmp_path: Path, where: str, scope: str
) -> None:
    work.commit({"a": "1"})
    said = where.replace("/absolute", str(tmp_path / "absolute"))
    subprocess.run(["git", "config", scope, "core.hooksPath", said], cwd=work.path, check=True)
    place = hook_place(work.path)
    assert place.folder == said_by_git(work.path)
    assert place.shared
    install(place, SCRIPT)
    assert place.hook.exists()


def test_a_linked_work_tree_shares_the_hooks_of_its_repository(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    assert hook_place(tmp_path / "linked").folder == said_by_git(tmp_path / "linked")
    assert hook_place(tmp_path / "linked") == hook_place(work.path)


def test_a_foreign_hook_stays_and_is_put_back_where_it_was_set_aside(work: Any) -> None:
    work.commit({"a": "1"})
    place = hook_place(work.path)
    place.folder.mkdir(exist_ok=True)
    place.hook.write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(BadInputError, match="somebody else's"):
        install(place, SCRIPT)
    with pytest.raises(BadInputError, match="somebody else's"):
        remove(place)
    assert "echo mine" in place.hook.read_text()
    assert install(place, SCRIPT, force=True) == place.set_aside
    assert MARK in place.hook.read_text()
    assert remove(place) == place.hook
    assert "echo mine" in place.hook.read_text()


def test_a_hook_that_was_set_aside_is_not_written_over(work: Any) -> None:
    work.commit({"a": "1"})
    place = hook_place(work.path)
    place.folder.mkdir(exist_ok=True)
    place.hook.write_text("new")
    place.set_aside.write_text("old")
    with pytest.raises(BadInputError) as told:
        install(place, SCRIPT, force=True)
    assert "cannot be set aside" in told.value.why
    assert (place.hook.read_text(), place.set_aside.read_text()) == ("new", "old")


def test_a_link_to_a_hook_of_others_is_replaced_and_its_target_kept(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    place = hook_place(work.path)
    place.folder.mkdir(exist_ok=True)
    shared = tmp_path / "shared"
    shared.write_text("theirs")
    place.hook.symlink_to(shared)
    install(place, SCRIPT, force=True)
    assert shared.read_text() == "theirs"
    assert not place.hook.is_symlink()


@pytest.mark.parametrize("where", ["nowhere", "plain"])
def test_what_is_no_repository_has_no_hooks(tmp_path: Path, where: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotARepositoryError):
        hook_place(tmp_path / where)


def test_hooks_that_are_switched_off_are_said_to_be(work: Any) -> None:
    work.commit({"a": "1"})
    work.git("config", "core.hooksPath", "/dev/null")
    with pytest.raises(BadInputError, match="switched off"):
        hook_place(work.path)


def test_there_is_nothing_to_remove_where_there_is_no_hook(work: Any) -> None:
    work.commit({"a": "1"})
    with pytest.raises(BadInputError, match="There is no pre-push hook"):
        remove(hook_place(work.path))
