"""Summaries in the terminal: nobody is asked before a person knew what it costs, and nothing is asked twice."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from panlect.errors import BadInputError
from panlect.git.run import git
from panlect.llm.chat import Usage
from panlect.llm.local import local_models
from panlect.llm.scripted import ScriptedModels
from panlect.settings import load
from panlect.summaries.local import summarize_local
from panlect.summaries.plan import Estimate


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PANLECT_CACHE_DIR", str(tmp_path / "cache"))
    git_dir = tmp_path / "shop.git"
    git("init", "--bare", "--quiet", "--template=", "--initial-branch=main", str(git_dir))
    script = "commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"
    for path, text in (("README.md", "# Shop\n"), ("shop/pay.py", '"""Takes the money."""\n')):
        script += f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"
    git("fast-import", "--quiet", git_dir=git_dir, stdin=script.encode())
    return git_dir


NONE = local_models(load({}))


class Paid(ScriptedModels):
    """Takes money."""

    async def quote(self, role: str, usage: Usage, organisation_id: UUID) -> int | None:
        return usage.input_tokens + usage.output_tokens


def test_without_a_model_the_tree_is_extracted_and_says_so(shop: Path) -> None:
    answer = summarize_local(shop, models=NONE)
    assert (answer["mode"], answer["model"], answer["calls"]) == ("extractive", "none (extractive)", 0)
    assert [one["path"] for one in answer["summaries"]] == ["", "README.md", "shop", "shop/pay.py"]
    assert all(one["extractive"] for one in answer["summaries"])


def test_a_person_is_asked_first_and_what_was_made_is_kept(shop: Path) -> None:
    models, seen = Paid(lambda _: "It pays."), list[tuple[str, Estimate]]()
    with pytest.raises(BadInputError):
        summarize_local(shop, models=models, confirm=lambda *said: bool(seen.append(said)))
    assert [(name, guessed.calls) for name, guessed in seen] == [("scripted/script", 4)]
    assert models.asked == []
    answer = summarize_local(shop, models=models)
    assert (answer["calls"], answer["mode"]) == (4, "model")
    again = summarize_local(shop, models=models, confirm=lambda *_: False)
    assert (again["calls"], again["reused"]) == (0, 4)
    assert len(models.asked) == 4


def test_what_costs_nothing_needs_no_confirmation(shop: Path) -> None:
    models = ScriptedModels(lambda _: "It pays.")
    answer = summarize_local(shop, models=models, confirm=lambda *_: False)
    assert answer["calls"] == 4


def test_a_part_can_be_asked_for(shop: Path) -> None:
    answer = summarize_local(shop, below="shop/", models=NONE)
    assert [one["path"] for one in answer["summaries"]] == ["shop", "shop/pay.py"]
    with pytest.raises(BadInputError, match="no directory"):
        summarize_local(shop, below="shap", models=NONE)


def test_a_damaged_cache_costs_no_answer(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "summaries.sqlite").write_text("no database" * 1000)
    assert len(summarize_local(shop, models=NONE)["summaries"]) == 4
