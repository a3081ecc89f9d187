"""Old snapshots go behind the index runs that made them old."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from jobs.collect import Collector
from tests.e2e.conftest import connect, finished
from tests.e2e.test_journey_b import push

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
ORGANISATION = UUID("00000000-0000-0000-0000-000000000001")


async def test_what_nobody_searches_any_more_is_dropped_and_not_too_often(
    shop: str, forge: Any, indexing: Any, tmp_path: Path, administrator_url: str
) -> None:
    async with indexing.worker():
        await connect(indexing, forge, shop)
        await finished(indexing, 1)
        files = {
            f"shop/{name}.py": f"def {name}():\n    return 1\n" for name in ("capture", "refund", "void")
        }
        push(forge, tmp_path / "clone", files)
        await finished(indexing, 2)
    age(administrator_url)
    now = 0.0
    services = indexing.services
    eager = services.settings.model_copy(update={"snapshots_kept": 1, "collect_after_s": 60.0})
    collector = Collector(clock=lambda: now)
    place: Any = _With(services, eager)
    first = await collector.after_index(place, ORGANISATION)
    assert first is not None
    assert await collector.after_index(place, ORGANISATION) is None
    now = 3601.0
    assert await collector.after_index(place, ORGANISATION) is not None
    (found,) = (await indexing.client.get("/api/v1/indexes")).json()
    assert found["files"] == 4


def age(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("snapshot", "blob_analysis", "chunk"):
            connection.execute(f"update panlect.{table} set created_at = now() - interval '1 day'".encode())
        connection.execute("update panlect.snapshot set activated_at = activated_at - interval '1 day'")


class _With:
    """These services under other settings."""

    def __init__(self, services: Any, settings: Any) -> None:
        self.db, self.settings = services.db, settings
