"""The common interface of everything that runs a model, and its micro-batched form."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .._metadata import ExportInfo

CPU_MICRO_BATCH = 32
"""Faces per micro-batch on a CPU. Larger ones share the reading of the weights among more faces,
smaller ones keep the activations in the cache. Measured by `benchmarks/generate.py`."""
GPU_MICRO_BATCH = 256
"""Faces per micro-batch on a GPU."""


class Session(Protocol):
    """A model, or an exported part of it, that is ready to run."""

    info: ExportInfo
    """Metadata of the model, its inputs and its output."""
    engine: str
    """Engine and device that compute, for a person to read."""

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output that `info.output` describes, as a contiguous array.

        Args:
            inputs: one array for each of `info.inputs`, in order and of its dtype. An input that
                is a single number has the shape (), whatever shape the file stores it in.
        """
        ...


def split_into_micro_batches(
    session: Session, device: torch.device, open_serial: Callable[[], Session] | None = None
) -> Session:
    """Return a session that splits large batches into the micro-batches that suit `device`.

    Args:
        open_serial: opens the same model again, to compute on the calling thread only. Several
            threads may then run it at once. None: the engine cannot do that.
    """
    if not session.info.is_batched:
        return session
    if device.type != "cpu":
        return MicroBatchedSession(session, GPU_MICRO_BATCH)
    num_threads = torch.get_num_threads()
    if num_threads == 1:
        open_serial = None
    return MicroBatchedSession(session, CPU_MICRO_BATCH, num_threads, open_serial)


class MicroBatchedSession:
    """A session that computes a batch as micro-batches of a fixed size.

    The last bits of a face may depend on the number of faces in its micro-batch. They depend
    neither on the number of threads nor on the thread that computes it.
    """

    def __init__(
        self,
        session: Session,
        micro_batch: int,
        num_threads: int = 1,
        open_serial: Callable[[], Session] | None = None,
    ) -> None:
        """Run `session` on micro-batches.

        Args:
            micro_batch: faces per micro-batch. The last one of a batch may be smaller.
            num_threads: micro-batches to compute at once, one per thread.
            open_serial: see `split_into_micro_batches`. None: each micro-batch is computed by all
                threads together.
        """
        self._session = session
        self._num_threads = num_threads
        self._open_serial = open_serial
        self.micro_batch = micro_batch
        """Faces per micro-batch."""
        self.full_batch = micro_batch * num_threads
        """Smallest number of faces that keeps all threads busy."""
        self.info = session.info
        self.engine = session.engine

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output for `inputs`; see `Session`."""
        rows = inputs[0]
        size = self.micro_batch
        micro_batches = [slice(start, start + size) for start in range(0, len(rows), size)]
        if len(micro_batches) <= 1:
            return self._session.run(*inputs)
        output = self.info.output
        results = np.empty((len(rows), *map(int, output.shape[1:])), output.dtype)

        def compute(session: Session, micro_batch: slice) -> None:
            # A single number has no rows to split.
            parts = (array[micro_batch] if array.ndim else array for array in inputs)
            results[micro_batch] = session.run(*parts)

        num_parallel = self._count_parallel(len(micro_batches))
        if num_parallel:
            parallel = micro_batches[:num_parallel]
            list(self._pool.map(compute, itertools.repeat(self._serial), parallel))
        for micro_batch in micro_batches[num_parallel:]:
            compute(self._session, micro_batch)
        return results

    @property
    def num_lanes(self) -> int:
        """Calls of `run_on_one_thread` that may go on at once without sharing a core."""
        return 1 if self._open_serial is None else self._num_threads

    def run_on_one_thread(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the same as `run`, computed by the calling thread if the engine can do that.

        A micro-batch on one thread takes longer than on all of them, but as many as there are
        threads take less time in all.

        Args:
            inputs: see `Session`; at most `micro_batch` faces.
        """
        if self._open_serial is None:
            return self.run(*inputs)
        return self._serial.run(*inputs)

    def prepare(self) -> None:
        """Open everything now that the first large batch would open."""
        if self._open_serial is not None:
            _ = self._serial

    def _count_parallel(self, num_micro_batches: int) -> int:
        """Return how many micro-batches to compute on one thread each.

        The remainder would leave threads idle, so all threads compute it together.
        """
        if self._open_serial is None:
            return 0
        return num_micro_batches - num_micro_batches % self._num_threads

    @cached_property
    def _serial(self) -> Session:
        assert self._open_serial is not None
        return self._open_serial()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._num_threads, "faceae-session")
