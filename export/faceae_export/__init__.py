"""Export trained models to files for other software, check the files, and run them."""

from ._export import export_model
from ._metadata import ExportInfo, Kind, Port, Precision
from ._parity import BatchParity, Parity
from ._report import ExportedFile, ExportReport
from .engines import (
    EngineChoice,
    EngineName,
    OpenedGenerator,
    open_fastest,
    open_generator,
    open_model,
    open_session,
)
from .formats import FormatName
from .generation import (
    decode_latents,
    encode_faces,
    generate_faces,
    generate_shards,
    open_decoder,
)
from .sessions import CPU_MICRO_BATCH, GPU_MICRO_BATCH, Session
from .web import (
    MODEL_NAME,
    SERVER_NAME,
    WebPage,
    WebPrecision,
    describe_server,
    export_web,
    page_files,
)

__all__ = [
    "CPU_MICRO_BATCH",
    "GPU_MICRO_BATCH",
    "MODEL_NAME",
    "SERVER_NAME",
    "BatchParity",
    "EngineChoice",
    "EngineName",
    "ExportInfo",
    "ExportReport",
    "ExportedFile",
    "FormatName",
    "Kind",
    "OpenedGenerator",
    "Parity",
    "Port",
    "Precision",
    "Session",
    "WebPage",
    "WebPrecision",
    "decode_latents",
    "describe_server",
    "encode_faces",
    "export_model",
    "export_web",
    "generate_faces",
    "generate_shards",
    "open_decoder",
    "open_fastest",
    "open_generator",
    "open_model",
    "open_session",
    "page_files",
]
