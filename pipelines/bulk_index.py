"""Journey B in bulk: Ray Data reads and analyses blobs on CPU nodes, embeds chunks in actors, writes by COPY.

Blocks carry text and packed columns, so embedding actors see no git and hold no credentials. Everything is
keyed by content: a rerun skips what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import ray
import ray.data

from panlect.errors import PanlectError
from panlect.git.repository import Repository
from panlect.index.commit import analysed
from panlect.index.snapshot import BlobKey
from pipelines.embedder import EmbedBatch
from pipelines.rows import row_of
from pipelines.sink import AnalysisSink, VectorSink

_BLOBS_PER_TASK = 64
_CHUNKS_PER_BATCH = 64
_READ_CPUS, _EMBED_CPUS, _SINK_CPUS = 0.25, 0.5, 0.1
Count = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Where:
    """What the sinks write to; it travels to CPU workers on this cluster only, never to embedding actors."""

    database_url: str
    organisation_id: UUID
    repository_id: UUID


def analyse_blobs(git_dir: Path, keys: Sequence[BlobKey], where: Where, progress: Count) -> int:
    """Analyse and keep `keys`; how many chunks they have. `progress` hears how many blobs are done."""
    if not keys:
        return 0
    _configure()
    groups = [list(keys[at : at + _BLOBS_PER_TASK]) for at in range(0, len(keys), _BLOBS_PER_TASK)]
    rows = [{"keys": [f"{language}/{sha}" for language, sha in group]} for group in groups]
    dataset = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .flat_map(ReadAndAnalyse(git_dir), num_cpus=_READ_CPUS)
        .map_batches(
            AnalysisSink(where.database_url, where.organisation_id),
            batch_size=_BLOBS_PER_TASK,
            num_cpus=_SINK_CPUS,
        )
    )
    blobs = chunks = 0
    for row in dataset.iter_rows():
        blobs += int(row["blobs"])
        chunks += int(row["chunks"])
        progress(blobs)
    return chunks


def embed_chunks(
    missing: Sequence[tuple[bytes, str]], model: str, model_id: str, where: Where, progress: Count
) -> int:
    """Embed and keep the vectors of `missing`; how many. `progress` hears how many are done."""
    if not missing:
        return 0
    _configure()
    rows = [{"hash": digest, "text": text} for digest, text in missing]
    blocks = max(1, len(rows) // (4 * _CHUNKS_PER_BATCH))
    dataset = (
        ray.data.from_items(rows, override_num_blocks=blocks)
        .map_batches(
            EmbedBatch,
            fn_constructor_args=(model,),
            batch_size=_CHUNKS_PER_BATCH,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors_that_fit()),
            num_cpus=_EMBED_CPUS,
        )
        .map_batches(
            VectorSink(where.database_url, where.organisation_id, where.repository_id, model_id),
            batch_size=4 * _CHUNKS_PER_BATCH,
            num_cpus=_SINK_CPUS,
        )
    )
    done = 0
    for row in dataset.iter_rows():
        done += int(row["vectors"])
        progress(done)
    return done


def actors_that_fit() -> int:
    """How many embedding actors the cluster holds beside one reading task and one sink.

    Asking for more than it has hangs without a word, so this raises PanlectError when not even one fits.
    """
    resources = ray.available_resources()  # type: ignore[no-untyped-call]
    free = float(resources.get("CPU", 0.0)) - _READ_CPUS - _SINK_CPUS
    fitting = int(free / _EMBED_CPUS)
    if fitting < 1:
        raise PanlectError(
            "The cluster has no room for an embedding actor.",
            why=f"{free:.2f} CPUs are left of the {_EMBED_CPUS} that one needs.",
            fix="Wait for other jobs, or add a node.",
        )
    return min(fitting, 8)


class ReadAndAnalyse:
    """A group of keys -> one row a blob: its columns and its chunks with their texts."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Read the blobs from this node's mirror and analyse them in a killable child."""
        keys = [_key(text) for text in row["keys"]]
        for one in analysed(Repository(self._git_dir), keys):
            yield row_of(one)


def _key(text: str) -> BlobKey:
    language, _, sha = text.rpartition("/")
    return language, sha


def _configure() -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
