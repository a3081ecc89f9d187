"""Stored summaries: by content within an organisation, placed at one commit of a repository, collected with it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from panlect.change import Change, ChangedFile
from panlect.context.told import told_of
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.index import snapshots, summaries
from panlect.index.memory import MemoryBlobs
from panlect.index.snapshots import StoredSnapshot
from panlect.index.store import PostgresStore
from panlect.index.summaries import Kind, PostgresSummaries, Summary, place, placed
from tests.conftest import Place


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(database_url, DEFAULT_ORGANISATION) as opened:
        yield opened


def _summary(
    number: int, kind: Kind = "file", *, extractive: bool = False, text: str = "It pays."
) -> Summary:
    return Summary(bytes([number] * 16), kind, "m", 1, text, extractive, 10, 2)


def _snapshot(store: PostgresStore, repository_id: UUID, commit: str) -> StoredSnapshot:
    files = MemoryBlobs().add({"shop/pay.py": f"x = '{commit}'\n"})
    return snapshots.complete(store, repository_id, commit, files)[0]


TREE = {"": _summary(1, "repository"), "shop": _summary(2, "directory"), "shop/pay.py": _summary(3)}


def _place(store: PostgresStore, snapshot: StoredSnapshot, tree: dict[str, Summary]) -> None:
    PostgresSummaries(store).put(tree.values())
    place(store, snapshot.id, {path: one.key for path, one in tree.items()})


def test_what_is_kept_is_known_and_the_first_one_stays(store: PostgresStore) -> None:
    kept = PostgresSummaries(store)
    kept.put([_summary(1, text="It\0 pays.")])
    kept.put([_summary(1, text="It ships."), _summary(1, text="It ships.")])
    assert kept.known([bytes([1] * 16), bytes([9] * 16)]) == {
        bytes([1] * 16): _summary(1, text="It\ufffd pays.")
    }


def test_another_organisation_knows_nothing_of_them(store: PostgresStore, administrator_url: str) -> None:
    other = uuid4()
    with psycopg.connect(administrator_url) as connection:
        connection.execute("insert into panlect.organisation (id, slug, name) values (%s, 'o', 'O')", [other])
    PostgresSummaries(store).put([_summary(1)])
    with PostgresStore(store.url, other) as theirs:
        assert PostgresSummaries(theirs).known([bytes([1] * 16)]) == {}


def test_a_repository_shows_the_summaries_of_its_newest_described_commit(
    store: PostgresStore, place: Place
) -> None:
    first = _snapshot(store, place.repository_id, "c1")
    _place(store, first, TREE)
    second = _snapshot(store, place.repository_id, "c2")
    assert {one.commit_sha for one in placed(store, place.repository_id)} == {"c1"}
    _place(store, second, {**TREE, "shop/pay.py": _summary(4, extractive=True)})
    found = placed(store, place.repository_id)
    assert [(one.path, one.summary.key[0], one.commit_sha) for one in found] == [
        ("", 1, "c2"),
        ("shop", 2, "c2"),
        ("shop/pay.py", 4, "c2"),
    ]
    state = summaries.state(store, place.repository_id)
    assert state is not None
    assert state.snapshot_id == second.id


def test_summaries_can_be_asked_for_by_place_and_kind(store: PostgresStore, place: Place) -> None:
    tree = {
        **TREE,
        "shop/deep": _summary(5, "directory"),
        "shop/deep/x.py": _summary(6),
        "shopping.py": _summary(7),
    }
    _place(store, _snapshot(store, place.repository_id, "c1"), tree)

    def paths(**asked: object) -> list[str]:
        return [one.path for one in placed(store, place.repository_id, **asked)]  # type: ignore[arg-type]

    assert paths(below="shop") == ["shop", "shop/deep", "shop/deep/x.py", "shop/pay.py"]
    assert paths(below="shop", kinds=("file",), directly=True) == ["shop/pay.py"]
    assert paths(kinds=("file",), directly=True) == ["shopping.py"]
    assert paths(paths=["", "shop"]) == ["", "shop"]
    assert paths(limit=2, offset=1) == ["shop", "shop/deep"]


def test_where_no_model_spoke_search_and_context_have_nothing(store: PostgresStore, place: Place) -> None:
    tree = {"": _summary(1, "repository", extractive=True), "shop": _summary(2, "directory", extractive=True)}
    _place(store, _snapshot(store, place.repository_id, "c1"), tree)
    assert summaries.state(store, place.repository_id) is None
    assert told_of(_CHANGE, store, place.repository_id) == ()


_CHANGE = Change(
    "b" * 40,
    "h" * 40,
    (
        ChangedFile(
            "modified", "shop/pay.py", "shop/pay.py", None, None, "100644", "100644", kind="code", hunks=()
        ),
    ),
)


def test_a_review_is_told_of_the_repository_and_of_the_directories_of_the_change(
    store: PostgresStore, place: Place
) -> None:
    _place(store, _snapshot(store, place.repository_id, "c1"), TREE)
    told = told_of(_CHANGE, store, place.repository_id)
    assert [(one.path, one.reason) for one in told] == [
        ("", "summary of the repository"),
        ("shop", "summary of shop/, where files are changed"),
    ]


def test_what_no_commit_shows_any_more_is_collected_once_it_is_old(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    snapshot = _snapshot(store, place.repository_id, "c1")
    _place(store, snapshot, TREE)
    PostgresSummaries(store).put([_summary(8), _summary(9)])
    with psycopg.connect(administrator_url) as connection:
        connection.execute("update panlect.summary set created_at = created_at - interval '2 hours'")
    assert PostgresSummaries(store).known([bytes([9] * 16)])  # asked for, so it is young again
    assert snapshots.collect(store, kept=1, grace_s=3600).summaries == 1
    assert set(PostgresSummaries(store).known([bytes([n] * 16) for n in range(10)])) == {
        bytes([n] * 16) for n in (1, 2, 3, 9)
    }


def test_the_languages_of_a_commit_are_counted(store: PostgresStore, place: Place) -> None:
    snapshot = _snapshot(store, place.repository_id, "c1")
    assert summaries.languages(store, snapshot.id) == {"python": 1}
