"""Readers and the sink of a bulk index, without a cluster: nothing that was listed is lost without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from panlect.code.packed import crashed
from panlect.index.analyse import BUDGET_SPENT, AnalysisRun
from panlect.index.commit import Analysed
from panlect.index.models import BUNDLED, HASHING, ModelSpec
from panlect.index.snapshot import BlobKey
from pipelines import bulk_index, sink
from pipelines.bulk_index import ReadAndAnalyse, Source, placement, reading_nodes
from pipelines.rows import analysed_of, unread_row
from pipelines.sink import AnalysisSink

GOOD, GONE, LATE = (("python", f"{number:040x}") for number in range(3))
CHUNKS = ((b"h" * 16, "order total"),)
ONE = Analysed(GOOD, crashed("python", "x"), CHUNKS, 1.5)


def source(number: int) -> Source:
    return Source(UUID(int=number), UUID(int=2), UUID(int=3))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[AnalysisRun]:
    """Readers without git: one blob is read, one is missing, one is too late."""
    seen: list[AnalysisRun] = []

    def analysed(_: object, keys: list[BlobKey], run: AnalysisRun) -> Iterator[Analysed]:
        seen.append(run)
        run.unread |= {GONE: "missing object", LATE: BUDGET_SPENT}
        yield ONE

    monkeypatch.setattr(bulk_index, "node_mirror", lambda _: None)
    monkeypatch.setattr(bulk_index, "analysed", analysed)
    return seen


def read(number: int, cut: str = "") -> list[dict[str, Any]]:
    keys = [f"{language}/{sha}" for language, sha in (GOOD, GONE, LATE)]
    return list(ReadAndAnalyse(source(number), cut)({"keys": keys}))


def test_a_reader_says_why_a_blob_was_not_read(runs: list[AnalysisRun]) -> None:
    rows = read(1)
    assert {(row["sha"], row["unread"]) for row in rows} == {
        (GOOD[1], ""),
        (GONE[1], "missing object"),
        (LATE[1], BUDGET_SPENT),
    }
    assert len({tuple(row) for row in rows}) == 1, "all rows of a block have the same columns"
    assert analysed_of(rows[0]) == ONE


def test_a_reader_spends_little_on_a_listing_that_was_cut(runs: list[AnalysisRun]) -> None:
    read(2)
    read(3, cut="too many files")
    whole, cut = runs
    assert whole.seconds > 1e9
    assert cut.seconds < 60


def test_a_reader_keeps_its_patience_over_the_groups_of_a_run(runs: list[AnalysisRun]) -> None:
    read(4)
    read(4)
    assert runs[0] is runs[1]


def test_the_sink_counts_what_was_not_read_and_keeps_the_rest(
    runs: list[AnalysisRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Analysed] = []

    class Store:
        def __init__(self, *_: Any) -> None:
            pass

        def __enter__(self) -> Store:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

    def keep(_: object, rows: list[Analysed]) -> int:
        kept.extend(rows)
        return 1

    monkeypatch.setattr(sink, "PostgresStore", Store)
    monkeypatch.setattr(sink, "database_url", lambda _: "")
    monkeypatch.setattr(sink, "keep", keep)
    rows = [*read(5), unread_row(("go", "f" * 40), BUDGET_SPENT)]
    batch = {name: np.array([row[name] for row in rows], dtype=object) for name in rows[0] if name != "texts"}
    batch["texts"] = np.empty(len(rows), dtype=object)
    batch["texts"][:] = [row["texts"] for row in rows]
    said = AnalysisSink(UUID(int=2))(batch)
    assert kept == [ONE]
    assert (int(said["blobs"][0]), int(said["chunks"][0])) == (4, 1)
    assert json.loads(said["unread"][0]) == {"missing object": 1, BUDGET_SPENT: 2}


def cluster(monkeypatch: pytest.MonkeyPatch, **nodes: dict[str, float]) -> None:
    """Nodes by name, with what they have; all of it is free."""
    made = [{"NodeID": name, "Alive": True, "Resources": has} for name, has in nodes.items()]
    dead = {"NodeID": "dead", "Alive": False, "Resources": {"CPU": 8.0, "GPU": 1.0}}
    total = {name: sum(has.get(name, 0.0) for has in nodes.values()) for name in ("CPU", "GPU")}
    monkeypatch.setattr(bulk_index.ray, "nodes", lambda: [*made, dead])
    monkeypatch.setattr(bulk_index.ray, "available_resources", lambda: total)
    monkeypatch.setattr(bulk_index.ray, "cluster_resources", lambda: total)


def test_nodes_with_a_gpu_are_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, head={"CPU": 2.0}, a={"CPU": 1.0, "GPU": 1.0}, b={"CPU": 1.0, "GPU": 4.0})
    assert reading_nodes() == {"ray.io/node-id": "!in(a,b)"}
    for spec in (ModelSpec(HASHING), ModelSpec("endpoint:code")):
        place = placement(spec)
        assert (place.actors, place.num_gpus, place.nodes) == (2, 0, reading_nodes())
    place = placement(ModelSpec(BUNDLED))
    assert (place.actors, place.num_gpus, place.nodes) == (5, 1, None)


def test_a_cluster_of_one_kind_of_node_reads_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, head={"CPU": 2.0}, more={"CPU": 2.0})
    assert reading_nodes() is None
    cluster(monkeypatch, head={"CPU": 0.0}, one={"CPU": 8.0, "GPU": 1.0})
    assert reading_nodes() is None


def test_readers_leave_room_for_a_sink_on_their_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, head={"CPU": 2.0}, a={"CPU": 64.0, "GPU": 1.0})
    assert bulk_index._reading_tasks() == 7
    cluster(monkeypatch, head={"CPU": 0.25}, a={"CPU": 64.0, "GPU": 1.0})
    assert bulk_index._reading_tasks() == 1
