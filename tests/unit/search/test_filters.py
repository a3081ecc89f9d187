"""Filters: folders, globs, languages, kinds, and patterns that would like to take for ever."""

from __future__ import annotations

import time

import pytest

from panlect.errors import BadInputError
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot
from panlect.search.filters import Filters, matches
from panlect.search.query import search

FILES = {
    "shop/pay.py": "class Payment:\n    def capture(self):\n        return 1\n",
    "shop/deep/pay.ts": "export function capture(order: string) {\n  return order\n}\n",
    "shop/deep/view.tsx": "export const capture = () => <b>capture</b>\n",
    "web/pay.go": "package web\n\nfunc Capture() int { return 1 }\n",
    "run": "#!/usr/bin/env python3\ndef capture(): pass\n",
    "docs/pay.md": "How to capture.\n",
}


@pytest.fixture
def snapshot() -> Snapshot:
    return MemoryRepository().snapshot(FILES)


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("shop/pay.py", "shop", True),
        ("shop/pay.py", "shop/", True),
        ("shop/pay.py", "./shop", True),
        ("shop/pay.py", "shop/pay.py", True),
        ("shopping/pay.py", "shop", False),
        ("shop/deep/pay.ts", "*.ts", True),
        ("shop/deep/pay.ts", "shop/*.ts", False),
        ("shop/deep/pay.ts", "shop/*/*.ts", True),
        ("shop/deep/pay.ts", "shop/**/*.ts", True),
        ("shop/pay.ts", "shop/**/*.ts", True),
        ("shop/deep/pay.ts", "**/pay.ts", True),
        ("pay.ts", "**/pay.ts", True),
        ("shop/deep/pay.ts", "**", True),
        ("shop/deep/pay.ts", "shop/**", True),
        ("shop/deep/pay.ts", "web/**", False),
        ("a/b/a/b/c", "a/**/b/c", True),
        ("shop/pay.py", "shop/pa?.py", True),
        ("shop/pay.py", "shop/[pq]ay.py", True),
        ("shop/pay.py", "", True),
    ],
)
def test_a_pattern_is_a_folder_a_file_or_a_glob(path: str, pattern: str, found: bool) -> None:
    assert matches(path, pattern) is found


def test_a_hostile_pattern_takes_no_longer(snapshot: Snapshot) -> None:
    began = time.process_time()
    assert not matches("a" * 4000, "*a" * 200 + "b")
    assert not matches("/".join("a" * 2000), "/".join(["**", "a"] * 200) + "/b")
    assert (
        time.process_time() - began < 20
    )  # a bound on growth: backtracking would take longer than the universe


def test_only_files_of_the_paths_are_found(snapshot: Snapshot) -> None:
    found = search(snapshot, "capture", filters=Filters(paths=("shop/deep", "*.go")))
    assert {hit.path for hit in found} == {"shop/deep/pay.ts", "shop/deep/view.tsx", "web/pay.go"}


@pytest.mark.parametrize(
    ("language", "paths"),
    [
        ("go", {"web/pay.go"}),
        ("typescript", {"shop/deep/pay.ts", "shop/deep/view.tsx"}),
        ("tsx", {"shop/deep/view.tsx"}),
        ("Python", {"shop/pay.py", "run"}),
        ("cobol", set()),
    ],
)
def test_only_files_of_the_language_are_found(snapshot: Snapshot, language: str, paths: set[str]) -> None:
    assert {hit.path for hit in search(snapshot, "capture", filters=Filters(languages=(language,)))} == paths


def test_only_lines_with_a_definition_of_the_kind_are_found(snapshot: Snapshot) -> None:
    (hit,) = search(snapshot, "capture", filters=Filters(kinds=("method",)))
    assert (hit.path, hit.symbol) == ("shop/pay.py", "Payment.capture")
    (hit,) = search(snapshot, "capture", filters=Filters(kinds=("class",)))
    assert (hit.path, hit.symbol) == ("shop/pay.py", "Payment")


def test_all_fields_have_to_hold(snapshot: Snapshot) -> None:
    assert search(snapshot, "capture", filters=Filters(paths=("shop",), languages=("go",))) == []


def test_no_filter_is_every_file(snapshot: Snapshot) -> None:
    assert search(snapshot, "capture", filters=Filters()) == search(snapshot, "capture")


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(BadInputError, match="'procedure' is no kind of symbol"):
        Filters(kinds=("procedure",))


def test_patterns_beyond_reason_are_refused() -> None:
    with pytest.raises(BadInputError, match="too long"):
        Filters(paths=("a" * 501,))
    with pytest.raises(BadInputError, match="too long"):
        Filters(paths=("a",) * 51)
