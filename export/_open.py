"""Opening exported files, and models as they are."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from faceae.errors import FaceaeError

from ._formats import FORMATS
from ._info import Kind
from ._modules import ExportSource
from ._network import Network
from ._onnx import RUN_ERRORS
from ._rewrite import rewrite_network
from ._session import Session, in_pieces
from ._torch import TorchSession

_RUN_ERRORS = (AssertionError, RuntimeError, ValueError, *RUN_ERRORS)
"""What a runtime raises of inputs that a graph was not made for: torch.export, torch and OpenVINO,
ONNX Runtime."""


def open_session(path: Path, device: torch.device) -> Session:
    """Open a file written by `faceae export`, to run on `device` and nowhere else.

    TorchScript and torch.export archives can hold code, which torch runs: open only those that come
    from someone you trust. The other formats hold none. What the file is follows from its suffix.
    It is run once, on one face.

    Raises:
        FaceaeError: a missing, truncated or foreign file, one whose graph is not of the
            architecture it names, another suffix, or a device that its runtime cannot use.
    """
    if path.is_dir():
        raise FaceaeError(f"{path}: is a folder; of a model repository, name the model.onnx in it")
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae export` writes one")
    graphs = [form for form in FORMATS.values() if form.is_graph]
    for form in graphs:
        if path.suffix in form.suffixes:
            session = form.open(path, device)
            _check_architecture(path, session)
            return in_pieces(session, device, form.open_serial and partial(form.open_serial, path))
    suffixes = ", ".join(suffix for form in graphs for suffix in form.suffixes)
    raise FaceaeError(f"{path}: an exported file ends in one of {suffixes}")


def open_model(source: ExportSource, kind: Kind, device: torch.device) -> Session:
    """Run a model that was not exported, on `device`, as fast as its exports.

    Raises:
        FaceaeError: a generator of latents that were not fitted.
    """
    module = source.build(kind, rewrite_network(Network.of(source.model)))
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return in_pieces(TorchSession(module, source.describe(kind), device, "the model"), device)


def _check_architecture(path: Path, session: Session) -> None:
    inputs = [
        np.ones([1 if isinstance(size, str) else size for size in port.shape], port.dtype)
        for port in session.info.inputs
    ]
    try:
        result = session.run(*inputs)
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
