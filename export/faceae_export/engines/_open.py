"""Opening exported files, and models as they are."""

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
from ..formats import RUN_ERRORS, TorchSession
from ..graph import Network, build_module, describe_export, rewrite_network
from ..sessions import MicroBatchedSession, Session, split_into_micro_batches
from ._engines import ENGINES, EngineName, check_device, find_engine

_RUN_ERRORS = (AssertionError, RuntimeError, ValueError, *RUN_ERRORS)
"""What a runtime raises of inputs that a graph was not made for: torch.export, torch and OpenVINO,
ONNX Runtime."""


def open_session(path: Path, device: torch.device, engine: EngineName | None = None) -> Session:
    """Open a file written by `faceae export`, to run on `device` and nowhere else.

    TorchScript and torch.export archives can hold code, which torch runs: open only those that come
    from someone you trust. The other formats hold none. What the file is follows from its suffix.
    It is run once, on one face.

    Args:
        engine: to run it in; by default the usual one for the format.

    Raises:
        FaceaeError: a missing, truncated or foreign file, one whose graph is not of the
            architecture it names, another suffix, an engine that does not read it, or a device
            that its runtime cannot use, with the library that is missing for it.
    """
    if path.is_dir():
        raise FaceaeError(f"{path}: is a folder; of a model repository, name the model.onnx in it")
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae export` writes one")
    found = find_engine(path, device, engine)
    session = found.open(path, device)
    _check_architecture(path, session)
    open_serial = found.open_serial
    return split_into_micro_batches(
        session, device, None if open_serial is None else lambda: open_serial(path)
    )


def open_model(
    source: TrainedModel, kind: Kind, device: torch.device, engine: EngineName = "torch"
) -> Session:
    """Run a model that was not exported, on `device`, as fast as its exports.

    Args:
        engine: any but torch means to export it, as `export_model` does, to a temporary folder.

    Raises:
        FaceaeError: a generator of latents that were not fitted, or an engine that is not
            installed or cannot use the device.
    """
    if engine != "torch":
        return _open_exported(source, kind, device, engine)
    module = build_module(source, kind, rewrite_network(Network.of(source.model)))
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return split_into_micro_batches(
        TorchSession(module, describe_export(source, kind), device, "the model"), device
    )


def make_example(info: ExportInfo, count: int) -> list[NDArray[Any]]:
    """Return inputs for `count` faces, all alike; of a morph, which takes two, for one frame."""
    return [
        np.ones([count if isinstance(size, str) else size for size in port.shape], port.dtype)
        for port in info.inputs
    ]


def _open_exported(
    source: TrainedModel, kind: Kind, device: torch.device, engine: EngineName
) -> Session:
    check_device(engine, device)
    form = ENGINES[engine].format
    with tempfile.TemporaryDirectory(prefix="faceae-") as folder:
        path = Path(folder, f"{kind}{ENGINES[engine].suffixes[0]}")
        export_model(source, form, kind, path, device)
        session = open_session(path, device, engine)
        if isinstance(session, MicroBatchedSession):
            session.prepare()  # while the file is there
    return session


def _check_architecture(path: Path, session: Session) -> None:
    try:
        result = session.run(*make_example(session.info, 1))
    except _RUN_ERRORS as error:
        problem, cause = str(error), error
    else:
        problem, cause = f"it returns {result.dtype} {result.shape}", None
        if session.info.output.fits(result):
            return
    raise FaceaeError(
        f"{path}: its graph is not that of the {session.info.kind} of {session.info.model} that "
        f"its metadata name ({problem}); it was changed; export the run again"
    ) from cause
