"""What is missing, damaged or without end costs its own file alone, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from panlect.errors import GitError
from panlect.git import repository as repository_module
from panlect.git import tree
from panlect.git.repository import CORRUPT, MISSING, ObjectRead
from panlect.git.tree import TreeListing, compare_listings, list_tree, walk_tree
from tests.e2e import hostile


@pytest.fixture
def objects(tmp_path: Path) -> hostile.Objects:
    return hostile.Objects(tmp_path / "hostile.git")


def opened(objects: hostile.Objects) -> repository_module.Repository:
    return repository_module.Repository(objects.git_dir)


def listed(objects: hostile.Objects, branch: str = "work") -> TreeListing:
    found = opened(objects)
    return list_tree(found, found.resolve(branch))


@pytest.mark.parametrize("name", hostile.DAMAGED)
def test_reading_goes_on_behind_an_object_that_cannot_be_read(objects: hostile.Objects, name: bytes) -> None:
    hostile.damaged(objects, full=False)
    shas = {entry.path: entry.blob_sha for entry in listed(objects).entries}
    asked = [shas["fine1.py"], shas[f"{name.decode()}.py"], shas["fine2.py"], shas["fine3.py"]]
    found = list(opened(objects).read_objects(asked))
    fault = MISSING if name == b"missing" else CORRUPT
    assert [read.fault for read in found] == ["", fault, "", ""]
    assert [read.content for read in found] == [b"fine = 1\n", b"", b"fine = 2\n", b"fine = 3\n"]
    assert [sha for sha, _ in opened(objects).read_blobs(asked)] == [asked[0], *asked[2:]]


def test_bytes_under_a_false_name_are_never_given_out(objects: hostile.Objects) -> None:
    sha = objects.blob(b"what the name says\n")
    objects.path_of(sha).write_bytes(objects.path_of(objects.blob(b"something else\n")).read_bytes())
    assert list(opened(objects).read_objects([sha])) == [ObjectRead(sha, b"", CORRUPT)]
    with pytest.raises(GitError, match="corrupt object"):
        opened(objects).read_blob(sha)


def test_reading_is_given_up_after_many_damaged_objects(
    objects: hostile.Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "MAX_DAMAGED", 2)
    shas = [objects.blob(b"%d\n" % n) for n in range(4)]
    for sha in shas[:3]:
        objects.path_of(sha).write_bytes(hostile.DAMAGES[b"other"](b""))
    faults = [read.fault for read in opened(objects).read_objects(shas)]
    assert faults == [CORRUPT, CORRUPT] + ["not read: too many corrupt objects"] * 2


def test_folders_that_cannot_be_read_are_named_and_the_others_listed(objects: hostile.Objects) -> None:
    hostile.damaged_trees(objects, full=False)
    found = listed(objects)
    assert [entry.path for entry in found.entries] == ["aaa.py", "pay.py", "zzz.py"]
    assert found.cut == (
        "folders that cannot be read: gone (missing object), noname (corrupt object), notree (corrupt object)"
    )
    assert found.truncated


def test_a_commit_whose_topmost_folder_is_gone_is_an_error(objects: hostile.Objects) -> None:
    objects.two_commits([])
    objects.path_of(objects.git("rev-parse", "work^{tree}")).unlink()
    with pytest.raises(GitError):
        listed(objects)


def test_walking_lists_what_git_lists(work: Any) -> None:
    sha = work.commit({"b/c.py": "1", "b.py": "2", "a": "3", "z/é.py": "5"})
    assert walk_tree(work.repository, sha) == list_tree(work.repository, sha)


@pytest.mark.parametrize("way", [list_tree, walk_tree])
def test_a_tree_bomb_is_cut(objects: hostile.Objects, monkeypatch: pytest.MonkeyPatch, way: Any) -> None:
    monkeypatch.setattr(tree, "MAX_ENTRIES", 500)
    hostile.tree_bomb(objects, full=False)
    found = way(opened(objects), opened(objects).resolve("work"))
    assert len(found.entries) <= 500
    assert found.cut == "more than 100,000 files"


@pytest.mark.parametrize("way", [list_tree, walk_tree])
def test_paths_that_no_file_system_takes_are_counted(objects: hostile.Objects, way: Any) -> None:
    long = objects.tree([(hostile.FILE, b"n" * 4096, objects.blob(b"x"))])
    objects.two_commits([(hostile.TREE, b"d", long), (hostile.FILE, b"n" * 4096, objects.blob(b"x"))])
    found = way(opened(objects), opened(objects).resolve("work"))
    assert sorted(len(entry.path) for entry in found.entries) == [6, 4096]
    assert found.cut == "1 paths longer than 4,096 bytes"


def test_names_without_end_are_cut_by_their_bytes(
    objects: hostile.Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_LISTING_BYTES", 100_000)
    hostile.tree_bomb(objects, full=False)
    assert listed(objects).cut == "more than 48 MB of names"


def test_a_listing_over_its_time_is_cut(objects: hostile.Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_TREE_LIMITS", tree.Limits(seconds=0.5))
    monkeypatch.setattr(tree, "MAX_ENTRIES", 10**9)
    monkeypatch.setattr(tree, "MAX_LISTING_BYTES", 10**12)
    hostile.tree_bomb(objects, full=False)
    assert listed(objects).cut == "not listed within 0.5 s"


def test_two_listings_are_compared_as_git_compares_them(work: Any) -> None:
    one = work.commit({"kept.py": "1", "changed.py": "1", "gone.py": "1"})
    work.git("rm", "-q", "gone.py")
    two = work.commit({"changed.py": "2", "new.py": "n"})
    listings = [list_tree(work.repository, sha) for sha in (one, two)]
    assert compare_listings(*listings) == tree.diff_trees(work.repository, one, two, renames=False)
