"""Prometheus metrics of the server."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from faceae_export import Kind

from ._batching import BatchTimes
from ._model import ServedModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FACES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self, model: ServedModel, count_waiting: Callable[[Kind], int]) -> None:
        """Define the metrics.

        Args:
            count_waiting: returns the faces that wait for a part of the model.
        """
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
        Info("faceae_model", "The model that is served.", registry=registry).info(
            {
                "name": model.name,
                "weights_hash": model.info.weights_hash,
                "engine": model.engine,
            }
        )
        waiting = Gauge(
            "faceae_queue_faces",
            "Faces that wait, by part of the model.",
            ["part"],
            registry=registry,
        )
        for part in model.sessions:
            waiting.labels(part).set_function(partial(count_waiting, part))

    def observe_batch(self, part: Kind, times: BatchTimes) -> None:
        """Record a batch."""
        self.batches.labels(part).observe(times.num_rows)
        self.stages.labels("compute").observe(times.compute_s)
        for wait_s in times.waits_s:
            self.stages.labels("queue").observe(wait_s)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
