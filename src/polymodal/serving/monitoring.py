"""Figures of a running server, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Monitoring:
    """Counters and histograms of one server; no content of requests is among them.

    Args:
        now: gives name, help, model and value of what is read only when somebody asks.
    """

    def __init__(self, now: Callable[[], Iterable[tuple[str, str, str, float]]]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "polymodal_requests", "Requests answered.", ["route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "polymodal_request_seconds", "From the first byte to the last.", ["route"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._rows = Histogram(
            "polymodal_batch_rows", "Rows that went through the network together.", ["model"],
            buckets=ROWS, registry=self._registry,
        )  # fmt: skip
        self._network = Histogram(
            "polymodal_batch_seconds", "Time of a batch in the network.", ["model"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._reloads = Counter(
            "polymodal_reloads", "New versions of a model.", ["model", "result"],
            registry=self._registry,
        )  # fmt: skip
        self._registry.register(_Now(now))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, model: str, rows: int, seconds: float) -> None:
        """Note a batch."""
        self._rows.labels(model).observe(rows)
        self._network.labels(model).observe(seconds)

    def reload(self, model: str, result: str) -> None:
        """Note a new version, or that it could not be loaded."""
        self._reloads.labels(model, result).inc()

    def text(self) -> bytes:
        """All figures as text."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read only when somebody asks."""

    def __init__(self, now: Callable[[], Iterable[tuple[str, str, str, float]]]) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        found: dict[str, GaugeMetricFamily] = {}
        for name, about, model, value in self._now():
            family = found.setdefault(name, GaugeMetricFamily(name, about, labels=["model"]))
            family.add_metric([model], value)
        return found.values()
