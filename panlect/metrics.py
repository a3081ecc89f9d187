"""What processes count and time, behind one small facade; the back end is chosen once, in wiring.

State that SQL knows (depths, ages, sizes) is not here: a gauge set by several replicas would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, its help and its label names. Labels never hold a path, sha, user or pull request."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


WEBHOOKS = Metric("panlect_webhook_requests_total", "Webhook deliveries by result.", ("provider", "result"))
WEBHOOK_SECONDS = Metric("panlect_webhook_seconds", "Time to accept a delivery.", ("provider",))
RUNS = Metric("panlect_workflow_runs_total", "Finished runs by kind and outcome.", ("kind", "outcome"))
STEP_SECONDS = Metric("panlect_workflow_step_seconds", "Time of one step.", ("step", "outcome"))
FINDINGS = Metric("panlect_review_findings_total", "Findings posted.", ("check", "severity"))
DROPPED = Metric("panlect_review_dropped_findings_total", "Findings suppressed.", ("stage",))
FORGE_SECONDS = Metric(
    "panlect_scm_request_seconds", "Time of a call to a code host.", ("provider", "outcome")
)
COUNTERS = (WEBHOOKS, RUNS, FINDINGS, DROPPED)
TIMERS = (WEBHOOK_SECONDS, STEP_SECONDS, FORGE_SECONDS)


class Backend(Protocol):
    """Where counts and times go."""

    def count(self, metric: Metric, labels: Mapping[str, str], value: float) -> None:
        """Add to a counter."""
        ...

    def observe(self, metric: Metric, labels: Mapping[str, str], seconds: float) -> None:
        """Add one duration."""
        ...


@dataclass(slots=True)
class MemoryBackend:
    """Counts in this process: the terminal, tests, and where nothing scrapes."""

    counts: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, metric: Metric, labels: Mapping[str, str], value: float) -> None:
        """Add to a counter."""
        key = (metric.name, tuple(sorted(labels.items())))
        with self._lock:
            self.counts[key] = self.counts.get(key, 0.0) + value

    def observe(self, metric: Metric, labels: Mapping[str, str], seconds: float) -> None:
        """Keep the sum of durations."""
        self.count(metric, labels, seconds)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The facade that rooms are given."""

    backend: Backend = field(default_factory=MemoryBackend)

    def count(self, metric: Metric, value: float = 1.0, **labels: str) -> None:
        """Add `value` to `metric`; the labels must be exactly the metric's own."""
        self.backend.count(metric, _checked(metric, labels), value)

    @contextmanager
    def time(self, metric: Metric, **labels: str) -> Iterator[None]:
        """Time what runs inside, in seconds."""
        began = perf_counter()
        try:
            yield
        finally:
            self.backend.observe(metric, _checked(metric, labels), perf_counter() - began)


def _checked(metric: Metric, labels: Mapping[str, str]) -> Mapping[str, str]:
    if set(labels) != set(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
    return labels
