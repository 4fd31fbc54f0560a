"""A trained model as a file for other software, checked before it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from faceae.errors import FaceaeError
from shards import atomic_path

from ._info import ExportInfo, Kind
from ._modules import ExportSource
from ._onnx import OnnxSession, write_onnx
from ._parity import Parity, check_parity
from ._rewrite import rewrite_decoder
from ._session import ONNX_SUFFIXES, TORCHSCRIPT_SUFFIXES, Session
from ._torchscript import open_torchscript, write_torchscript


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written, and how it was checked."""

    path: Path
    info: ExportInfo
    num_bytes: int
    parity: Parity
    checked_in: str
    """Engine and device the file was run in."""


def export_onnx(source: ExportSource, kind: Kind, path: Path, device: torch.device) -> ExportReport:
    """Write an ONNX file (.onnx) that any ONNX runtime can run, at any batch size.

    Input `latents` (decoder) or `noise` (generator), output `faces`; `ExportInfo.to_metadata` is
    in its metadata_props. The file is run on `device` before it gets its name.

    Raises:
        FaceaeError: another suffix, a generator without fitted latents, a device that ONNX Runtime
            cannot use, or a file that computes something else than the model.
    """
    _check_suffix(path, ONNX_SUFFIXES)
    return _export(source, kind, path, device, write_onnx, OnnxSession)


def export_torchscript(
    source: ExportSource, kind: Kind, path: Path, device: torch.device
) -> ExportReport:
    """Write a frozen TorchScript archive (.ts or .pt) for torch and libtorch, at any batch size.

    `ExportInfo.to_metadata` is in its extra file faceae.json. The file is run on `device` before it
    gets its name.

    Raises:
        FaceaeError: another suffix, a generator without fitted latents, or a file that computes
            something else than the model.
    """
    _check_suffix(path, TORCHSCRIPT_SUFFIXES)
    return _export(source, kind, path, device, write_torchscript, open_torchscript)


def _export(
    source: ExportSource,
    kind: Kind,
    path: Path,
    device: torch.device,
    write: Callable[[nn.Module, ExportInfo, Path], None],
    reopen: Callable[[Path, torch.device], Session],
) -> ExportReport:
    info = source.describe(kind)
    reference = source.build(kind, source.model.decoder)
    with atomic_path(path) as part:
        write(source.build(kind, rewrite_decoder(source.model.decoder)), info, part)
        session = reopen(part, device)
        parity = check_parity(reference, session, source)
    return ExportReport(
        path=path,
        info=info,
        num_bytes=path.stat().st_size,
        parity=parity,
        checked_in=session.engine,
    )


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise FaceaeError(f"-o {path}: the file must end in {' or '.join(suffixes)}")
