"""Vectors in Postgres, by repository: which model they are of, what is missing, and the nearest of a query.

A small repository is compared exactly. A large one gets an approximate index of its own (HNSW over its rows
alone), whose recall is measured against the exact answer before it is trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from panlect.db.sql import query
from panlect.errors import ConfigurationError
from panlect.index.models import ModelSpec
from panlect.index.store import PostgresStore

if TYPE_CHECKING:
    from psycopg import Connection, sql

    Vectors = np.ndarray[Any, Any]

EXACT_BELOW = 50_000  # vectors of a repository: about 40 ms to compare
_BATCH = 5000
_COPY_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, no flags, no extension
_COPY_END = b"\xff\xff"
_BUILD_MEMORY = "512MB"
_SEARCHED = 200  # hnsw.ef_search: measured full recall at 10 neighbours
_ENOUGH_RECALL = 0.98
_SAMPLES = 40


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose vectors are kept: its key, how it is asked, and how long its vectors are."""

    key: str
    spec: ModelSpec
    dimension: int


def register(store: PostgresStore, model: Model) -> None:
    """Write a model down before its first vector.

    Raises ConfigurationError when its key is known with another dimension: such vectors cannot be compared.
    """
    from psycopg.types.json import Jsonb

    values = {
        "organisation_id": store.organisation_id,
        "key": model.key,
        "spec": Jsonb(model.spec.as_json()),
        "dimension": model.dimension,
    }
    with store.transaction() as connection:
        connection.execute(query("vectors.register_model"), values)
        row = connection.execute(query("vectors.find_model"), values).fetchone()
    assert row is not None
    if row[2] != model.dimension:
        raise ConfigurationError(
            f"Vectors of {model.key} have {row[2]} numbers, and these have {model.dimension}.",
            why="Vectors of two lengths cannot be compared.",
            fix="Give the other model or endpoint a name of its own, and re-embed with jobs.reembed.",
        )


def find(store: PostgresStore, key: str) -> Model | None:
    """The model of a key; None when no vector of it was ever kept."""
    values = {"organisation_id": store.organisation_id, "key": key}
    with store.transaction() as connection:
        row = connection.execute(query("vectors.find_model"), values).fetchone()
    return Model(row[0], ModelSpec.of(row[1]), row[2]) if row else None


def serving(store: PostgresStore, repository_id: UUID) -> Model | None:
    """The model whose vectors of this repository are asked now; None before the first."""
    values = {"organisation_id": store.organisation_id, "repository_id": repository_id}
    with store.transaction() as connection:
        row = connection.execute(query("vectors.serving"), values).fetchone()
    return Model(row[0], ModelSpec.of(row[1]), row[2]) if row else None


def serve(store: PostgresStore, repository_id: UUID, key: str, *, switch: bool = False) -> None:
    """Ask the vectors of this model when none is asked yet; with `switch` in place of the one that is."""
    values = {
        "organisation_id": store.organisation_id,
        "repository_id": repository_id,
        "key": key,
        "switch": switch,
    }
    with store.transaction() as connection:
        connection.execute(query("vectors.serve"), values)


def missing(
    store: PostgresStore, repository_id: UUID, snapshot_id: UUID, key: str
) -> list[tuple[bytes, str]]:
    """(hash, text) of a snapshot's chunks without a vector, shortest first; what the organisation has is copied."""
    values = {
        "organisation_id": store.organisation_id,
        "repository_id": repository_id,
        "snapshot_id": snapshot_id,
        "key": key,
    }
    with store.transaction() as connection, connection.cursor(binary=True) as cursor:
        cursor.execute(query("vectors.adopt"), values)
        cursor.execute(query("vectors.missing"), values)
        return [(bytes(digest), text) for digest, text in cursor]


def put(
    store: PostgresStore, repository_id: UUID, key: str, hashes: Sequence[bytes], vectors: Vectors
) -> None:
    """Unit vectors of chunks, one for each hash of 16 bytes; a rerun skips what is there."""
    for at in range(0, len(hashes), _BATCH):
        some = slice(at, at + _BATCH)
        rows = _copied_rows(store.organisation_id, repository_id, key, hashes[some], vectors[some])
        with store.copying("incoming_vector", "vectors.stage", "vectors.store") as copy:
            copy.write(rows)


def _copied_rows(
    organisation_id: UUID, repository_id: UUID, key: str, hashes: Sequence[bytes], vectors: Vectors
) -> bytes:
    """The rows as binary COPY wants them: every one has the same lengths, so numpy writes them all at once.

    Each field with its size before it; a halfvec is its dimension, two zero bytes, and its numbers.
    """
    name, dimension = key.encode(), vectors.shape[1]
    fields: list[tuple[str, bytes | np.ndarray[Any, Any], str]] = [
        ("organisation", organisation_id.bytes, "V16"),
        ("repository", repository_id.bytes, "V16"),
        ("hash", np.frombuffer(b"".join(hashes), dtype="V16"), "V16"),
        ("model", name, f"V{len(name)}"),
    ]
    shape: list[Any] = [("fields", ">i2")]
    for field, _, kind in fields:
        shape += [(f"size of {field}", ">i4"), (field, kind)]
    shape += [("size", ">i4"), ("dimension", ">i2"), ("zero", ">i2"), ("vector", ">f2", (dimension,))]
    rows = np.zeros(len(hashes), dtype=shape)
    rows["fields"] = len(fields) + 1
    for field, value, kind in fields:
        rows[f"size of {field}"] = int(kind[1:])
        rows[field] = np.void(value) if isinstance(value, bytes) else value
    rows["size"], rows["dimension"], rows["vector"] = 4 + 2 * dimension, dimension, vectors
    return _COPY_HEAD + rows.tobytes() + _COPY_END


def drop(store: PostgresStore, repository_id: UUID, key: str) -> int:
    """Forget a model's vectors of a repository, and their index where the login owns it; how many there were."""
    values = {"organisation_id": store.organisation_id, "repository_id": repository_id, "key": key}
    with store.transaction() as connection:
        dropped = connection.execute(query("vectors.drop_model"), values).rowcount
    with _owner(store) as owner:
        if owner is not None:
            _drop_index(owner, _index_name(repository_id, key))
    return dropped


def nearest(
    store: PostgresStore, repository_id: UUID, model: Model, vector: Vectors, limit: int
) -> list[tuple[bytes, float]]:
    """(chunk hash, cosine) of the repository's nearest vectors, whatever snapshot they belong to."""
    from pgvector import HalfVector

    values = {
        "organisation_id": store.organisation_id,
        "repository_id": repository_id,
        "key": model.key,
        "vector": HalfVector(vector),
        "limit": limit,
    }
    with store.transaction() as connection:
        # A generic plan would not know whose rows are asked for, and choose badly.
        connection.execute("set local plan_cache_mode = force_custom_plan")
        if _has_index(connection, repository_id, model):
            connection.execute("set local hnsw.iterative_scan = relaxed_order")
            connection.execute(f"set local hnsw.ef_search = {max(_SEARCHED, min(limit, 1000))}".encode())
            rows = connection.execute(_approximate(model.dimension), values).fetchall()
        else:
            rows = connection.execute(query("vectors.nearest"), values).fetchall()
    return [(bytes(digest), float(cosine)) for digest, cosine in rows]


# Large repositories


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of asking for an approximate index."""

    vectors: int
    built: bool
    recall: float | None = None


def ensure_index(
    store: PostgresStore, repository_id: UUID, model: Model, *, above: int = EXACT_BELOW
) -> Indexed:
    """An approximate index over the repository's vectors when there are many; its recall of the exact answer.

    One whose recall is too low is dropped again: slow and right before quick and wrong. Needs the login that
    owns the tables; under another it stays exact.
    """
    values = {"organisation_id": store.organisation_id, "repository_id": repository_id, "key": model.key}
    with store.transaction() as connection:
        row = connection.execute(query("vectors.count"), values).fetchone()
        assert row is not None
        if row[0] <= above or _has_index(connection, repository_id, model):
            return Indexed(row[0], built=False)
        part = connection.execute(query("vectors.partition"), values).fetchone()
    assert part is not None
    name = _index_name(repository_id, model.key)
    with _owner(store) as owner:
        if owner is None or not _is_only_builder(owner, name):
            return Indexed(row[0], built=False)
        if not _has_index(owner, repository_id, model):
            _drop_index(owner, name)  # a build that was killed leaves an index that nobody asks
            owner.execute(f"set maintenance_work_mem = '{_BUILD_MEMORY}'".encode())
            owner.execute(_create_index(part[0], repository_id, model))
        if not _has_index(owner, repository_id, model):
            return Indexed(row[0], built=False)
        recall = measure_recall(store, repository_id, model)
        if recall < _ENOUGH_RECALL:
            _drop_index(owner, name)
            return Indexed(row[0], built=False, recall=recall)
    return Indexed(row[0], built=True, recall=recall)


@contextmanager
def _owner(store: PostgresStore) -> Iterator[Connection[Any] | None]:
    """A connection that may build and drop indexes, outside transactions; None where the login may not."""
    import psycopg

    with psycopg.connect(store.url, autocommit=True) as owner:
        owner.execute("set search_path = panlect, public")
        yield owner if _owns_vectors(owner) else None


def _is_only_builder(owner: Connection[Any], name: str) -> bool:
    """Whether nobody else builds this index. Not waited for: a build waits for every older statement, this one too."""
    row = owner.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
    return bool(row and row[0])


def _drop_index(owner: Connection[Any], name: str) -> None:
    owner.execute(f"drop index concurrently if exists {name}".encode())


def measure_recall(store: PostgresStore, repository_id: UUID, model: Model, k: int = 10) -> float:
    """The share of the exact `k` nearest that the indexed search finds, over a fixed sample of stored vectors."""
    values: dict[str, Any] = {
        "organisation_id": store.organisation_id,
        "repository_id": repository_id,
        "key": model.key,
    }
    with store.transaction() as connection:
        rows = connection.execute(query("vectors.sample"), {**values, "limit": _SAMPLES}).fetchall()
    found = 0
    for (vector,) in rows:
        with store.transaction() as connection:
            exact = connection.execute(query("vectors.nearest"), {**values, "vector": vector, "limit": k})
            wanted = {bytes(digest) for digest, _ in exact.fetchall()}
        near = nearest(store, repository_id, model, np.asarray(vector.to_numpy(), dtype=np.float32), k)
        found += len(wanted & {digest for digest, _ in near})
    return found / (k * len(rows)) if rows else 1.0


def _approximate(dimension: int) -> sql.Composed:
    """As `vectors.nearest`, in the words of the index: it holds vectors of a fixed length."""
    from psycopg import sql

    return sql.SQL(
        "select chunk_hash, 1 - distance from ("
        " select chunk_hash, embedding::halfvec({dimension}) <=> %(vector)s as distance from chunk_embedding"
        " where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(key)s"
        " order by distance limit %(limit)s) near order by distance, chunk_hash"
    ).format(dimension=sql.Literal(dimension))


def _create_index(part: str, repository_id: UUID, model: Model) -> sql.Composed:
    from psycopg import sql

    return sql.SQL(
        "create index concurrently if not exists {name} on {part} using hnsw"
        " ((embedding::halfvec({dimension})) halfvec_cosine_ops) where repository_id = {repository} and model = {key}"
    ).format(
        name=sql.Identifier(_index_name(repository_id, model.key)),
        part=sql.Identifier(part),
        dimension=sql.Literal(model.dimension),
        repository=sql.Literal(str(repository_id)),
        key=sql.Literal(model.key),
    )


def _index_name(repository_id: UUID, key: str) -> str:
    digest = hashlib.sha256(f"{repository_id}\0{key}".encode()).hexdigest()
    return f"nearest_{digest[:24]}"


def _has_index(connection: Connection[Any], repository_id: UUID, model: Model) -> bool:
    row = connection.execute(
        "select i.indisvalid from pg_class c join pg_index i on i.indexrelid = c.oid"
        " where c.relnamespace = 'panlect'::regnamespace and c.relname = %s",
        [_index_name(repository_id, model.key)],
    ).fetchone()
    return bool(row and row[0])


def _owns_vectors(owner: Connection[Any]) -> bool:
    row = owner.execute(
        "select pg_has_role(relowner, 'usage') from pg_class where oid = 'panlect.chunk_embedding'::regclass"
    ).fetchone()
    return bool(row and row[0])
