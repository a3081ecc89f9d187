"""Metrics: counted and timed under exactly their own labels, and none that could hold a path or a person."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from panlect.metrics import COUNTERS, FINDINGS, STEP_SECONDS, TIMERS, WEBHOOKS, MemoryBackend, Metrics


def test_counts_add_up_by_label() -> None:
    backend = MemoryBackend()
    metrics = Metrics(backend)
    metrics.count(WEBHOOKS, provider="github", result="stored")
    metrics.count(WEBHOOKS, 2, result="stored", provider="github")
    metrics.count(WEBHOOKS, provider="github", result="refused")
    name = "panlect_webhook_requests_total"
    assert backend.counts == {
        (name, (("provider", "github"), ("result", "stored"))): 3.0,
        (name, (("provider", "github"), ("result", "refused"))): 1.0,
    }


def test_what_runs_inside_is_timed_also_when_it_fails() -> None:
    backend = MemoryBackend()
    with pytest.raises(LookupError), Metrics(backend).time(STEP_SECONDS, step="read", outcome="failed"):
        raise LookupError
    assert [labels for _, labels in backend.counts] == [(("outcome", "failed"), ("step", "read"))]


@pytest.mark.parametrize("labels", [{}, {"check": "x"}, {"check": "x", "severity": "P1", "path": "a.py"}])
def test_labels_are_exactly_the_metrics_own(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Metrics().count(FINDINGS, **labels)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_threads_lose_no_count(eager_threads: None) -> None:
    backend = MemoryBackend()
    metrics = Metrics(backend)

    def count() -> None:
        for _ in range(2000):
            metrics.count(FINDINGS, check="c", severity="P1")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(backend.counts.values()) == [16000.0]


def test_two_facades_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.count(FINDINGS, check="c", severity="P1")
    assert isinstance(two.backend, MemoryBackend)
    assert two.backend.counts == {}


def test_names_and_labels_are_what_prometheus_expects() -> None:
    metrics = (*COUNTERS, *TIMERS)
    assert len({metric.name for metric in metrics}) == len(metrics)
    assert all(metric.name.endswith("_total") for metric in COUNTERS)
    assert all(metric.name.endswith("_seconds") for metric in TIMERS)
    for metric in metrics:
        assert metric.help.endswith(".")
        assert not {"path", "sha", "user", "repository", "pull_request", "number"} & set(metric.labels)
