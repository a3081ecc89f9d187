"""Mining: what makes a case, and that nothing of the answer leaks into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.context import answers, is_source, main, mine_cases, read_cases
from panlect.errors import BadInputError
from panlect.git.repository import Repository
from panlect.git.run import git

Commits = list[dict[str, str | None]]
BASE: dict[str, str | None] = {
    "shop/pay.py": "def capture(order):\n    return order.total\n",
    "shop/view.py": "from shop.pay import capture\n\n\ndef show(order):\n    return capture(order)\n",
    "tests/test_pay.py": "from shop.pay import capture\n\n\ndef test_capture():\n    assert capture(1)\n",
    "docs/pay.md": "# Pay\n",
}
CHANGED: dict[str, str | None] = {
    "shop/pay.py": "def capture(order, key):\n    return order.total\n",
    "shop/view.py": "from shop.pay import capture\n\n\ndef show(order):\n    return capture(order, 1)\n",
    "docs/pay.md": "# Pay with a key\n",
}


def _repository(path: Path, commits: Commits) -> Repository:
    git("init", "-q", "--bare", "-b", "main", str(path))
    repository = Repository(path)
    script = ""
    for files in commits:
        script += "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nm\n"
        for name, text in files.items():
            if text is None:
                script += f"D {name}\n"
            else:
                script += f"M 100644 inline {name}\ndata {len(text.encode())}\n{text}\n"
    repository.run("fast-import", "--quiet", stdin=script.encode())
    return repository


def test_one_changed_file_asks_for_the_others(tmp_path: Path) -> None:
    repository = _repository(tmp_path, [BASE, CHANGED])
    (case,) = mine_cases(repository, seed=1, limit=10)
    assert case.base == repository.resolve("main^")
    asked = {"shop/pay.py", "shop/view.py"} - set(case.truth)
    assert len(asked) == len(case.truth) == 1  # no document is asked for
    assert case.diff.count("diff --git") == 1
    assert f"+++ b/{asked.pop()}" in case.diff


@pytest.mark.parametrize(
    "files",
    [
        {"shop/pay.py": "x = 1\n"},
        {"shop/pay.py": "x = 1\n", "docs/pay.md": "x\n"},
        {"shop/pay.py": "x = 1\n", "shop/new.py": "x = 1\n"},
        {"shop/pay.py": None, "shop/view.py": None},
        {f"m{number}.py": "x = 1\n" for number in range(13)},
    ],
    ids=["one file", "a document", "only a new file", "only deletions", "too many"],
)
def test_a_commit_without_something_to_find_makes_no_case(
    tmp_path: Path, files: dict[str, str | None]
) -> None:
    many = {f"m{number}.py": "x = 0\n" for number in range(13)}
    assert mine_cases(_repository(tmp_path, [{**BASE, **many}, files]), seed=1, limit=10) == []


def test_a_file_that_is_new_is_no_truth(tmp_path: Path) -> None:
    repository = _repository(tmp_path, [BASE, {**CHANGED, "shop/new.py": "x = 1\n"}])
    (case,) = mine_cases(repository, seed=1, limit=10)
    assert "shop/new.py" not in case.truth


def test_a_path_that_looks_like_a_pattern_is_one_path(tmp_path: Path) -> None:
    odd = {"shop/[ab].py": "x = 1\n", "shop/a.py": "x = 1\n", "shop/b.py": "x = 1\n"}
    repository = _repository(tmp_path, [{**BASE, **odd}, dict.fromkeys(odd, "y = 2\n")])
    found = [case for seed in range(9) for case in mine_cases(repository, seed=seed, limit=10)]
    assert any("+++ b/shop/[ab].py" in case.diff for case in found)
    assert all(case.diff.count("diff --git") == 1 for case in found)


def test_the_answer_does_not_know_the_commit_itself(tmp_path: Path) -> None:
    """A repository that ends at the base gives the same answer."""
    whole = _repository(tmp_path / "whole", [BASE, CHANGED, CHANGED | {"shop/view.py": "x = 1\n"}])
    (case,) = [case for case in mine_cases(whole, seed=1, limit=10) if case.base == whole.resolve("main~2")]
    before = _repository(tmp_path / "before", [BASE])
    assert list(answers(before, [case])) == list(answers(whole, [case]))


def test_both_sides_rank_files_outside_the_diff(tmp_path: Path) -> None:
    repository = _repository(tmp_path, [BASE, CHANGED])
    (case,) = mine_cases(repository, seed=1, limit=10)
    (answer,) = answers(repository, [case])
    (asked,) = {"shop/pay.py", "shop/view.py"} - set(case.truth)
    assert answer.panlect and answer.bm25
    assert asked not in answer.panlect + answer.bm25
    assert case.truth[0] in answer.panlect[:2]


def test_cases_are_read_from_lines_of_json(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"base": "a" * 40, "diff": "d", "truth": ["x"]}) + "\n\n")
    assert read_cases(file)[0].truth == ("x",)


@pytest.mark.parametrize("line", ["{", "[]", '{"base": "a"}', "1"])
def test_a_line_that_is_no_case_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"base": "a", "diff": "d", "truth": []}) + f"\n{line}\n")
    with pytest.raises(BadInputError, match="Line 2"):
        read_cases(file)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.py", True),
        ("a.go", True),
        ("a.tsx", True),
        ("README.md", False),
        ("go.sum", False),
        ("vendor/a.go", False),
    ],
)
def test_source_is_code_of_a_language_with_symbols(path: str, source: bool) -> None:
    assert is_source(path) is source


def test_the_command_prints_its_figures_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _repository(tmp_path / "shop", [BASE, CHANGED])
    result = tmp_path / "result.json"
    arguments = ["context", "--repo", str(tmp_path / "shop"), "--limit", "5", "--json", str(result)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("shop") and "panlect" in lines[-1] and "R@5" in lines[-1]
    assert "bm25" in lines[-2]
    found = json.loads(result.read_text())
    assert found["repositories"][0]["cases"] == 1
    assert set(found) >= {"machine", "commit", "date", "calibration_ms", "seed"}
