"""One way to run a model, whatever runs it."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ._info import ExportInfo

MICRO_BATCH = 32
"""Faces a CPU computes at once: enough to share the reading of the weights, few enough for what the
layers hand on to stay in its cache. Measured by `benchmarks/generate.py`; a GPU takes batches as
they come."""

SIDE_BY_SIDE = True
"""Whether a CPU computes as many pieces at once as there are threads, each on one, where the engine
can, instead of one piece on all threads."""


class Session(Protocol):
    """A model or an exported part of it, ready to run."""

    info: ExportInfo
    """What it is, and what goes in and comes out."""
    engine: str
    """What it runs in and on, for a person to read."""

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return what `info.output` says of `info.inputs`, given in order.

        Inputs have the ports' types; one that is a single number has the shape (), for every file.
        The result is contiguous. Large batches are computed in pieces where that is faster.
        """
        ...


def in_pieces(
    session: Session, device: torch.device, open_serial: Callable[[], Session] | None = None
) -> Session:
    """Return a session that computes large batches as `device` does it fastest.

    Args:
        open_serial: opens the same again, computing in the thread that calls `run` alone, and for
            several of them at once.
    """
    batches_gain = device.type == "cpu" and session.info.is_batched
    if not batches_gain:
        return session
    gains = SIDE_BY_SIDE and torch.get_num_threads() > 1
    return _MicroBatches(session, open_serial if gains else None, torch.get_num_threads())


class _MicroBatches:
    """A session that computes `MICRO_BATCH` faces at a time, on each thread or on all of them."""

    def __init__(
        self, session: Session, open_serial: Callable[[], Session] | None, num_threads: int
    ) -> None:
        self._session = session
        self._open_serial = open_serial
        self._num_threads = num_threads
        self.info = session.info
        self.engine = session.engine

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        rows, *numbers = inputs
        pieces = [slice(start, start + MICRO_BATCH) for start in range(0, len(rows), MICRO_BATCH)]
        if len(pieces) <= 1:
            return self._session.run(*inputs)
        output = self.info.output
        results = np.empty((len(rows), *map(int, output.shape[1:])), output.dtype)

        def compute(session: Session, piece: slice) -> None:
            results[piece] = session.run(rows[piece], *numbers)

        # What would leave threads idle is computed by all of them together.
        num_beside = len(pieces) - len(pieces) % self._num_threads if self._open_serial else 0
        if num_beside:
            beside = pieces[:num_beside]
            list(self._pool.map(compute, itertools.repeat(self._serial), beside))
        for piece in pieces[num_beside:]:
            compute(self._session, piece)
        return results

    @cached_property
    def _serial(self) -> Session:
        assert self._open_serial is not None
        return self._open_serial()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._num_threads, "faceae-session")
