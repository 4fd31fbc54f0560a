"""The exported network: the model's layers, rewritten exactly, with sampling and pixels around."""

from ._build import build_module, describe_export
from ._modules import Decoder
from ._network import Network, split_layers
from ._precision import MIN_PSNR_DB, MIN_SPEEDUP, lower, measure_speedup
from ._rewrite import rewrite_network

__all__ = [
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
