"""A snapshot answers from columns that it loads when asked, and an overlay shares what did not change."""

from __future__ import annotations

import pytest

from panlect.code.parse import MAX_BYTES
from panlect.git.tree import TreeEntry
from panlect.index.memory import MemoryRepository
from panlect.index.snapshot import Snapshot, is_analysable

FILES = {
    "shop/pay.py": "def capture(order):\n    return order.total\n",
    "shop/view.py": "from shop.pay import capture\n\ndef show(order):\n    return capture(order)\n",
    "shop/__init__.py": "",
    "tests/test_pay.py": "from shop.pay import capture\n\ndef test_capture():\n    assert capture(1)\n",
    "other/tests/test_pay.py": "",
    "web/pay.ts": "export function capture() {}\n",
    "web/pay.test.ts": "capture();\n",
    "README.md": "# Shop\n",
    "logo.png": b"\x89PNG\0",
}


@pytest.fixture
def repository() -> MemoryRepository:
    return MemoryRepository()


@pytest.fixture
def snapshot(repository: MemoryRepository) -> Snapshot:
    return repository.snapshot(FILES)


def test_paths_are_sorted_whatever_the_order_of_entries(repository: MemoryRepository) -> None:
    backwards = repository.snapshot(dict(reversed(FILES.items())))
    assert list(backwards.paths()) == sorted(FILES)


def test_text_is_that_of_the_blob(snapshot: Snapshot) -> None:
    assert snapshot.text("README.md") == b"# Shop\n"
    assert snapshot.exists("README.md")


def test_text_of_a_path_that_is_not_here_is_an_error(snapshot: Snapshot) -> None:
    with pytest.raises(KeyError):
        snapshot.text("nowhere.py")


def test_a_submodule_and_a_huge_file_have_no_text(repository: MemoryRepository) -> None:
    entries = [
        TreeEntry("module", "1" * 40, "160000", -1),
        TreeEntry("big.py", "2" * 40, "100644", MAX_BYTES + 1),
    ]
    snapshot = Snapshot("c", entries, repository.store, repository.blobs)
    assert snapshot.texts(["module", "big.py"]) == {"module": b"", "big.py": b""}
    assert snapshot.analysis("big.py") is None


@pytest.mark.parametrize(
    ("path", "mode", "size", "read"),
    [
        ("a.py", "100644", 10, True),
        ("a.py", "100755", 10, True),
        ("a.py", "120000", 10, False),
        ("a.py", "160000", -1, False),
        ("a.py", "100644", MAX_BYTES + 1, False),
        ("a.png", "100644", 10, False),
        ("go.sum", "100644", 10, False),
        ("rows.json", "100644", 1000, True),
        ("rows.json", "100644", 100_000, False),
        ("vendor/a.go", "100644", 10, True),
    ],
)
def test_only_bounded_regular_text_is_analysed(path: str, mode: str, size: int, read: bool) -> None:
    assert is_analysable(TreeEntry(path, "0" * 40, mode, size)) is read


def test_definitions_and_references_are_found_by_name(snapshot: Snapshot) -> None:
    assert [(s.path, s.definition.start_line) for s in snapshot.definitions_named("capture")] == [
        ("shop/pay.py", 1),
        ("web/pay.ts", 1),
    ]
    assert [(s.path, s.reference.line, s.reference.enclosing) for s in snapshot.references_to("capture")] == [
        ("shop/view.py", 4, "show"),
        ("tests/test_pay.py", 4, "test_capture"),
        ("web/pay.test.ts", 1, ""),
    ]
    assert snapshot.definitions_named("nothing") == ()
    assert snapshot.references_to("nothing") == ()


def test_tests_are_found_by_name_the_nearest_first(snapshot: Snapshot) -> None:
    assert snapshot.tests_of("shop/pay.py") == ("other/tests/test_pay.py", "tests/test_pay.py")
    assert snapshot.tests_of("web/pay.ts") == ("web/pay.test.ts",)
    assert snapshot.tests_of("tests/test_pay.py") == ()
    assert snapshot.files_of_stem("pay") == ("shop/pay.py", "web/pay.ts")


def test_facts_are_those_of_analysed_languages(snapshot: Snapshot) -> None:
    facts = snapshot.all_facts()
    assert "README.md" not in facts
    assert facts["shop/pay.py"].language == "python"
    assert snapshot.facts("shop/pay.py") is facts["shop/pay.py"]
    assert snapshot.facts("logo.png") is None


def test_columns_are_loaded_once_and_in_bulk(repository: MemoryRepository, snapshot: Snapshot) -> None:
    repository.store.loads.clear()
    snapshot.definitions_named("capture")
    snapshot.references_to("capture")
    snapshot.definitions_named("show")
    assert [column for column, _ in repository.store.loads] == ["symbols"]


def test_a_file_with_skipped_analysis_says_why(repository: MemoryRepository) -> None:
    snapshot = repository.snapshot({"a.py": b"x = '\xff'\n"})
    meta = snapshot.meta("a.py")
    assert meta is not None
    assert meta.skipped == "not UTF-8"
    analysis = snapshot.analysis("a.py")
    assert analysis is not None
    assert analysis.skipped == "not UTF-8"


def test_an_overlay_sees_changed_added_and_deleted_files(
    repository: MemoryRepository, snapshot: Snapshot
) -> None:
    changed = {
        **{path: text for path, text in FILES.items() if path != "web/pay.ts"},
        "shop/pay.py": "def charge(order):\n    return order.total\n",
        "shop/new.py": "def capture(): pass\n",
    }
    head = repository.snapshot(changed, base=snapshot)
    assert [site.path for site in head.definitions_named("capture")] == ["shop/new.py"]
    assert [site.path for site in head.definitions_named("charge")] == ["shop/pay.py"]
    assert head.files_defining("capture") == ("shop/new.py",)
    assert not head.exists("web/pay.ts")
    assert [site.path for site in snapshot.definitions_named("capture")] == ["shop/pay.py", "web/pay.ts"]
    assert [site.path for site in head.references_to("capture")] == [
        site.path for site in snapshot.references_to("capture")
    ]


def test_an_overlay_of_an_overlay_goes_back_to_what_was(
    repository: MemoryRepository, snapshot: Snapshot
) -> None:
    head = repository.snapshot({**FILES, "shop/pay.py": "x = 1\n"}, base=snapshot)
    again = repository.snapshot(FILES, base=head)
    assert again.definitions_named("capture") == snapshot.definitions_named("capture")
    assert len(again.segments()) == 1


def test_an_overlay_loads_only_what_changed(repository: MemoryRepository, snapshot: Snapshot) -> None:
    snapshot.all_facts()
    snapshot.segments()
    snapshot.definitions_named("capture")
    head = repository.snapshot({**FILES, "shop/pay.py": "def charge(): pass\n"}, base=snapshot)
    repository.store.loads.clear()
    head.all_facts()
    head.segments()
    head.definitions_named("charge")
    assert {count for _, count in repository.store.loads} == {1}
    assert head.facts("shop/view.py") is snapshot.facts("shop/view.py")


def test_generated_and_vendored_code_has_symbols_but_is_not_searched(repository: MemoryRepository) -> None:
    snapshot = repository.snapshot(
        {
            "own.go": "package a\nfunc Own() {}\n",
            "vendor/x.go": "package x\nfunc Vendored() {}\n",
            "made.go": "// Code generated by y. DO NOT EDIT.\n\npackage a\nfunc Made() {}\n",
        }
    )
    assert snapshot.definitions_named("Made")
    assert snapshot.definitions_named("Vendored")
    ((segment, paths, _),) = snapshot.segments()
    assert {paths[file] for file in segment.file.tolist()} == {"own.go"}
