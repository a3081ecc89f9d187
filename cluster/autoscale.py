"""How many workers: by the depth of the queue. Runs in Serve's controller, so it is quick and imports little."""

from __future__ import annotations

import math
from typing import Any

JOBS_PER_WORKER = 4


def queue_depth_policy(context: Any) -> tuple[int, dict[str, Any]]:
    """One worker for each few waiting jobs, within the deployment's bounds.

    `context` is Ray Serve's AutoscalingContext; each replica reports the same depth, so the largest counts.
    """
    reported = (context.aggregated_metrics or {}).get("queue_depth", {})
    depth = max(reported.values(), default=0.0)
    wanted = math.ceil(depth / JOBS_PER_WORKER)
    lowest, highest = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return max(lowest, min(highest, wanted)), {}
