"""What other reviewers' settings become, key by key, and what is said of the rest."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from panlect.cli import app
from panlect.errors import BadInputError, ConfigurationError
from panlect.rules.config import RepositoryConfig, effective, parse
from panlect.rules.importers import Imported, import_settings

CHECKS = frozenset({"secret"})


def imported(root: Path, **files: Any) -> Imported:
    names = {"greptile": "greptile.json", "coderabbit": ".coderabbit.yaml", "pr_agent": ".pr_agent.toml"}
    for name, content in files.items():
        (root / names[name]).write_text(content if isinstance(content, str) else json.dumps(content))
    return import_settings(root, CHECKS)


def read(made: Imported) -> RepositoryConfig:
    return parse(made.toml.encode(), CHECKS)


def became(made: Imported) -> dict[str, str]:
    return {row.key: row.became for row in made.rows}


def test_greptile_settings_become_ours(tmp_path: Path) -> None:
    made = imported(
        tmp_path,
        greptile={
            "strictness": 3,
            "labels": ["ai"],
            "disabledLabels": ["docs"],
            "excludeAuthors": ["dependabot[bot]"],
            "excludeBranches": ["wip/*"],
            "ignoreKeywords": "rename\nlint",
            "ignorePatterns": "# made\nbuild/\nnode_modules\n*.snap\n/gen/{a,b}/**\n!keep.py\n",
            "triggerOnDrafts": False,
            "fileChangeLimit": 30,
            "somethingNew": 1,
        },
    )
    config = read(made)
    assert config.review.min_severity == "P1"
    assert not config.review.drafts
    assert config.filters.labels == ("ai", "!docs")
    assert config.filters.authors == ("!dependabot[bot]",)
    assert config.filters.branches == ("!wip/*",)
    assert config.filters.titles == ("!*rename*", "!*lint*")
    out = {"a/build/x.py", "b/node_modules/y.js", "t/z.snap", "gen/b/c.py", "keep.py"}
    assert {path for path in out if effective(config, path).excluded.value} == out - {"keep.py"}
    rows = {row.key: row for row in made.rows}
    assert rows["ignorePatterns"].why.startswith("1 of its values not")
    assert (rows["fileChangeLimit"].became, rows["somethingNew"].why) == ("", "no counterpart")


def test_a_folder_of_greptile_comes_before_its_old_file(tmp_path: Path) -> None:
    (tmp_path / ".greptile").mkdir()
    (tmp_path / ".greptile" / "config.json").write_text('{"strictness": 1}')
    made = imported(tmp_path, greptile={"strictness": 3})
    assert read(made).review.min_severity == "P3"
    assert [(row.file, row.why) for row in made.rows][1] == (
        "greptile.json",
        "another file has set it before",
    )


def test_coderabbit_settings_become_ours(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    made = imported(
        tmp_path,
        coderabbit=(
            "language: en\nreviews:\n  profile: chill\n  path_filters: ['!dist/**', 'src/**']\n"
            "  auto_review:\n    drafts: false\n    labels: ['!skip']\n    ignore_title_keywords: [WIP]\n"
            "    base_branches: ['release/.*']\n  tools:\n    ruff:\n      enabled: true\n"
        ),
    )
    config = read(made)
    assert config.paths.exclude == ("dist/**",)
    assert config.filters.labels == ("!skip",)
    assert config.filters.titles == ("!*WIP*",)
    assert not config.review.drafts
    assert not became(made)["reviews.auto_review.base_branches"]
    assert not became(made)["reviews.tools.ruff.enabled"]


def test_pr_agent_settings_become_ours(tmp_path: Path) -> None:
    made = imported(
        tmp_path,
        pr_agent=(
            "[config]\nignore_pr_title = ['^\\[Auto\\]', 'bump', '^(a|b)', 'done$']\nmodel = 'secret-name'\n"
            "allow_only_specific_folders = ['src', 'lib/']\n"
            "[ignore]\nglob = ['vendor/**', 'x[ab].py']\nregex = ['a+']\n[pr_reviewer]\nnum_max_findings = 5\n"
        ),
    )
    config = read(made)
    assert config.filters.titles == ("![Auto]*", "!*bump*", "!*done")
    assert config.paths.include == ("src/**", "lib/**")
    assert config.paths.exclude == ("vendor/**",)
    assert (config.review.inline_small, config.review.inline_large) == (5, 5)
    assert not became(made)["ignore.regex"]
    assert "secret-name" not in made.toml + repr(made.rows)  # names alone are told


@pytest.mark.parametrize(
    "text",
    ["[1]", "{", '{"a":' * 20_000, "x" * 70_000, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")],
    ids=["list", "cut", "deep", "large", "bytes"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInputError, match=r"greptile\.json"):
        imported(tmp_path, greptile=text)


def test_aliases_that_multiply_are_read_to_a_limit(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    lines = ["l0: &l0 {a: 1}"]
    lines += [f"l{n}: &l{n} {{" + ", ".join(f"k{k}: *l{n - 1}" for k in range(40)) + "}" for n in range(1, 9)]
    made = imported(tmp_path, coderabbit="\n".join(lines))
    assert len(made.rows) == 501
    assert made.rows[-1].key == "(the rest)"


def test_values_of_the_wrong_kind_are_told_and_not_taken(tmp_path: Path) -> None:
    made = imported(
        tmp_path,
        greptile={"strictness": True, "labels": [1], "triggerOnDrafts": "no", "excludeAuthors": ["a\ud800"]},
    )
    assert not any(became(made).values())
    assert read(made) == RepositoryConfig()


def test_a_glob_that_is_too_long_is_an_error_and_not_cut(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"paths\.exclude"):
        imported(tmp_path, greptile={"ignorePatterns": "a/" * 300 + "b"})


def test_yaml_without_its_parser_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(BadInputError, match="PyYAML"):
        imported(tmp_path, coderabbit="a: 1\n")


def test_a_folder_without_settings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no settings"):
        import_settings(tmp_path, CHECKS)


def test_the_command_prints_and_writes_and_does_not_write_over(tmp_path: Path) -> None:
    (tmp_path / "greptile.json").write_text('{"strictness": 2, "model": "m"}')
    command = ["config", "import", "--repo", str(tmp_path)]
    shown = CliRunner().invoke(app, command)
    assert 'min_severity = "P2"' in shown.stdout
    assert "greptile.json: strictness -> review.min_severity" in shown.stderr
    assert "model -- nothing" in shown.stderr
    target = tmp_path / "panlect.toml"
    assert not target.exists()
    CliRunner().invoke(app, [*command, "--write"], catch_exceptions=False)
    assert target.read_text() == shown.stdout
    target.write_text("mine")
    with pytest.raises(BadInputError, match="there already"):
        CliRunner().invoke(app, [*command, "--write"], catch_exceptions=False)
    assert target.read_text() == "mine"
    CliRunner().invoke(app, [*command, "--write", "--force"], catch_exceptions=False)
    assert target.read_text() == shown.stdout
