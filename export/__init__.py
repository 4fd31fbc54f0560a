"""Trained model -> files for other software, checked, and a session to run it in."""

from ._export import ExportedFile, ExportReport, export_model
from ._formats import FormatName
from ._generate import generate_faces
from ._info import ExportInfo, Kind, Port, Precision
from ._modules import ExportSource
from ._open import open_model, open_session
from ._parity import Parity
from ._session import Session

__all__ = [
    "ExportInfo",
    "ExportReport",
    "ExportSource",
    "ExportedFile",
    "FormatName",
    "Kind",
    "Parity",
    "Port",
    "Precision",
    "Session",
    "export_model",
    "generate_faces",
    "open_model",
    "open_session",
]
