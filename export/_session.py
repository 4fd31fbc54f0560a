"""One way to run a model, whatever runs it."""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ._info import ExportInfo

MICRO_BATCH = 32
"""Faces a CPU computes at once: enough to share the reading of the weights, few enough for what the
layers hand on to stay in its cache. Measured by `benchmarks/generate.py`; a GPU takes batches as
they come."""


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


def in_pieces(session: Session, device: torch.device) -> Session:
    """Return a session that computes large batches as `device` does it fastest."""
    batches_gain = device.type == "cpu" and session.info.is_batched
    return _MicroBatches(session) if batches_gain else session


class _MicroBatches:
    """A session that computes `MICRO_BATCH` faces at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.info = session.info
        self.engine = session.engine

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        rows, *numbers = inputs
        first = self._session.run(rows[:MICRO_BATCH], *numbers)
        if len(rows) <= MICRO_BATCH:
            return first
        results = np.empty((len(rows), *first.shape[1:]), first.dtype)
        results[:MICRO_BATCH] = first
        for start in range(MICRO_BATCH, len(rows), MICRO_BATCH):
            piece = slice(start, start + MICRO_BATCH)
            results[piece] = self._session.run(rows[piece], *numbers)
        return results
