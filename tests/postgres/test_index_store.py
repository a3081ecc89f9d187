"""The index in Postgres: overlays, who knows a name, what is collected, and vectors that are never mixed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest

from panlect import faults
from panlect.change import Change, ChangedFile, Symbol
from panlect.code.packed import Packed
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.db.sql import query
from panlect.errors import ConfigurationError, DatabaseError
from panlect.git.tree import TreeEntry
from panlect.index import snapshots, vectors
from panlect.index.analyse import analyse_blobs
from panlect.index.commit import Analysed, keep
from panlect.index.embed import HashingEmbedder, embedding_text
from panlect.index.memory import MemoryBlobs, MemoryRepository, MemoryStore
from panlect.index.models import ModelSpec, key_of
from panlect.index.snapshot import Snapshot, blob_key
from panlect.index.store import PostgresStore, name_number, names_of
from panlect.search import who
from panlect.search.hosted import NoBlobs, PostgresDense
from panlect.search.query import search
from panlect.search.who import BlastRadius, reach_in_organisation, who_in_organisation
from tests.conftest import Place

HASHING = ModelSpec("hashing")
MODEL = vectors.Model(key_of(HASHING), HASHING, 384)
FILES = {f"shop/part{number}.py": f"def part_{number}(order):\n    return order\n" for number in range(40)}


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(database_url, DEFAULT_ORGANISATION) as opened:
        yield opened


@pytest.fixture
def other_repository(administrator_url: str, place: Place) -> UUID:
    return add_repository(administrator_url, place, "acme/other")


def add_repository(administrator_url: str, place: Place, name: str) -> UUID:
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        row = connection.execute(
            "insert into panlect.repository (organisation_id, connection_id, full_name, clone_url)"
            " values (%s, %s, %s, '') returning id",
            [DEFAULT_ORGANISATION, place.connection_id, name],
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def commit(
    store: PostgresStore, repository_id: UUID, sha: str, files: dict[str, str], *, serve: bool = True
) -> snapshots.StoredSnapshot:
    """Index these files as the commit `sha`."""
    blobs, memory = MemoryBlobs(), MemoryStore()
    entries = blobs.add(files)
    analyse_blobs(blobs, entries, memory, workers=0)
    keep(
        store,
        (
            Analysed(key, packed, texts(packed, blobs.contents[key[1]]), 1.5)
            for key, packed in memory.kept.items()
        ),
    )
    snapshot, _ = snapshots.complete(store, repository_id, sha, entries, serve=serve)
    return snapshot


def texts(packed: Packed, content: bytes) -> tuple[tuple[bytes, str], ...]:
    from panlect.code.packed import chunks_of, search_of

    return tuple(
        (bytes.fromhex(c.hash), embedding_text(c.scope, content[c.start_byte : c.end_byte].decode()))
        for c in chunks_of(search_of(packed.search))
    )


def embed_all(store: PostgresStore, repository_id: UUID, snapshot: snapshots.StoredSnapshot) -> int:
    missing = vectors.missing(store, repository_id, snapshot.id, MODEL.key)
    vectors.register(store, MODEL)
    if missing:
        made = HashingEmbedder().embed([text for _, text in missing])
        vectors.put(store, repository_id, MODEL.key, [digest for digest, _ in missing], made)
    vectors.serve(store, repository_id, MODEL.key)
    return len(missing)


def rows_of(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from panlect.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


# The connection


def end_connections(administrator_url: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_connection_that_died_between_two_transactions_is_replaced(
    store: PostgresStore, administrator_url: str
) -> None:
    store.put_chunks([(bytes(16), "one")])
    end_connections(administrator_url)
    assert store.read_chunks([bytes(16)]) == {bytes(16): "one"}


def test_a_connection_that_dies_within_a_transaction_says_so_and_the_next_one_works(
    store: PostgresStore, administrator_url: str
) -> None:
    with pytest.raises(DatabaseError, match="broke"), store.transaction() as connection:
        end_connections(administrator_url)
        connection.execute("select 1")
    assert store.read_chunks([bytes(16)]) == {}


# Overlays


def test_a_two_file_commit_writes_two_rows_and_reads_as_a_whole(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    commit(store, place.repository_id, "one", FILES)
    changed = {**FILES, "shop/part1.py": "def other():\n    return 1\n", "shop/new.py": "NEW = 1\n"}
    second = commit(store, place.repository_id, "two", changed)
    assert rows_of(administrator_url, "snapshot_entry") == len(FILES) + 2
    assert [e.path for e in snapshots.entries(store, second.id)] == sorted(changed)
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    assert (active.commit_sha, active.overlay_depth) == ("two", 1)


def test_a_snapshot_of_more_files_than_travel_at_once_is_whole(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panlect.index.store._BATCH", 7)
    snapshot = commit(store, place.repository_id, "one", FILES)
    assert [entry.path for entry in snapshots.entries(store, snapshot.id)] == sorted(FILES)


def test_a_file_that_is_gone_is_gone_from_every_overlay_above(store: PostgresStore, place: Place) -> None:
    commit(store, place.repository_id, "one", FILES)
    less = {path: text for path, text in FILES.items() if path != "shop/part7.py"}
    commit(store, place.repository_id, "two", less)
    third = commit(store, place.repository_id, "three", {**less, "README.md": "# Shop\n"})
    paths = [entry.path for entry in snapshots.entries(store, third.id)]
    assert "shop/part7.py" not in paths
    assert len(paths) == len(less) + 1


def test_an_overlay_that_would_be_large_is_stored_whole(store: PostgresStore, place: Place) -> None:
    commit(store, place.repository_id, "one", FILES)
    second = commit(store, place.repository_id, "two", {p: f"{t}# changed\n" for p, t in FILES.items()})
    assert snapshots.active(store, place.repository_id) == replace(
        second, state="active", full_name="acme/shop"
    )


def test_overlays_do_not_pile_up_without_end(store: PostgresStore, place: Place) -> None:
    depths = []
    for number in range(30):
        commit(store, place.repository_id, f"c{number}", {**FILES, "x.py": f"X = {number}\n"})
        active = snapshots.active(store, place.repository_id)
        assert active is not None
        depths.append(active.overlay_depth)
    assert max(depths) == 24
    assert depths[25] == 0


def test_the_snapshot_of_a_branch_stands_beside_the_active_one(store: PostgresStore, place: Place) -> None:
    main = commit(store, place.repository_id, "main", FILES)
    branch = commit(store, place.repository_id, "branch", {**FILES, "b.py": "B = 1\n"}, serve=False)
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    assert active.id == main.id
    assert "b.py" in [entry.path for entry in snapshots.entries(store, branch.id)]


def test_the_active_snapshot_stays_active_when_it_is_kept_once_more(
    store: PostgresStore, place: Place
) -> None:
    commit(store, place.repository_id, "one", FILES)
    commit(store, place.repository_id, "one", FILES, serve=False)
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    assert active.state == "active"


def test_two_writers_of_one_snapshot_leave_it_whole_and_active(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins while the first has written the entries and committed nothing."""
    entries = MemoryBlobs().add(FILES)
    with PostgresStore(store.url, store.organisation_id) as other, ThreadPoolExecutor(1) as thread:
        second: list[Future[object]] = []

        def between(_: str) -> None:
            if not second:
                second.append(
                    thread.submit(snapshots.complete, other, place.repository_id, "one", entries, serve=False)
                )
                wait(second, timeout=0.3)

        monkeypatch.setattr(faults, "fault", between)
        snapshots.complete(store, place.repository_id, "one", entries)
        second[0].result(30)
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    assert active.state == "active"
    assert len(snapshots.entries(store, active.id)) == len(FILES)


def test_a_writer_that_fails_leaves_no_part_of_a_snapshot(
    store: PostgresStore, place: Place, administrator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(faults, "fault", fail)
    with pytest.raises(RuntimeError):
        snapshots.complete(store, place.repository_id, "one", MemoryBlobs().add(FILES))
    assert (rows_of(administrator_url, "snapshot"), rows_of(administrator_url, "snapshot_entry")) == (0, 0)


@pytest.mark.parametrize("function", ["snapshot_files", "snapshot_chunks"])
def test_a_snapshot_of_another_organisation_is_empty_even_where_no_policy_holds(
    store: PostgresStore, place: Place, administrator_url: str, function: str
) -> None:
    snapshot = commit(store, place.repository_id, "one", FILES)
    with psycopg.connect(administrator_url) as connection:
        connection.execute("set search_path = panlect, public")
        counts = []
        for organisation in (DEFAULT_ORGANISATION, uuid4()):
            connection.execute("select set_config('app.organisation_id', %s, false)", [str(organisation)])
            row = connection.execute(
                f"select count(*) from {function}(%s)".encode(), [snapshot.id]
            ).fetchone()
            counts.append(row and row[0])
    assert counts == [len(FILES), 0]


# What became of each file


def test_every_file_of_a_snapshot_has_a_record(store: PostgresStore, place: Place) -> None:
    snapshot = commit(store, place.repository_id, "one", {"a.py": "A = 1\n", "b.bin": "x", "c.rs": "\0"})
    said = {one.path: (one.parser, one.chunker, one.skipped) for one in snapshots.files(store, snapshot.id)}
    assert said == {
        "a.py": ("tree-sitter", "syntax", ""),
        "b.bin": ("none", "none", "binary by name"),
        "c.rs": ("none", "none", "binary"),
    }
    assert next(one.ms for one in snapshots.files(store, snapshot.id)) == 1.5


def test_a_file_whose_analysis_is_not_there_says_so(store: PostgresStore, place: Place) -> None:
    snapshot = snapshots.begin(store, place.repository_id, "one")
    snapshots.put_entries(store, place.repository_id, snapshot, [TreeEntry("a.py", "ab" * 20, "100644", 3)])
    assert [one.skipped for one in snapshots.files(store, snapshot.id)] == [snapshots.UNREAD]


def test_files_come_by_the_page(store: PostgresStore, place: Place) -> None:
    texts = {**FILES, "a.bin": "x", "shop/part11.bin": "x", "z.bin": "x"}
    snapshot = commit(store, place.repository_id, "one", texts)
    paths = sorted(texts)
    page = snapshots.files(store, snapshot.id, offset=1, limit=3)
    assert [one.path for one in page] == paths[1:4]
    skipped = snapshots.files(store, snapshot.id, skipped=True, offset=1, limit=1)
    assert [(one.path, one.skipped) for one in skipped] == [("shop/part11.bin", "binary by name")]
    assert next(snapshots.files(store, snapshot.id)).path == "a.bin"  # and the rest is left unread
    assert len(list(snapshots.files(store, snapshot.id))) == len(texts)


# Who knows a name


def test_names_are_found_over_all_repositories(
    store: PostgresStore, place: Place, other_repository: UUID
) -> None:
    commit(
        store,
        place.repository_id,
        "one",
        {"shop.py": "import os\ndef capture(order):\n    return os.getenv('PAY_KEY')\n"},
    )
    commit(
        store,
        other_repository,
        "two",
        {"jobs.py": "from shop import capture\ncapture(1)\n", "d.py": "os.environ['PAY_KEY']\n"},
    )
    known = who_in_organisation(store, "capture")
    assert [(s.repository, s.path, s.line, s.role) for s in known.sites] == [
        ("acme/other", "jobs.py", 2, "uses"),
        ("acme/shop", "shop.py", 2, "defines"),
    ]  # fmt: skip
    assert [(s.repository, s.kind) for s in who_in_organisation(store, "PAY_KEY").sites] == [
        ("acme/other", "env"),
        ("acme/shop", "env"),
    ]


def test_a_file_counts_once_however_many_overlays_lie_on_it(store: PostgresStore, place: Place) -> None:
    commit(store, place.repository_id, "one", FILES)
    commit(store, place.repository_id, "two", {**FILES, "x.py": "part_3(1)\n"})
    moved = {path: text for path, text in FILES.items() if path != "shop/part3.py"}
    commit(
        store,
        place.repository_id,
        "three",
        {**moved, "x.py": "part_3(2)\n\npart_3(3)\n", "y/part3.py": FILES["shop/part3.py"]},
    )
    known = who_in_organisation(store, "part_3")
    assert [(s.path, s.line) for s in known.sites] == [("x.py", 1), ("x.py", 3), ("y/part3.py", 1)]


def change_of(path: str, old_path: str, name: str) -> Change:
    before = (Symbol(name, "function", f"def {name}()", 1, 2),)
    file = ChangedFile(
        "renamed", old_path, path, "1" * 40, "2" * 40, "100644", "100644", "code", before=before
    )
    return Change("base", "head", (file,))


def reach(store: PostgresStore, name: str) -> BlastRadius:
    base = MemoryRepository().snapshot({})
    return reach_in_organisation(store, "acme/shop", change_of("new.py", "old.py", name), base)


def test_the_old_path_of_a_renamed_file_is_no_other_file(store: PostgresStore, place: Place) -> None:
    commit(
        store,
        place.repository_id,
        "one",
        {"old.py": "def part(order): ...\npart(1)\n", "user.py": "part(2)\n"},
    )
    said = reach(store, "part")
    assert (str(said), said.cut) == ("1 repository, 1 call site", False)


def test_a_name_that_many_files_know_is_cut_and_says_so(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who, "_MOST_FILES", 5)
    commit(store, place.repository_id, "one", {f"user{n}.py": f"part({n})\n" for n in range(9)})
    said = reach(store, "part")
    assert (str(said), said.cut) == ("at least 1 repository, 5 call sites", True)
    assert len(who_in_organisation(store, "part").sites) == 9


def test_a_name_is_left_at_its_fourth_definition(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, place.repository_id, "one", {f"d{n}.py": f"def part(): return {n}\n" for n in range(9)})
    read: list[str] = []
    sites = who._sites
    monkeypatch.setattr(who, "_sites", lambda *given: read.append(given[2]) or sites(*given))
    assert reach(store, "part") == BlastRadius(0, 0, ())
    assert read == ["d0.py", "d1.py", "d2.py", "d3.py"]


def test_a_query_of_a_review_that_takes_too_long_is_cut_and_the_store_goes_on(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, place.repository_id, "one", FILES)
    monkeypatch.setattr(who, "_TIMEOUT_MS", 1)
    slow = "select pg_sleep(5), '', '', '', ''::bytea -- %(organisation_id)s %(ids)s"
    monkeypatch.setattr(snapshots, "query", lambda name: slow if name == "snapshots.who" else query(name))
    assert reach(store, "part_1").cut
    monkeypatch.undo()
    assert len(who_in_organisation(store, "part_1").sites) == 1


def test_hashes_of_names_are_those_that_are_asked_for(store: PostgresStore) -> None:
    memory = MemoryStore()
    blobs = MemoryBlobs()
    analyse_blobs(blobs, blobs.add({"a.py": "class Cart(Base):\n    pass\nCart()\n"}), memory, workers=0)
    (packed,) = memory.kept.values()
    numbers = set(names_of(packed.symbols).tolist())
    assert {name_number("Cart"), name_number("Base")} <= numbers
    assert name_number("Order") not in numbers


# Vectors


def test_a_rename_costs_no_embedding(store: PostgresStore, place: Place) -> None:
    first = commit(store, place.repository_id, "one", FILES)
    assert embed_all(store, place.repository_id, first) == len(FILES)
    renamed = {path.replace("part3.py", "moved/part3.py"): text for path, text in FILES.items()}
    second = commit(store, place.repository_id, "two", renamed)
    assert embed_all(store, place.repository_id, second) == 0


def test_what_another_repository_has_embedded_is_copied(
    store: PostgresStore, place: Place, other_repository: UUID
) -> None:
    embed_all(store, place.repository_id, commit(store, place.repository_id, "one", FILES))
    second = commit(store, other_repository, "one", {**FILES, "more.py": "def more():\n    return 1\n"})
    assert embed_all(store, other_repository, second) == 1


def test_what_the_review_of_a_head_read_is_embedded_when_it_is_merged(
    store: PostgresStore, place: Place
) -> None:
    embed_all(store, place.repository_id, commit(store, place.repository_id, "one", FILES))
    head = {**FILES, "new.py": "def new():\n    return 1\n"}
    commit(store, place.repository_id, "head", head, serve=False)
    merged = commit(store, place.repository_id, "merge", {**head, "other.py": "O = 1\n"})
    assert embed_all(store, place.repository_id, merged) == 2


def test_vectors_of_another_length_are_refused_under_the_same_name(store: PostgresStore) -> None:
    vectors.register(store, MODEL)
    with pytest.raises(ConfigurationError, match="384 numbers, and these have 512"):
        vectors.register(store, replace(MODEL, dimension=512))


def test_a_model_is_served_until_the_switch(store: PostgresStore, place: Place) -> None:
    other = vectors.Model("hashing-512", ModelSpec("hashing", 512), 512)
    for model in (MODEL, other):
        vectors.register(store, model)
        vectors.serve(store, place.repository_id, model.key)
    assert vectors.serving(store, place.repository_id) == MODEL
    vectors.serve(store, place.repository_id, other.key, switch=True)
    assert vectors.serving(store, place.repository_id) == other


def test_dense_hits_belong_to_the_snapshot_however_many_are_retained(
    store: PostgresStore, place: Place
) -> None:
    """Twenty commits, each with a file of its own that is nearest to the query and gone in the next."""
    for number in range(20):
        old = f"def refund_payment_{number}(order):\n    return refund_payment(order, {number})\n"
        embed_all(
            store,
            place.repository_id,
            commit(store, place.repository_id, f"c{number}", {**FILES, f"old{number}.py": old}),
        )
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    asked = "refund payment"
    dense = PostgresDense(store, place.repository_id, MODEL, HashingEmbedder().embed([asked])[0])
    near = {digest for digest, _ in dense.nearest(query, 20)}
    snapshot = Snapshot(active.commit_sha, snapshots.entries(store, active.id), store, NoBlobs())
    hits = search(snapshot, asked, 5, dense)
    assert len(near) == 20
    assert hits[0].path == "old19.py"
    assert all(snapshot.exists(hit.path) for hit in hits)


def test_a_large_repository_is_searched_by_an_index_with_full_recall(
    store: PostgresStore, place: Place, other_repository: UUID
) -> None:
    random = np.random.default_rng(7)
    vectors.register(store, MODEL)
    for repository_id, count in ((place.repository_id, 3000), (other_repository, 500)):
        made = random.normal(size=(count, 384)).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        vectors.put(store, repository_id, MODEL.key, [uuid4().bytes for _ in range(count)], made)
    said = vectors.ensure_index(store, place.repository_id, MODEL, above=1000)
    small = vectors.ensure_index(store, other_repository, MODEL, above=1000)
    assert (said.vectors, said.built, small.built) == (3000, True, False)
    assert said.recall is not None
    assert said.recall >= 0.98
    probe = made[0]
    near = vectors.nearest(store, other_repository, MODEL, probe, 10)
    assert len(near) == 10
    assert near[0][1] == pytest.approx(1.0, abs=1e-3)


def put_random(store: PostgresStore, repository_id: UUID, count: int) -> None:
    made = np.random.default_rng(7).normal(size=(count, 384)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    vectors.register(store, MODEL)
    vectors.put(store, repository_id, MODEL.key, [uuid4().bytes for _ in range(count)], made)


def indexes_of(url: str) -> list[bool]:
    """Whether each approximate index is valid."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select i.indisvalid from pg_class c join pg_index i on i.indexrelid = c.oid where relname ~ '^nearest_'"
        ).fetchall()
    return [valid for (valid,) in rows]


def test_an_index_whose_build_was_killed_is_built_anew(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    put_random(store, place.repository_id, 300)
    vectors.ensure_index(store, place.repository_id, MODEL, above=100)
    with psycopg.connect(administrator_url) as connection:  # what a killed build leaves
        connection.execute(
            "update pg_index set indisvalid = false from pg_class c where c.oid = indexrelid and relname ~ '^nearest_'"
        )
    assert indexes_of(administrator_url) == [False]
    said = vectors.ensure_index(store, place.repository_id, MODEL, above=100)
    assert (said.built, indexes_of(administrator_url)) == (True, [True])


def test_an_index_that_is_not_valid_is_never_measured(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_random(store, place.repository_id, 300)
    monkeypatch.setattr(vectors, "_has_index", lambda *_: False)
    said = vectors.ensure_index(store, place.repository_id, MODEL, above=100)
    assert said == vectors.Indexed(300, built=False)


def test_an_index_that_another_builds_is_left_to_it(
    store: PostgresStore, place: Place, database_url: str, administrator_url: str
) -> None:
    put_random(store, place.repository_id, 300)
    name = vectors._index_name(place.repository_id, MODEL.key)
    with psycopg.connect(database_url, autocommit=True) as builder:
        builder.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        said = vectors.ensure_index(store, place.repository_id, MODEL, above=100)
    assert (said.built, indexes_of(administrator_url)) == (False, [])


def test_the_index_of_a_model_is_dropped_with_its_vectors(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    put_random(store, place.repository_id, 300)
    vectors.ensure_index(store, place.repository_id, MODEL, above=100)
    assert vectors.drop(store, place.repository_id, MODEL.key) == 300
    assert indexes_of(administrator_url) == []


# What is dropped


def test_collecting_keeps_what_is_searched_and_what_it_stands_on(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    for number in range(6):
        snapshot = commit(
            store,
            place.repository_id,
            f"c{number}",
            {**FILES, "x.py": f"def x{number}():\n    return {number}\n"},
        )
        embed_all(store, place.repository_id, snapshot)
    said = snapshots.collect(store, kept=2, grace_s=0)
    assert said.snapshots == 0  # each stands on the one before
    commit(store, place.repository_id, "whole", {p: f"{t}# new\n" for p, t in FILES.items()})
    embed_all(
        store,
        place.repository_id,
        commit(store, place.repository_id, "last", {p: f"{t}# last\n" for p, t in FILES.items()}),
    )
    said = snapshots.collect(store, kept=1, grace_s=0)
    assert (said.snapshots, said.blobs, said.chunks) == (7, 40 + 6 + 40, 40 + 6 + 40)
    assert said.vectors == 40 + 6
    assert rows_of(administrator_url, "chunk_embedding") == 40
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    assert len(snapshots.entries(store, active.id)) == 40


def test_the_head_of_a_review_in_progress_is_not_collected(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    changed = {path: f"{text}# head\n" for path, text in FILES.items()}
    commit(store, place.repository_id, "head", changed, serve=False)
    commit(store, place.repository_id, "main", FILES)
    with psycopg.connect(administrator_url) as connection:
        connection.execute(
            "insert into panlect.run (organisation_id, kind, status, repository_id, head_sha, base_sha, lease_token)"
            " values (%s, 'review', 'running', %s, 'head', 'main', gen_random_uuid())",
            [DEFAULT_ORGANISATION, place.repository_id],
        )
    assert snapshots.collect(store, kept=0, grace_s=0).snapshots == 0
    with psycopg.connect(administrator_url) as connection:
        connection.execute("delete from panlect.run")
    assert snapshots.collect(store, kept=0, grace_s=0).snapshots == 1


def test_vectors_of_young_chunks_are_never_collected(
    store: PostgresStore, place: Place, administrator_url: str
) -> None:
    for number in range(2):
        embed_all(
            store,
            place.repository_id,
            commit(
                store, place.repository_id, f"c{number}", {p: f"{t}# {number}\n" for p, t in FILES.items()}
            ),
        )
    with psycopg.connect(administrator_url) as connection:
        connection.execute("update panlect.snapshot set activated_at = activated_at - interval '2 hours'")
    said = snapshots.collect(store, kept=0, grace_s=3600)
    assert (said.snapshots, said.vectors) == (1, 0)


def test_the_young_are_never_collected(store: PostgresStore, place: Place) -> None:
    for number in range(3):
        commit(store, place.repository_id, f"c{number}", {p: f"{t}# {number}\n" for p, t in FILES.items()})
    assert snapshots.collect(store, kept=1, grace_s=3600) == snapshots.Collected(0, 0, 0, 0)


def age(administrator_url: str, *tables: str) -> None:
    """Make every row of these tables two hours older."""
    with psycopg.connect(administrator_url) as connection:
        for table in tables:
            connection.execute(
                f"update panlect.{table} set created_at = created_at - interval '2 hours'".encode()
            )


@contextmanager
def collecting_beside(administrator_url: str, store: PostgresStore, name: str) -> Iterator[None]:
    """The collector's query `name` runs after the block and before its transaction is committed."""
    values = {"organisation_id": store.organisation_id, "grace_s": 3600}

    def collect() -> None:
        with PostgresStore(store.url, store.organisation_id) as other, other.transaction() as connection:
            connection.execute("set local lock_timeout = '20s'")
            connection.execute(query(name), values)

    with ThreadPoolExecutor(1) as thread:
        with store.transaction():
            yield
            done = thread.submit(collect)
            with psycopg.connect(administrator_url, autocommit=True) as watcher:
                waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%delete from%'"
                while not done.done() and not watcher.execute(waiting).fetchone():
                    time.sleep(0.01)
        done.result(30)


def test_an_old_chunk_that_a_run_stores_again_is_not_dropped_under_it(
    store: PostgresStore, administrator_url: str
) -> None:
    store.put_chunks([(bytes(16), "def total(): ...")])
    age(administrator_url, "chunk")
    with collecting_beside(administrator_url, store, "snapshots.drop_unreachable_chunks"):
        store.put_chunks([(bytes(16), "def total(): ...")])
    assert store.read_chunks([bytes(16)]) == {bytes(16): "def total(): ..."}


def test_an_old_analysis_that_a_run_was_told_of_is_not_dropped_under_it(
    store: PostgresStore, administrator_url: str
) -> None:
    memory, blobs = MemoryStore(), MemoryBlobs()
    analyse_blobs(blobs, blobs.add(FILES), memory, workers=0)
    store.put(memory.kept.items())
    age(administrator_url, "blob_analysis")
    with collecting_beside(administrator_url, store, "snapshots.drop_unreachable_blobs"):
        known = store.known(memory.kept)
    assert known == set(memory.kept)
    assert set(store.load("meta", list(memory.kept))) == known


def test_an_old_analysis_that_is_stored_again_is_not_dropped_under_it(
    store: PostgresStore, administrator_url: str
) -> None:
    memory, blobs = MemoryStore(), MemoryBlobs()
    analyse_blobs(blobs, blobs.add({"a.py": "A = 1\n"}), memory, workers=0)
    store.put(memory.kept.items())
    age(administrator_url, "blob_analysis")
    with collecting_beside(administrator_url, store, "snapshots.drop_unreachable_blobs"):
        store.put(memory.kept.items())
    assert store.known(memory.kept) == set(memory.kept)


def test_a_young_row_that_is_asked_for_is_not_written(store: PostgresStore, administrator_url: str) -> None:
    memory, blobs = MemoryStore(), MemoryBlobs()
    analyse_blobs(blobs, blobs.add({"a.py": "A = 1\n"}), memory, workers=0)
    store.put(memory.kept.items())
    with psycopg.connect(administrator_url) as connection:
        said = connection.execute("select ctid, created_at from panlect.blob_analysis").fetchall()
    store.known(memory.kept)
    with psycopg.connect(administrator_url) as connection:
        assert connection.execute("select ctid, created_at from panlect.blob_analysis").fetchall() == said


def test_storage_counts_rows_and_bytes(store: PostgresStore, place: Place) -> None:
    embed_all(store, place.repository_id, commit(store, place.repository_id, "one", FILES))
    said = snapshots.storage(store)
    assert (said.snapshots, said.entries, said.blobs, said.chunks, said.vectors) == (1, 40, 40, 40, 40)
    assert said.vector_bytes > 40 * 768
    assert said.blob_bytes > 0
    large = "".join(f"{number}\n" for number in range(200_000))
    store.put_chunks([(bytes(16), large)])
    assert (
        0 < snapshots.storage(store).chunk_bytes - said.chunk_bytes < len(large)
    )  # compressed, as it is stored


def test_a_blob_key_of_a_snapshot_is_the_key_of_its_analysis(store: PostgresStore, place: Place) -> None:
    commit(store, place.repository_id, "one", FILES)
    active = snapshots.active(store, place.repository_id)
    assert active is not None
    keys = [blob_key(entry) for entry in snapshots.entries(store, active.id)]
    assert store.known(keys) == set(keys)
