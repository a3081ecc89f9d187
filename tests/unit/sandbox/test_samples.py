"""The samples hold exactly the faults that were planted: a review finds all of them, and nothing else."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.sandbox.samples import REPOSITORIES, SAMPLES, Expected, import_repository, plant
from cluster.sandbox.store import Store
from panlect.finding import Finding, VerdictKind
from panlect.git.repository import open_repository
from panlect.review.local import ReviewRequest, review_local

PULLS = sorted(
    (REPOSITORIES[path.parent.parent.name], path.name) for path in SAMPLES.glob("*/pulls/*") if path.is_dir()
)
BULK = ("acme/payments", "add-regional-rates")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANLECT_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def store(planted: Path) -> Iterator[Store]:
    store = Store(planted)
    yield store
    store.close()


def paths_of(finding: Finding) -> set[str]:
    return {finding.path or "", *(quote.path for quote in finding.evidence)}


@pytest.mark.parametrize(("full_name", "branch"), [*PULLS, BULK])
def test_a_review_finds_what_was_planted_and_nothing_more(store: Store, full_name: str, branch: str) -> None:
    expected = {p.branch: p.expect for s in plant(store) if s.repository == full_name for p in s.pulls}[
        branch
    ]
    request = ReviewRequest(store.git_dir(full_name), base="main", head=branch)
    with review_local(request) as done:
        verdict = done.verdict
    assert verdict.kind is VerdictKind.REVIEWED, verdict.reason
    assert verdict.coverage.read == verdict.coverage.counted
    assert Counter(f.check for f in verdict.findings) == Counter(e.check for e in expected)
    for row in expected:
        assert any(f.check == row.check and row.path in paths_of(f) for f in verdict.findings), row


def test_six_changes_are_broken_two_in_each_language_and_two_are_clean(store: Store) -> None:
    broken = {s.repository: sum(bool(p.expect) for p in s.pulls) for s in plant(store)}
    clean = [p.branch for s in plant(store) for p in s.pulls if not p.expect]
    assert broken == dict.fromkeys(REPOSITORIES.values(), 2)
    assert clean == ["round-half-even", "add-regional-rates"]


def test_the_planted_faults_are_of_four_kinds(store: Store) -> None:
    kinds = {row.check for s in plant(store) for p in s.pulls for row in p.expect}
    assert kinds == {"call-mismatch", "import-missing", "member-missing", "name-unresolved"}


def test_descriptions_do_not_give_the_fault_away(store: Store) -> None:
    for sample in plant(store):
        for pull in sample.pulls:
            said = f"{pull.title} {pull.body}".lower()
            assert not [
                word
                for word in ("break", "broken", "fault", "forgot", "unchanged", "call site")
                if word in said
            ]


def test_the_large_change_has_four_hundred_files(store: Store) -> None:
    repository = open_repository(store.git_dir("acme/payments"))
    out = repository.run("diff-tree", "-r", "--name-only", "main", "add-regional-rates").stdout
    assert len(out.splitlines()) == 400


def test_planting_again_changes_no_commit(store: Store) -> None:
    def commits() -> dict[str, bytes]:
        return {
            name: open_repository(store.git_dir(name))
            .run("for-each-ref", "--format=%(refname) %(objectname)")
            .stdout
            for name in REPOSITORIES.values()
        }

    before = commits()
    plant(store)
    assert commits() == before


def test_planting_elsewhere_gives_the_same_commits(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    plant(other)
    other.close()
    for name in REPOSITORIES.values():
        here, there = (open_repository(s.git_dir(name)).resolve("main") for s in (store, other))
        assert here == there


def test_expected_is_what_pull_toml_says(store: Store) -> None:
    rename = next(p for s in plant(store) for p in s.pulls if p.branch == "product-by-sku")
    assert rename.expect == (Expected("member-missing", "src/catalog.ts"),)


def test_a_local_repository_is_imported_with_its_history(tmp_path: Path) -> None:
    work = tmp_path / "work"
    for command in (
        f"git init -q -b main {work}",
        f"git -C {work} -c user.name=a -c user.email=a@b commit -q --allow-empty -m one",
        f"git -C {work} -c user.name=a -c user.email=a@b commit -q --allow-empty -m two",
    ):
        subprocess.run(command.split(), check=True)
    source = open_repository(work)
    base, head = source.resolve("HEAD^"), source.resolve("HEAD")
    store = Store(tmp_path / "forge")
    import_repository(store, source, base, head, "local/work")
    imported = open_repository(store.git_dir("local/work"))
    assert (imported.resolve("base"), imported.resolve("head")) == (base, head)
    assert imported.merge_base(base, head) == base
    store.close()
