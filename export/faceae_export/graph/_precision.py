"""Networks in fp16 and bf16, and the speed of a precision relative to fp32."""

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
"""Lowest PSNR of a file below fp32 against the model in float32."""
MIN_SPEEDUP = 1.1
"""Smallest speedup over fp32 that counts as one."""

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_RUNS = 5


def lower(network: Network, precision: Precision) -> Network:
    """Return a copy of `network` in fp16 or bf16."""
    return Network(
        encoder=_convert(network.encoder, precision), decoder=_convert(network.decoder, precision)
    )


def _convert(half: nn.Sequential, precision: Precision) -> nn.Sequential:
    return copy.deepcopy(half).to(_DTYPES[precision])


def measure_speedup(session: Session, full: Session, inputs: Sequence[NDArray[Any]]) -> float:
    """Return the time of `full` over the time of `session`, for one run of `inputs`.

    Each runs several times, in turns, and its shortest time counts. So other work on the machine
    slows both alike.
    """
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_RUNS + 1):
        for number, each in enumerate((session, full)):
            began = time.perf_counter()
            each.run(*inputs)
            seconds[number].append(time.perf_counter() - began)
    # The first runs warm up.
    return min(seconds[1][1:]) / min(seconds[0][1:])
