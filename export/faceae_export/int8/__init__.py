"""int8: SmoothQuant and GPTQ on the decoder, then static quantisation of its ONNX file."""

from ._gptq import apply_gptq
from ._quantize import Inputs, quantize_onnx
from ._smoothquant import smooth_network

__all__ = [
    "Inputs",
    "apply_gptq",
    "quantize_onnx",
    "smooth_network",
]
