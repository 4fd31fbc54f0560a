"""Trained model -> ONNX / TorchScript, checked, and a session to run it in."""

from ._export import ExportReport, export_onnx, export_torchscript
from ._generate import generate_faces
from ._info import ExportInfo, Kind
from ._modules import ExportSource
from ._parity import Parity
from ._session import Session, open_model, open_session

__all__ = [
    "ExportInfo",
    "ExportReport",
    "ExportSource",
    "Kind",
    "Parity",
    "Session",
    "export_onnx",
    "export_torchscript",
    "generate_faces",
    "open_model",
    "open_session",
]
