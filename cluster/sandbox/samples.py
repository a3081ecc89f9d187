"""Sample repositories with pull requests whose faults are planted, written for this project.

Each sample is a folder: `base/` is the default branch, `pulls/<branch>/` one pull request with `pull.toml`
(title, body, delete, expect) and `files/`. Commits have fixed names and dates, so their ids never change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.sandbox import repositories as repos
from cluster.sandbox.store import Store
from panlect.git.repository import Repository

SAMPLES = Path(__file__).parent / "samples"
REPOSITORIES = {"payments": "acme/payments", "storefront": "acme/storefront", "dispatch": "acme/dispatch"}
_WHO = "Sample Author <author@acme.example> 1767225600 +0000"
_BULK_BRANCH, _BULK_FILES = "add-regional-rates", 400


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that a review must make: which check, and a path that its evidence or anchor names."""

    check: str
    path: str


@dataclass(frozen=True, slots=True)
class SamplePull:
    """A pull request to open, and what its review must find; nothing when it is clean."""

    branch: str
    title: str
    body: str
    expect: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A planted repository."""

    repository: str
    description: str
    pulls: tuple[SamplePull, ...]


DEVELOPER, REVIEWER = ("developer", "sandbox-developer-token"), ("panlect", "sandbox-panlect-token")


def add_accounts(store: Store) -> None:
    """Who opens pull requests, and who reviews them. The forge is on loopback and holds nothing real."""
    store.add_account(*DEVELOPER)
    store.add_account(*REVIEWER)


def plant(store: Store) -> list[Sample]:
    """Build every sample in the forge's directory; again is fine: the commits are the same."""
    add_accounts(store)
    return [
        _plant_one(store, name, full_name)
        for name, full_name in REPOSITORIES.items()
        if (SAMPLES / name).is_dir()
    ]


def import_repository(store: Store, source: Repository, base_sha: str, head_sha: str, full_name: str) -> None:
    """Mirror a local repository into the forge: branches `base` and `head`, with their whole history."""
    git_dir = store.git_dir(full_name)
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    repos.import_bare(source, git_dir, [("base", base_sha), ("head", head_sha)])
    store.add_repository(full_name, "base", f"imported from {source.work_tree or source.git_dir}")


def _plant_one(store: Store, name: str, full_name: str) -> Sample:
    folder = SAMPLES / name
    git_dir = store.git_dir(full_name)
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    repository = Repository(git_dir) if git_dir.exists() else repos.create_bare(git_dir, "main")
    base = _files(folder / "base")
    script = [_commit("main", "Import the service", base, (), parent="")]
    pulls = []
    for path in sorted((folder / "pulls").iterdir()):
        about = tomllib.loads((path / "pull.toml").read_text())
        script.append(
            _commit(path.name, about["title"], _files(path / "files"), about.get("delete", []), "main")
        )
        expect = tuple(Expected(row["check"], row["path"]) for row in about.get("expect", []))
        pulls.append(SamplePull(path.name, about["title"], about["body"].strip(), expect))
    if name == "payments":
        script.append(_commit(_BULK_BRANCH, "Add regional rates", bulk_files(), (), "main"))
        pulls.append(
            SamplePull(_BULK_BRANCH, "Add regional rates", "One module and one test for each region.", ())
        )
    repository.run("fast-import", "--quiet", "--force", stdin="".join(script).encode())
    description = base["README.md"].splitlines()[2]
    store.add_repository(full_name, "main", description)
    return Sample(full_name, description, tuple(pulls))


def bulk_files() -> Mapping[str, str]:
    """A change of 400 files that is large and right: a module and a test for each of 200 regions."""
    files = {}
    for number in range(_BULK_FILES // 2):
        region = f"region_{number:03}"
        rate = 500 + number
        files[f"payments/rates/{region}.py"] = (
            f'"""Rates of {region}."""\n\nRATE = {rate}\n\n\n'
            f"def fee(amount: int) -> int:\n"
            f'    """The fee for an amount, in cents."""\n    return amount * RATE // 100_000\n'
        )
        files[f"tests/rates/test_{region}.py"] = (
            f"from payments.rates.{region} import RATE, fee\n\n\n"
            f"def test_fee_of_{region}():\n    assert RATE == {rate}\n    assert fee(100_000) == {rate}\n"
        )
    return files


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _commit(
    branch: str, message: str, files: Mapping[str, str], delete: list[str] | tuple[()], parent: str
) -> str:
    return "".join(_commit_lines(branch, message, files, delete, parent))


def _commit_lines(
    branch: str, message: str, files: Mapping[str, str], delete: list[str] | tuple[()], parent: str
) -> Iterator[str]:
    """One commit as `git fast-import` reads it. Lengths are in bytes; the samples are ASCII."""
    yield f"reset refs/heads/{branch}\n"
    yield f"commit refs/heads/{branch}\nauthor {_WHO}\ncommitter {_WHO}\ndata {len(message)}\n{message}\n"
    if parent:
        yield f"from refs/heads/{parent}\n"
    for path in delete:
        yield f"D {path}\n"
    for path, text in files.items():
        yield f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
