"""Journey B in bulk: Ray Data reads and analyses blobs on CPU nodes, embeds chunks in actors, writes by COPY.

CPU nodes own mirrors, each its own, made when it is first asked for a blob; they alone read and write where the
cluster has nodes with GPUs beside them. Blocks carry text and packed columns,
so embedding actors see no git and hold no credentials. Everything is keyed by content: a rerun skips what is there.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import ray
import ray.data

from panlect import wiring
from panlect.errors import PanlectError
from panlect.git.repository import Repository
from panlect.index.analyse import AnalysisRun
from panlect.index.commit import analysed
from panlect.index.models import ENDPOINT, HASHING, ModelSpec, key_of
from panlect.index.runs import find_subject, mirror_of
from panlect.index.snapshot import BlobKey
from panlect.settings import load
from pipelines.embedder import EmbedBatch
from pipelines.rows import row_of, unread_row
from pipelines.sink import AnalysisSink, VectorSink

_BLOBS_PER_TASK = 64
_CHUNKS_PER_BATCH, _CHUNKS_PER_GPU_BATCH = 64, 512
_READ_CPUS, _EMBED_CPUS, _SINK_CPUS = 0.25, 0.5, 0.1
_MOST_ACTORS = 64
_PLACED_WITHIN_S = 120
_NODE_ID = "ray.io/node-id"  # a label that Ray gives every node
Count = Callable[[int], None]
NodeChoice = dict[str, str] | None  # a label selector of Ray; None: any node


@dataclass(frozen=True, slots=True)
class Source:
    """What is indexed, by name alone: each node finds database and code host in its own environment."""

    run_id: UUID
    organisation_id: UUID
    repository_id: UUID


@dataclass(frozen=True, slots=True)
class Placement:
    """How many embedding actors there are, and what each takes of its node."""

    actors: int
    num_cpus: float
    num_gpus: float
    nodes: NodeChoice = None

    @property
    def batch(self) -> int:
        """Chunks that an actor gets at once."""
        return _CHUNKS_PER_GPU_BATCH if self.num_gpus else _CHUNKS_PER_BATCH


def analyse_blobs(
    keys: Sequence[BlobKey], source: Source, progress: Count, *, cut: str = ""
) -> dict[str, int]:
    """Analyse and keep `keys`; how many could not be read, by reason. `progress` hears how many are done.

    `cut` says why the listing lacks files: readers spend little on such a repository.
    """
    unread: Counter[str] = Counter()
    if not keys:
        return unread
    _configure()
    readers = reading_nodes()
    groups = [list(keys[at : at + _BLOBS_PER_TASK]) for at in range(0, len(keys), _BLOBS_PER_TASK)]
    rows = [{"keys": [f"{language}/{sha}" for language, sha in group]} for group in groups]
    dataset = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .flat_map(
            ReadAndAnalyse(source, cut),
            compute=ray.data.TaskPoolStrategy(size=_reading_tasks()) if readers else None,
            num_cpus=_READ_CPUS,
            label_selector=readers,
        )
        .map_batches(
            AnalysisSink(source.organisation_id),
            batch_size=_BLOBS_PER_TASK,
            num_cpus=_SINK_CPUS,
            label_selector=readers,
        )
    )
    blobs = 0
    for row in dataset.iter_rows():
        blobs += int(row["blobs"])
        unread.update(json.loads(row["unread"]))
        progress(blobs)
    return dict(unread)


def embed_chunks(
    missing: Sequence[tuple[bytes, str]],
    spec: ModelSpec,
    source: Source,
    progress: Count,
) -> int:
    """Embed and keep the vectors of `missing`; how many. `progress` hears how many are done."""
    if not missing:
        return 0
    _configure()
    place = placement(spec)
    rows = [
        {"hash": digest, "text": text} for digest, text in missing
    ]  # by length: a batch holds alike texts
    dataset = (
        ray.data.from_items(rows, override_num_blocks=max(1, len(rows) // (4 * place.batch)))
        .map_batches(
            EmbedBatch,
            fn_constructor_args=(spec,),
            batch_size=place.batch,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=place.actors),
            num_cpus=place.num_cpus,
            num_gpus=place.num_gpus,
            label_selector=place.nodes,
        )
        .map_batches(
            VectorSink(source.organisation_id, source.repository_id, key_of(spec), spec),
            batch_size=4 * _CHUNKS_PER_BATCH,
            num_cpus=_SINK_CPUS,
            label_selector=reading_nodes(),
        )
    )
    done = 0
    for row in dataset.iter_rows():
        done += int(row["vectors"])
        progress(done)
    return done


def reading_nodes() -> NodeChoice:
    """Where blobs are read, rows written and endpoints asked: on nodes without a GPU, which have the credentials.

    Any node where there is no GPU, and where every node with processors has one.
    """
    with_gpu = [node["NodeID"] for node in _nodes() if node["Resources"].get("GPU")]
    if not with_gpu or not _reading_cpus():
        return None
    return {_NODE_ID: f"!in({','.join(with_gpu)})"}


def placement(spec: ModelSpec) -> Placement:
    """As many embedding actors as the cluster holds beside one reading task and one sink: a GPU each, or a core.

    Asking for more than it has hangs without a word, so this raises PanlectError when not even one fits.
    """
    free = float(ray.available_resources().get("CPU", 0.0))  # type: ignore[no-untyped-call]
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus = int(total.get("GPU", 0.0))
    if gpus and spec.name != HASHING and not spec.name.startswith(ENDPOINT):
        return Placement(min(gpus, _MOST_ACTORS), 0, 1)
    most = float(total.get("CPU", 1.0))
    nodes = reading_nodes()
    if nodes is not None:
        most = _reading_cpus()
        free = min(free, most)
    cpus = free - _READ_CPUS - _SINK_CPUS
    fitting = min(int(cpus / _EMBED_CPUS), max(1, int(most)), _MOST_ACTORS)
    if fitting < 1:
        raise PanlectError(
            "The cluster has no room for an embedding actor.",
            why=f"{cpus:.2f} CPUs are left of the {_EMBED_CPUS} that one needs.",
            fix="Wait for other jobs, or add a node.",
        )
    return Placement(fitting, _EMBED_CPUS, 0, nodes)


def _reading_cpus() -> float:
    """The processors of nodes without a GPU."""
    return sum(
        float(node["Resources"].get("CPU", 0)) for node in _nodes() if not node["Resources"].get("GPU")
    )


def _reading_tasks() -> int:
    """How many reading tasks leave room for a sink: Ray Data counts processors that they may not have."""
    return max(1, int((_reading_cpus() - _SINK_CPUS) / _READ_CPUS))


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


class ReadAndAnalyse:
    """A group of keys -> one row a blob: its columns and its chunks with their texts, or why there are none."""

    def __init__(self, source: Source, cut: str) -> None:
        self._source, self._cut = source, cut

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Read the blobs from this node's mirror and analyse them in a killable child."""
        keys = [_key(text) for text in row["keys"]]
        run = _patience(self._source.run_id, self._cut)
        for one in analysed(node_mirror(self._source.run_id), keys, run=run):
            yield row_of(one)
        for key in keys:
            if key in run.unread:
                yield unread_row(key, run.unread.pop(key))


@lru_cache(maxsize=4)
def node_mirror(run_id: UUID) -> Repository:
    """This node's own mirror with the commit of a run; cloned when it is not there yet."""

    async def opened() -> Repository:
        services = await wiring.opened(load())
        try:
            subject = await find_subject(services.db, run_id)
            return await mirror_of(services.connections, services.mirrors, subject)
        finally:
            await services.close()

    return asyncio.run(opened())


@lru_cache(maxsize=4)
def _patience(run_id: UUID, cut: str) -> AnalysisRun:  # noqa: ARG001 - one for each run
    """What this process may lose on hostile blobs of a run, over all groups that it is given."""
    run = AnalysisRun()
    run.note_cut(cut)
    return run


def _key(text: str) -> BlobKey:
    language, _, sha = text.rpartition("/")
    return language, sha


def _configure() -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    context.wait_for_min_actors_s = _PLACED_WITHIN_S
