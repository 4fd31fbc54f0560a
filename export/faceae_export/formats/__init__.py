"""File formats: how to write and to open each."""

from ._onnx import OnnxSession, open_serial_onnx
from ._openvino import OpenVinoSession
from ._pt2 import open_pt2
from ._registry import FORMATS, Format, FormatName
from ._torch import TorchSession
from ._torchscript import open_torchscript

__all__ = [
    "FORMATS",
    "Format",
    "FormatName",
    "OnnxSession",
    "OpenVinoSession",
    "TorchSession",
    "open_pt2",
    "open_serial_onnx",
    "open_torchscript",
]
