"""Trained model -> files for other software, checked, and a session to run it in."""

from ._export import ExportedFile, ExportReport, export_model
from ._metadata import ExportInfo, Kind, Port, Precision
from ._parity import Parity
from .engines import EngineChoice, EngineName, open_fastest, open_model, open_session
from .formats import FormatName
from .generation import FaceGenerator, describe_faces, encode_faces, generate_faces
from .sessions import Session
from .web import WebPage, WebPrecision, export_web

__all__ = [
    "EngineChoice",
    "EngineName",
    "ExportInfo",
    "ExportReport",
    "ExportedFile",
    "FaceGenerator",
    "FormatName",
    "Kind",
    "Parity",
    "Port",
    "Precision",
    "Session",
    "WebPage",
    "WebPrecision",
    "describe_faces",
    "encode_faces",
    "export_model",
    "export_web",
    "generate_faces",
    "open_fastest",
    "open_model",
    "open_session",
]
