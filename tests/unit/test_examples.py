"""The workflows and commands that the documentation offers for copying: well formed, and every command of ours exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml

from panlect.cli import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.yml"))


def commands(text: str) -> Iterator[list[str]]:
    """Every command of ours in a shell text, as words; what follows a pipe is a command of its own."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for part in re.split(r"\s\|\s", line):
            words = shlex.split(part, comments=True)
            if words[:1] == ["panlect"]:
                yield words[1:]


def assert_parses(words: list[str]) -> None:
    """The command line takes these words."""
    command = cast(Any, typer.main.get_command(app))
    while hasattr(command, "commands"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    command.make_context("panlect", list(words))


def scripts(found: object) -> Iterator[str]:
    """Every `run` and `script` of a workflow."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key == "run":
                yield str(value)
            elif key == "script":
                yield "\n".join(value)
            else:
                yield from scripts(value)
    elif isinstance(found, list):
        for each in found:
            yield from scripts(each)


def test_there_are_examples_for_both_hosts() -> None:
    assert [path.name for path in EXAMPLES] == ["github-actions.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_command_of_an_example_exists(path: Path) -> None:
    found = [words for script in scripts(yaml.safe_load(path.read_text())) for words in commands(script)]
    assert [words[0] for words in found] == ["review"]
    for words in found:
        assert_parses(words)
        assert {"--base", "--fail-on", "--html"} <= set(words)


def test_what_a_workflow_uploads_is_what_it_wrote() -> None:
    github, gitlab = (yaml.safe_load(path.read_text()) for path in EXAMPLES)
    (written,) = (words for script in scripts(github) for words in commands(script))
    steps = github["jobs"]["review"]["steps"]
    uploaded = [step["with"].get("sarif_file") or step["with"].get("path") for step in steps[-2:]]
    assert uploaded == [written[written.index("--sarif") + 1], written[written.index("--html") + 1]]
    assert all("cancelled()" in step["if"] for step in steps[-2:])  # also when a finding failed the step
    (written,) = (words for script in scripts(gitlab) for words in commands(script))
    artifacts = gitlab["panlect"]["artifacts"]
    assert artifacts["reports"]["codequality"] == written[written.index("--code-quality") + 1]
    assert (artifacts["when"], artifacts["paths"]) == ("always", [written[written.index("--html") + 1]])


def test_both_clone_the_history_that_the_merge_base_needs() -> None:
    github, gitlab = (yaml.safe_load(path.read_text()) for path in EXAMPLES)
    assert github["jobs"]["review"]["steps"][0]["with"]["fetch-depth"] == 0
    assert gitlab["panlect"]["variables"]["GIT_DEPTH"] == "0"
    assert github["permissions"] == {"contents": "read", "security-events": "write"}


@pytest.mark.parametrize("page", ["ci.md", "ask.md", "summaries.md"])
def test_every_command_of_a_how_to_exists(page: str) -> None:
    blocks = re.findall(r"```\w*\n(.*?)```", (DOCS / "how-to" / page).read_text(), re.DOTALL)
    found = [words for block in blocks for words in commands(block)]
    assert found
    for words in found:
        assert_parses(words)


def test_a_command_that_is_not_there_is_noticed() -> None:
    with pytest.raises(Exception, match="no-such-flag"):
        assert_parses(["review", "--no-such-flag"])
