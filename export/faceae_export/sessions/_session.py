"""One way to run a model, whatever runs it."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .._metadata import ExportInfo

MICRO_BATCH = 32
"""Faces a CPU computes at once: enough to share the reading of the weights, few enough for what the
layers hand on to stay in its cache. Measured by `benchmarks/generate.py`."""
GPU_BATCH = 256
"""Faces a GPU computes at once."""

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


def split_into_micro_batches(
    session: Session, device: torch.device, open_serial: Callable[[], Session] | None = None
) -> Session:
    """Return a session that computes large batches as `device` does it fastest.

    Args:
        open_serial: opens the same again, computing in the thread that calls `run` alone, and for
            several of them at once.
    """
    if not session.info.is_batched:
        return session
    if device.type != "cpu":
        return MicroBatchedSession(session, GPU_BATCH)
    num_threads = torch.get_num_threads()
    if not SIDE_BY_SIDE or num_threads == 1:
        open_serial = None
    return MicroBatchedSession(session, MICRO_BATCH, num_threads, open_serial)


class MicroBatchedSession:
    """A session that computes so many faces at a time, on each thread or on all of them.

    What a face comes to, to the last bit, may depend on how many others it is computed with. It
    depends neither on the number of threads nor on which of them computes it.
    """

    def __init__(
        self,
        session: Session,
        piece: int,
        num_threads: int = 1,
        open_serial: Callable[[], Session] | None = None,
    ) -> None:
        self._session = session
        self._num_threads = num_threads
        self._open_serial = open_serial
        self.piece = piece
        """Faces computed at once, but for the last of a batch."""
        self.full_batch = piece * num_threads
        """The least number of faces that keeps all threads busy."""
        self.info = session.info
        self.engine = session.engine

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        rows, *numbers = inputs
        pieces = [slice(start, start + self.piece) for start in range(0, len(rows), self.piece)]
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

    def prepare(self) -> None:
        """Open now what else would be opened with the first large batch."""
        if self._open_serial is not None:
            _ = self._serial

    @cached_property
    def _serial(self) -> Session:
        assert self._open_serial is not None
        return self._open_serial()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._num_threads, "faceae-session")
