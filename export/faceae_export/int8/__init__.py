"""A decoder in int8: ranges evened out, weights rounded, the graph quantised and checked."""

from ._gptq import apply_gptq
from ._quantize import Inputs, quantize_onnx
from ._smoothquant import smooth_network

__all__ = [
    "Inputs",
    "apply_gptq",
    "quantize_onnx",
    "smooth_network",
]
