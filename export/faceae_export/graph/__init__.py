"""The network as it is exported: rewritten exactly, with its sampling and pixels around it."""

from ._build import build_module, describe_export
from ._modules import Decoder
from ._network import Network, split_layers
from ._precision import LOWER_FLOATS, MIN_PSNR_DB, MIN_SPEEDUP, lower, measure_speedup
from ._rewrite import rewrite_network

__all__ = [
    "LOWER_FLOATS",
    "MIN_PSNR_DB",
    "MIN_SPEEDUP",
    "Decoder",
    "Network",
    "build_module",
    "describe_export",
    "lower",
    "measure_speedup",
    "rewrite_network",
    "split_layers",
]
