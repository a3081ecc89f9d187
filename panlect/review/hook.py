"""The pre-push hook: what is pushed is reviewed first, and a severe finding stops the push."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from panlect.git.hooks import MARK, HookPlace, hook_place, install, remove
from panlect.review.local import severity_named

_SCRIPT = """#!/bin/sh
{mark}; `panlect hook remove` takes it away.
# Reviews what is pushed. A finding as severe as {level} stops the push; `git push --no-verify` goes without.
# A review that could not be made is said aloud and stops nothing.
panlect() {{ {program} "$@"; }}
stopped=0
while read -r local_ref local_sha remote_ref remote_sha; do
    case "$local_sha" in *[!0]*) ;; *) continue ;; esac    # a branch that is removed
    case "$local_ref" in refs/tags/*) continue ;; esac
    set -- --repo . --head "$local_sha" --fail-on {level}
    case "$remote_sha" in
        *[!0]*) git cat-file -e "$remote_sha^{{commit}}" 2>/dev/null && set -- "$@" --base "$remote_sha" ;;
    esac
    panlect review "$@" >&2 </dev/null
    code=$?
    case $code in
        0) ;;
        1) stopped=1 ;;
        *) echo "panlect: $local_ref was NOT reviewed (exit code $code); the push goes on." >&2 ;;
    esac
done
if [ $stopped -ne 0 ]; then
    echo "panlect: the push was stopped. To push all the same: git push --no-verify" >&2
    exit 1
fi
"""


def script(level: str) -> str:
    """The hook's text. It calls the Python that installed it, wherever the push is made from.

    With -P: what lies in the folder of the push, which is the repository, is never imported.
    """
    program = shlex.join([sys.executable, "-P", "-m", "panlect.cli"])
    return _SCRIPT.format(mark=MARK, level=level, program=program)


def install_hook(repo: Path, fail_on: str, *, force: bool) -> list[str]:
    """Install it; what to tell. Raises BadInputError for a severity that is none, or where a foreign hook stands."""
    level = severity_named(fail_on)
    place = hook_place(repo)
    kept = install(place, script(level.value if level else "P1"), force=force)
    told = [f"{place.hook} reviews what is pushed."]
    if kept is not None:
        told.append(f"The hook that stood there is kept as {kept}; it runs no more.")
    return [*told, *_shared(place)]


def remove_hook(repo: Path) -> list[str]:
    """Remove it; what to tell. Raises BadInputError where there is none of ours."""
    place = hook_place(repo)
    restored = remove(place)
    return [f"{place.hook} is {'what it was before' if restored else 'removed'}."]


def _shared(place: HookPlace) -> list[str]:
    if not place.shared:
        return []
    return [f"core.hooksPath is set: it runs in every repository that uses {place.folder}."]
