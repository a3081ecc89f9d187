"""Signed webhooks as GitHub sends them, every delivery kept so that it can be sent again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import uuid
from typing import Any

import httpx2

from cluster.sandbox.store import Store, now

log = logging.getLogger(__name__)
_TIMEOUT_S = 10.0
_PAUSES_S = (0.0, 0.5, 2.0, 5.0)  # GitHub does not retry by itself; a laptop that is still starting needs it


class Hooks:
    """Sends what happens in the forge to the webhooks that asked for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, full_name: str, event: str, payload: dict[str, Any]) -> list[int]:
        """Store one delivery for each webhook that wants `event`, and start sending; their ids."""
        body = json.dumps(payload).encode()
        ids = []
        for hook in self._store.rows("SELECT * FROM hook WHERE repository = ?", full_name):
            if event in json.loads(hook["events"]):
                ids.append(
                    self._store_and_start(
                        hook, event, str(payload.get("action", "")), body, str(uuid.uuid4())
                    )
                )
        return ids

    def redeliver(self, delivery: dict[str, Any]) -> int:
        """Send a stored delivery again, with the same GUID; the id of the new attempt."""
        hook = self._store.row("SELECT * FROM hook WHERE id = ?", delivery["hook_id"])
        assert hook is not None, "a delivery's hook is never removed"
        return self._store_and_start(
            hook,
            delivery["event"],
            delivery["action"],
            delivery["payload"],
            delivery["guid"],
            redelivery=True,
        )

    async def drain(self) -> None:
        """Stop what is still being sent."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _store_and_start(
        self,
        hook: dict[str, Any],
        event: str,
        action: str,
        body: bytes,
        guid: str,
        *,
        redelivery: bool = False,
    ) -> int:
        delivery_id = self._store.insert(
            "delivery", hook_id=hook["id"], guid=guid, event=event, action=action, payload=body,
            redelivery=int(redelivery), delivered_at=now(),
        )  # fmt: skip
        task = asyncio.create_task(self._deliver(delivery_id, hook, event, body, guid))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return delivery_id

    async def _deliver(
        self, delivery_id: int, hook: dict[str, Any], event: str, body: bytes, guid: str
    ) -> None:
        headers = {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/sandbox",
            "x-github-delivery": guid,
            "x-github-event": event,
            "x-github-hook-id": str(hook["id"]),
            "x-hub-signature-256": signature(hook["secret"], body),
        }
        for pause in _PAUSES_S:
            await asyncio.sleep(pause)
            try:
                async with httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
                    answer = await client.post(hook["url"], content=body, headers=headers)
            except httpx2.HTTPError as error:
                log.warning("delivery %s of %s did not arrive: %s", guid, event, type(error).__name__)
                self._store.record_delivery(delivery_id, 0)
                continue
            self._store.record_delivery(delivery_id, answer.status_code)
            if answer.status_code < 500:
                return


def signature(secret: str, body: bytes) -> str:
    """The X-Hub-Signature-256 header of `body`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
