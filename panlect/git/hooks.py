"""The pre-push hook of a repository: put where git will look for it, and never over somebody else's.

Here, and only here, the user's own git configuration counts: it decides where hooks lie. Reading it runs nothing.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from panlect.errors import BadInputError, GitError, NotARepositoryError

NAME = "pre-push"
MARK = "# panlect: made by `panlect hook install`"
_SET_ASIDE = f"{NAME}.before-panlect"
_TIMEOUT_S = 30
_OF_A_RUNNING_HOOK = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"})


@dataclass(frozen=True, slots=True)
class HookPlace:
    """Where git looks for hooks; `shared` when core.hooksPath says so, and other repositories may use it too."""

    folder: Path
    shared: bool

    @property
    def hook(self) -> Path:
        """The hook itself."""
        return self.folder / NAME

    @property
    def set_aside(self) -> Path:
        """Where a foreign hook is kept."""
        return self.folder / _SET_ASIDE


def hook_place(repo: Path) -> HookPlace:
    """Where the hooks of `repo` lie, also of a linked work tree. Raises NotARepositoryError."""
    if not repo.is_dir():
        raise NotARepositoryError(f"{repo} does not exist.", fix="Give the path of a git repository.")
    said = _git(repo, "config", "--type=path", "--get", "core.hooksPath", missing_ok=True)
    if not said:
        common = _git(repo, "rev-parse", "--path-format=absolute", "--git-common-dir")
        return HookPlace(Path(common) / "hooks", shared=False)
    if said == os.devnull:
        raise BadInputError(
            "Hooks are switched off here.",
            why="core.hooksPath is /dev/null.",
            fix="git config core.hooksPath",
        )
    top = _git(repo, "rev-parse", "--show-toplevel", missing_ok=True) or _git(
        repo, "rev-parse", "--absolute-git-dir"
    )
    return HookPlace(Path(top) / said, shared=True)  # relative to where hooks run


def is_ours(hook: Path) -> bool:
    """Whether we made it."""
    try:
        with hook.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def install(place: HookPlace, script: str, *, force: bool = False) -> Path | None:
    """Write the hook; where a foreign one was set aside, with `force`. Raises BadInputError where one stands."""
    hook = place.hook
    kept: Path | None = None
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(hook) and not is_ours(hook):
            if not force or os.path.lexists(place.set_aside):
                raise BadInputError(
                    f"{hook} is somebody else's hook.",
                    why="" if not force else f"{place.set_aside} is taken, so it cannot be set aside.",
                    fix="Call `panlect review --fail-on P1` from it, or use --force to set it aside."
                    if not force
                    else "Move one of the two away.",
                )
            hook.rename(place.set_aside)
            kept = place.set_aside
        fresh = place.folder / f".{NAME}.{os.getpid()}"
        fresh.write_text(script, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(hook)
    except OSError as error:
        raise BadInputError(f"{hook} cannot be written.", why=str(error), fix="Check its rights.") from error
    return kept


def remove(place: HookPlace) -> Path | None:
    """Take our hook away and put back what was set aside for it; what was put back. Raises BadInputError."""
    if not os.path.lexists(place.hook):
        raise BadInputError(f"There is no {NAME} hook in {place.folder}.", fix="Nothing needs to be done.")
    if not is_ours(place.hook):
        raise BadInputError(f"{place.hook} is somebody else's hook.", fix="Remove it by hand if it is to go.")
    try:
        if os.path.lexists(place.set_aside):
            place.set_aside.replace(place.hook)
            return place.hook
        place.hook.unlink()
    except OSError as error:
        raise BadInputError(
            f"{place.hook} cannot be removed.", why=str(error), fix="Check its rights."
        ) from error
    return None


def _git(repo: Path, *arguments: str, missing_ok: bool = False) -> str:
    """One line that git prints with the user's own configuration; "" where `missing_ok` and there is none."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_RUNNING_HOOK}
    command = ["git", "-C", str(repo), *arguments]
    try:
        done = subprocess.run(
            command,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError("git could not be asked where hooks lie.", why=str(error)) from error
    if done.returncode and missing_ok:
        return ""
    if done.returncode:
        raise NotARepositoryError(
            f"{repo} is not a git repository.", fix="Run git init, or give the path of a clone."
        )
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
