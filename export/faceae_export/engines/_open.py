"""Open exported files, and models that were not exported."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel

from .._export import export_model
from .._metadata import ExportInfo, Kind
from ..formats import TorchSession
from ..graph import Network, build_module, describe_export, rewrite_network
from ..sessions import (
    ENGINE_ERRORS,
    MicroBatchedSession,
    Session,
    explain_gpu_failure,
    is_gpu_failure,
    split_into_micro_batches,
)
from ._engines import ENGINES, EngineName, check_device, find_engine

_RUN_ERRORS: tuple[type[Exception], ...] = (AssertionError, ValueError, *ENGINE_ERRORS)
"""Errors that torch.export, torch, OpenVINO and ONNX Runtime raise for inputs that do not fit the
graph."""


def open_session(path: Path, device: torch.device, engine: EngineName | None = None) -> Session:
    """Open an exported file on `device`, without fallback to another device.

    The file's suffix selects its format. The file is run once, on one face, to check that its graph
    fits its metadata.

    TorchScript and torch.export archives can hold code, which torch runs: open only archives that
    come from someone you trust. The other formats hold no code.

    Args:
        engine: engine to run the file in. None: the default engine of the format.

    Raises:
        FaceaeError: the file is missing, truncated, not from `faceae export`, or its graph does not
            fit its metadata; or the engine does not read it, or cannot use `device`, or the GPU
            fails.
    """
    if path.is_dir():
        raise FaceaeError(f"{path}: is a folder; of a model repository, name the model.onnx in it")
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae export` writes one")
    found = find_engine(path, device, engine)
    session = found.open(path, device)
    _check_architecture(path, session, device)
    open_serial = found.open_serial
    return split_into_micro_batches(
        session, device, None if open_serial is None else lambda: open_serial(path)
    )


def open_model(
    trained: TrainedModel, kind: Kind, device: torch.device, engine: EngineName = "torch"
) -> Session:
    """Open a part of a model on `device`, rewritten for speed as its exports are.

    Args:
        engine: for any but torch, the model is exported to a temporary folder and checked.

    Raises:
        FaceaeError: `kind` is "generator" and the latents have not been fitted, or the engine is
            not installed or cannot use `device`.
    """
    if engine != "torch":
        return _open_exported(trained, kind, device, engine)
    module = build_module(trained, kind, rewrite_network(Network.of(trained.model)))
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return split_into_micro_batches(
        TorchSession(module, describe_export(trained, kind), device, "the model"), device
    )


def make_example(info: ExportInfo, count: int) -> list[NDArray[Any]]:
    """Return inputs of ones for `count` faces; for a morph, for one frame."""
    return [
        np.ones([count if isinstance(size, str) else size for size in port.shape], port.dtype)
        for port in info.inputs
    ]


def _open_exported(
    trained: TrainedModel, kind: Kind, device: torch.device, engine: EngineName
) -> Session:
    check_device(engine, device)
    form = ENGINES[engine].format
    with tempfile.TemporaryDirectory(prefix="faceae-") as folder:
        path = Path(folder, f"{kind}{ENGINES[engine].suffixes[0]}")
        export_model(trained, form, kind, path, device)
        session = open_session(path, device, engine)
        if isinstance(session, MicroBatchedSession):
            session.prepare()  # while the file exists
    return session


def _check_architecture(path: Path, session: Session, device: torch.device) -> None:
    cause: Exception | None = None
    try:
        result = session.run(*make_example(session.info, 1))
    except _RUN_ERRORS as error:
        if device.type != "cpu" and is_gpu_failure(error):
            raise explain_gpu_failure(path, session.engine, error) from error
        problem, cause = str(error), error
    else:
        problem = f"it returns {result.dtype} {result.shape}"
        if session.info.output.fits(result):
            return
    raise FaceaeError(
        f"{path}: its graph is not that of the {session.info.kind} of {session.info.model} in its "
        f"metadata ({problem}); the file was changed; export the run again"
    ) from cause
