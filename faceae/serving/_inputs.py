"""What the server does with incoming images besides its task: drift, a log, a collection."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._collecting import Collector
from ._config import ServeConfig
from ._drift import DriftWindow
from ._latent_log import LatentLog
from ._metrics import Metrics
from ._model import ServedModel
from ._tasks import TaskRequest

_log = logging.getLogger("faceae.serving")


class Inputs:
    """Watches latents, and keeps what the options ask for. Its writing never fails a request."""

    def __init__(self, model: ServedModel, config: ServeConfig, metrics: Metrics) -> None:
        """Create the folders that the options name.

        Raises:
            FaceaeError: the model's images are too small to be packed.
            OSError: a folder cannot be created.
        """
        self._metrics = metrics
        self._window = None if model.reference is None else DriftWindow(model.reference)
        self._log = self._collector = None
        if config.log_latents is not None:
            self._log = LatentLog(config.log_latents, model.info.weights_hash)
        if config.collect is not None:
            self._collector = Collector(config.collect, model.image_size)
        self._writer = ThreadPoolExecutor(1, "faceae-inputs")

    def observe_latents(self, latents: NDArray[np.float32]) -> None:
        """Take the latents of a request's images, N x Z."""
        if self._window is not None:
            for distance in self._window.add(latents):
                self._metrics.distances.observe(distance)
        if self._log is not None and self._log.add(latents):
            self._write(self._log.write, *self._log.take())

    def measure_drift(self) -> None:
        """Set the gauges of drift."""
        if self._window is not None:
            self._metrics.set_drift(self._window.measure())

    def collect(self, request: TaskRequest, has_consent: bool, request_id: str) -> None:
        """Keep a request's images, if the server collects and the client consents."""
        if self._collector is None or request.faces is None or not has_consent:
            return
        facts = {"task": request.task.name, "request_id": request_id}
        self._write(self._collect, self._collector, request.faces, facts)

    def close(self) -> None:
        """Write what has not been written."""
        if self._log is not None:
            self._write(self._log.write, *self._log.take())
        if self._collector is not None:
            self._write(self._collector.pack)
        self._writer.shutdown()

    def _collect(
        self, collector: Collector, faces: NDArray[np.uint8], facts: dict[str, str]
    ) -> None:
        collector.add(faces, facts)
        self._metrics.collected.inc(len(faces))

    def _write(self, write: Callable[..., None], *arguments: Any) -> None:
        def write_or_log() -> None:
            try:
                write(*arguments)
            except OSError as error:
                _log.error("what clients sent could not be written: %s", error)

        self._writer.submit(write_or_log)
