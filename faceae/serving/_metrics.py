"""Prometheus metrics of the server."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from faceae.latent import Drift
from faceae_export import Kind

from ._batching import BatchTimes
from ._model import ServedModel
from ._tracing import Tracing

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_DISTANCES = (0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.7, 2, 3, 5, 10)
_FACES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_DRIFT = {
    "shift": "Standard deviations between the mean of the last 1,024 incoming latents and the "
    "fitted one.",
    "spread": "Mean square of the last 1,024 distances; 1 is usual.",
    "far": "Share of the last 1,024 latents beyond 99 % of the fitted distribution.",
}


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(
        self,
        model: ServedModel,
        count_waiting: Callable[[Kind], int],
        tracing: Tracing | None = None,
    ) -> None:
        """Define the metrics.

        Args:
            count_waiting: returns the faces that wait for a part of the model.
            tracing: makes the spans of stages. None: there are none.
        """
        self.tracing = tracing or Tracing(False)
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "faceae_requests", "Requests by task and status.", ["task", "status"], registry=registry
        )
        self.seconds = Histogram(
            "faceae_request_seconds",
            "Time from a request's arrival to the end of its reply.",
            ["task"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stages = Histogram(
            "faceae_stage_seconds",
            "Time of each stage: read and parse the body, wait in the queue, compute a batch, "
            "encode the reply.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.batches = Histogram(
            "faceae_batch_faces",
            "Faces per batch, by part of the model.",
            ["part"],
            buckets=_FACES,
            registry=registry,
        )
        self.rejected = Counter(
            "faceae_rejected", "Requests refused before they ran.", ["reason"], registry=registry
        )
        self.errors = Counter(
            "faceae_errors", "Requests that failed by the server's fault.", registry=registry
        )
        self.in_progress = Gauge(
            "faceae_requests_in_progress", "Inference requests in progress.", registry=registry
        )
        self.ready = Gauge("faceae_ready", "1 if the model has run.", registry=registry)
        self.distances = Histogram(
            "faceae_latent_distance",
            "Distances of incoming images' latents from the fitted mean; 1 is usual.",
            buckets=_DISTANCES,
            registry=registry,
        )
        self._drift = {
            name: Gauge(f"faceae_drift_{name}", meaning, registry=registry)
            for name, meaning in _DRIFT.items()
        }
        self.set_drift(None)
        self.collected = Counter(
            "faceae_collected_images", "Images kept with the client's consent.", registry=registry
        )
        self._describe(model, count_waiting)
        # `labels` costs as much as the observation.
        self._stage = cache(self.stages.labels)
        self._request_count = cache(self.requests.labels)
        self._request_seconds = cache(self.seconds.labels)

    def _describe(self, model: ServedModel, count_waiting: Callable[[Kind], int]) -> None:
        """Define what follows from the model: its name and engine, and a queue for each part."""
        facts = {
            "name": model.name,
            "weights_hash": model.info.weights_hash,
            "engine": model.engine,
        }
        Info("faceae_model", "The model that is served.", registry=self._registry).info(facts)
        waiting = Gauge(
            "faceae_queue_faces",
            "Faces that wait, by part of the model.",
            ["part"],
            registry=self._registry,
        )
        for part in model.sessions:
            waiting.labels(part).set_function(partial(count_waiting, part))

    def observe_request(self, task: str, status: int, seconds: float) -> None:
        """Record a request once its reply has ended."""
        self._request_count(task, status).inc()
        self._request_seconds(task).observe(seconds)

    def observe_batch(self, part: Kind, times: BatchTimes) -> None:
        """Record a batch."""
        self.batches.labels(part).observe(times.num_rows)
        self._stage("compute").observe(times.compute_s)
        observe_wait = self._stage("queue").observe
        for wait_s in times.waits_s:
            observe_wait(wait_s)

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Measure a stage of a request, as a metric and a span."""
        stopwatch = _Stopwatch(self._stage(name).observe)
        return self._trace(name, stopwatch) if self.tracing.is_on else stopwatch

    @contextmanager
    def _trace(self, name: str, stopwatch: "_Stopwatch") -> Iterator[None]:
        with self.tracing.span(name), stopwatch:
            yield

    def set_drift(self, drift: Drift | None) -> None:
        """Set the gauges of drift; None: too few latents are known."""
        figures = {} if drift is None else drift.to_json()
        for name, gauge in self._drift.items():
            gauge.set(figures.get(name, math.nan))

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Stopwatch(AbstractContextManager[None]):
    """Measures the time of a block; much cheaper than a generator."""

    __slots__ = ("_began", "_observe")

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._observe(time.perf_counter() - self._began)
