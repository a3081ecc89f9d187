"""The terminal: exit codes that scripts rely on, errors in three lines, JSON on request, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from panlect import __version__, cli
from panlect.git.run import git

BROKEN = "topic"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository: `main`, `topic` that breaks a call, `clean` that breaks nothing."""
    git_dir = tmp_path_factory.mktemp("cli") / "shop.git"
    git("init", "--bare", "--quiet", "--template=", "--initial-branch=main", str(git_dir))
    capture, retry = (
        "def capture(order):\n    return order\n",
        "from shop.capture import capture\n\ncapture(1)\n",
    )
    changes = {
        "main": {"shop/__init__.py": "", "shop/capture.py": capture, "jobs.py": retry},
        "topic": {"shop/capture.py": capture.replace("order)", "order, key)")},
        "clean": {"README.md": "# Shop\n"},
    }
    script = ""
    for branch, files in changes.items():
        script += f"commit refs/heads/{branch}\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"
        script += "" if branch == "main" else "from refs/heads/main\n"
        script += "".join(
            f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items()
        )
    git("fast-import", "--quiet", git_dir=git_dir, stdin=script.encode())
    return git_dir


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line in this process: (exit code, standard output, standard error)."""

    def ran(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["panlect", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsys.readouterr()
        return caught.value.code, said.out, said.err

    return ran


def test_the_version_is_printed(run: Any) -> None:
    assert run("version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("head", "flags", "code"),
    [
        ("topic", [], 0),
        ("topic", ["--fail-on", "P1"], 1),
        ("topic", ["--fail-on", "p1"], 1),
        ("topic", ["--fail-on", "P0"], 0),
        ("topic", ["--strict"], 0),
        ("clean", ["--fail-on", "P3"], 0),
    ],
)
def test_a_review_ends_with_the_code_that_was_asked_for(
    run: Any, shop: Path, head: str, flags: list[str], code: int
) -> None:
    assert run("review", "--repo", shop, "--base", "main", "--head", head, *flags)[0] == code


def test_a_finding_is_shown_with_its_code_and_one_closing_line(run: Any, shop: Path) -> None:
    _, out, _ = run("review", "--repo", shop, "--base", "main", "--head", "topic")
    assert "`capture()` now needs `key`" in out
    assert "--> shop/capture.py:1" in out
    assert "also jobs.py:3" in out
    assert out.splitlines()[-1].startswith("REVIEWED  1 finding | 1 of 1 hunks read | depth: ")


def test_json_on_standard_output_is_all_there_is(run: Any, shop: Path) -> None:
    _, out, err = run("review", "--repo", shop, "--base", "main", "--head", "topic", "--json", "-")
    said = json.loads(out)
    assert (said["verdict"], [finding["check"] for finding in said["findings"]]) == (
        "REVIEWED",
        ["call-mismatch"],
    )
    assert err == ""


def test_json_in_a_file_comes_beside_the_text(run: Any, shop: Path, tmp_path: Path) -> None:
    _, out, _ = run(
        "review", "--repo", shop, "--base", "main", "--head", "clean", "--json", tmp_path / "x.json"
    )
    assert json.loads((tmp_path / "x.json").read_text())["findings"] == []
    assert "REVIEWED  0 findings" in out


@pytest.mark.parametrize(
    ("flag", "begins"),
    [
        ("--sarif", '{\n  "$schema"'),
        ("--rdjson", '{\n  "source"'),
        ("--code-quality", "[\n  {"),
        ("--html", "<!doctype html>"),
        ("--markdown", "### Panlect: Reviewed: 1 finding"),
    ],
)
def test_each_format_is_all_of_standard_output_or_a_file_beside_the_text(
    run: Any, shop: Path, tmp_path: Path, flag: str, begins: str
) -> None:
    review = ("review", "--repo", shop, "--base", "main", "--head", "topic", flag)
    code, out, err = run(*review, "-")
    assert (code, err) == (0, "")
    assert out.startswith(begins)
    assert "call-mismatch" in out
    code, said, _ = run(*review, tmp_path / "report", "--fail-on", "P1")
    assert code == 1
    assert (tmp_path / "report").read_text() == out
    assert said.splitlines()[-1].startswith("REVIEWED  1 finding")


@pytest.mark.parametrize(
    ("flags", "found"),
    [([], 1), (["--min-severity", "p1"], 1), (["--min-severity", "P0"], 0), (["--all"], 1)],
)
def test_what_is_less_severe_than_asked_for_is_in_the_ledger_alone(
    run: Any, shop: Path, flags: list[str], found: int
) -> None:
    _, out, _ = run("review", "--repo", shop, "--base", "main", "--head", "topic", "--json", "-", *flags)
    said = json.loads(out)
    assert (len(said["findings"]), len(said["suppressed"])) == (found, 1 - found)


def test_watching_ends_quietly(run: Any, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("panlect.review.watch.watch.__kwdefaults__", {"wait": interrupted})
    code, out, err = run(
        "review", "--repo", shop, "--base", "main", "--head", "topic", "--watch", "--fail-on", "P1"
    )
    assert (code, err) == (0, "watching; Ctrl-C ends\n")
    assert "call-mismatch" in out


def test_a_search_says_what_it_found_and_why(run: Any, shop: Path) -> None:
    code, out, err = run("search", "capture an order", "--repo", shop, "--rev", "main")
    assert code == 0
    assert "shop/capture.py:1-2" in out
    assert "hits | " in err


def test_context_names_the_callers(run: Any, shop: Path) -> None:
    code, out, _ = run("context", "--repo", shop, "--base", "main", "--head", "topic")
    assert code == 0
    assert "jobs.py" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["review", "--head", "none"], "none"),
        (["review", "--base", "none"], "none"),
        (["review", "--fail-on", "P9"], "is not a severity"),
        (["review", "--uncommitted"], "no work tree"),
        (["review", "--uncommitted", "--head", "topic"], "exclude each other"),
        (["review", "--head", "topic", "--json", "/nonexistent/x.json"], "cannot be written"),
        (["review", "--min-severity", "P9"], "is not a severity"),
        (["review", "--staged"], "has no index"),
        (["review", "--staged", "--uncommitted"], "exclude each other"),
        (["review", "--stdin", "--head", "topic"], "exclude each other"),
        (["review", "--watch", "--stdin"], "exclude each other"),
        (["review", "--sarif", "-", "--html", "-"], "Only one format"),
        (["review", "--head", "topic", "--html", "/nonexistent/x.html"], "cannot be written"),
        (["hook", "install", "--fail-on", "P7"], "is not a severity"),
        (["hook", "remove"], "no pre-push hook"),
        (["search", " "], "The query is empty"),
        (["context", "--diff", "/nonexistent.diff"], "cannot be read"),
        (["context", "--diff", "x", "--head", "topic"], "exclude each other"),
    ],
)
def test_what_cannot_be_is_told_in_three_lines_with_a_fix(
    run: Any, shop: Path, arguments: list[str], said: str
) -> None:
    code, _, err = run(*arguments, "--repo", shop)
    assert code == 2
    assert said in err
    lines = err.splitlines()
    assert [line.split(":")[0].strip() for line in lines if line] in (
        ["error", "fix"],
        ["error", "why", "fix"],
    )


def test_a_folder_that_is_no_repository_is_told(run: Any, tmp_path: Path) -> None:
    code, _, err = run("review", "--repo", tmp_path)
    assert (code, "is not a git repository" in err) == (2, True)


def test_debug_shows_where_an_error_came_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["panlect", "review", "--repo", str(tmp_path), "--debug"])
    with pytest.raises(cli.PanlectError):
        cli.main()


def test_an_unknown_flag_is_a_wrong_use(run: Any) -> None:
    assert run("review", "--nonsense")[0] == 2


def test_settings_are_shown_without_secrets(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_SECRET_KEY", "hunter22")
    code, out, _ = run("config", "show")
    assert code == 0
    assert "PANLECT_SECRET_KEY=****" in out
    assert "hunter22" not in out


def test_a_file_name_cannot_drive_the_terminal(run: Any, tmp_path: Path) -> None:
    git_dir = tmp_path / "x.git"
    git("init", "--bare", "--quiet", "--template=", "--initial-branch=main", str(git_dir))
    name = b"a\\033[31m\\n.py"
    head = b"commit refs/heads/%s\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"
    program = b"def f(a):\n    return a\n\n\nf(1)\n"
    changed = program.replace(b"f(a)", b"f(a, b)")
    script = head % b"main" + b'M 100644 inline "%s"\ndata %d\n%s\n' % (name, len(program), program)
    script += head % b"topic" + b'from refs/heads/main\nM 100644 inline "%s"\ndata %d\n%s\n' % (
        name,
        len(changed),
        changed,
    )
    git("fast-import", "--quiet", git_dir=git_dir, stdin=script)
    code, out, _ = run("review", "--repo", git_dir, "--base", "main", "--head", "topic", "--fail-on", "P3")
    assert code == 1
    assert "\x1b[31m" not in out
    assert "a\\x1b[31m\\x0a.py" in out


def test_the_terminal_loads_nothing_heavy_until_it_is_asked() -> None:
    heavy = (
        "numpy",
        "psycopg",
        "ray",
        "torch",
        "fastapi",
        "scipy",
        "tree_sitter",
        "pydantic",
        "rich.console",
    )
    program = f"import sys, panlect.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_repository_describes_itself_where_there_is_no_model(run: Any, shop: Path) -> None:
    code, out, err = run("summarize", "--repo", shop)
    assert code == 0
    assert "(repository)" in out
    assert "  shop/\n" in out
    assert "Defines function capture." in out
    assert "model: none (extractive)" in err
    code, out, _ = run("summarize", "--repo", shop, "--path", "shop", "--json", "-")
    said = json.loads(out)
    assert (code, said["schema_version"], said["mode"]) == (0, 1, "extractive")
    assert [one["path"] for one in said["summaries"]] == ["shop", "shop/capture.py"]
