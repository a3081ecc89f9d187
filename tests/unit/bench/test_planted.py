"""Faults are planted where they break a use, and a history is read change by change."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import precision
from bench.mutations import plant

SHOP = """from abc import ABC, abstractmethod


class Store(ABC):
    @abstractmethod
    def get(self, key):
        ...


class Disk(Store):
    def get(self, key):
        return key

    def path(self, key):
        return key


def total(price, tax=0):
    return price + tax


def rate(code):
    return len(code)
"""
USE = """from shop import Disk, Store, rate, total


def f(store: Store):
    disk = Disk()
    return disk.path("a"), disk.path("b"), total(1, tax=2), total(3, 4), rate("x"), rate("y")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    commit(path, "first", {"shop.py": SHOP, "use.py": USE})
    return path


def git(path: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(path), *who, *arguments], check=True, capture_output=True)


def commit(path: Path, subject: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (path / name).write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", subject)


def test_a_fault_of_each_kind_breaks_a_use_and_is_found(repository: Path) -> None:
    kinds = [
        "parameter-added",
        "keyword-renamed",
        "import-target-moved",
        "method-removed",
        "abstract-method-added",
    ]
    planted = list(plant(repository, 3, 1, kinds, "", Counter()))
    assert [(one.kind, one.found) for one in planted] == [(kind, True) for kind in kinds]


def test_the_seed_alone_chooses(repository: Path) -> None:
    drawn = [plant(repository, 1, 1, ["function-removed"], "", Counter()) for _ in range(2)]
    first, second = ([one.target for one in planted] for planted in drawn)
    assert first == second != []


def test_a_history_is_listed_with_its_evidence(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, "rename total", {"shop.py": SHOP.replace("def total", "def sum_up")})
    commit(repository, "say hello", {"hello.py": "print('hello')\n"})
    out = tmp_path / "found.json"
    monkeypatch.setattr(
        sys, "argv", ["precision", "--repo", str(repository), "--last", "5", "--json", str(out)]
    )
    precision.main()
    found = json.loads(out.read_text())
    assert (found["changes"], found["without_a_finding"], found["evidence_that_fell"]) == (2, 1, 0)
    (finding,) = found["findings"]
    assert (finding["subject"], finding["check"], finding["path"]) == (
        "rename total",
        "import-missing",
        "shop.py",
    )
    assert finding["evidence"]
