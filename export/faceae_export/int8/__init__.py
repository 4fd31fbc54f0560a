"""A decoder in int8: ranges evened out, weights rounded, the graph quantised and checked."""

from ._gptq import round_convolutions
from ._quantize import Inputs, quantize_onnx
from ._smoothquant import equalise_network

__all__ = [
    "Inputs",
    "equalise_network",
    "quantize_onnx",
    "round_convolutions",
]
