"""Number types below float32: what a network is computed in, and whether that gains anything."""

import copy
import time
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from .._metadata import Precision
from ..sessions import Session
from ._network import Network

MIN_PSNR_DB = 35.0
"""Of a file below float32, against the model in float32."""
MIN_SPEEDUP = 1.1
"""Below this it gains nothing but the size."""

LOWER_FLOATS = {"fp16": torch.float16, "bf16": torch.bfloat16}
_RUNS = 5


def lower(network: Network, precision: Precision) -> Network:
    """Return a copy of `network` that computes in `precision`."""
    return Network(
        encoder=_convert(network.encoder, precision), decoder=_convert(network.decoder, precision)
    )


def _convert(half: nn.Sequential, precision: Precision) -> nn.Sequential:
    return copy.deepcopy(half).to(LOWER_FLOATS[precision])


def measure_speedup(session: Session, full: Session, inputs: Sequence[NDArray[Any]]) -> float:
    """Return the time of `full` over that of `session`, for one run of `inputs`.

    The best of several interleaved runs counts, so that a busy machine disturbs both alike.
    """
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_RUNS + 1):
        for number, each in enumerate((session, full)):
            began = time.perf_counter()
            each.run(*inputs)
            seconds[number].append(time.perf_counter() - began)
    # The first runs prepare.
    return min(seconds[1][1:]) / min(seconds[0][1:])
