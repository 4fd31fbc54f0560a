"""Processes that share a training or a fit: communication, signals, and BatchNorm across them."""

from ._batchnorm import keep_statistics, synchronise_batchnorm
from ._ranks import Ranks, is_first_rank, open_ranks
from ._signals import Stopped, StopRequest, stop_on_signals

__all__ = [
    "Ranks",
    "StopRequest",
    "Stopped",
    "is_first_rank",
    "keep_statistics",
    "open_ranks",
    "stop_on_signals",
    "synchronise_batchnorm",
]
