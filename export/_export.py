"""A trained model as a file for other software, checked before it is kept."""

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch
from torch import nn

import faceae
from faceae.errors import FaceaeError
from shards import atomic_path, write_json

from ._info import ExportInfo, Kind
from ._modules import ExportSource
from ._onnx import OnnxSession, write_onnx
from ._parity import Parity, check_parity
from ._rewrite import rewrite_decoder, split_layers
from ._session import ONNX_SUFFIXES, TORCHSCRIPT_SUFFIXES, Session
from ._torchscript import open_torchscript, write_torchscript

REPORT_SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written, and how it was checked."""

    path: Path
    info: ExportInfo
    num_bytes: int
    sha256: str
    """Of the file: a report that lies beside another file shows."""
    rewritten: bool
    """Whether the decoder went through `rewrite_decoder`."""
    parity: Parity
    checked_in: str
    """Engine and device the file was run in."""
    write_seconds: float
    check_seconds: float

    @property
    def report_path(self) -> Path:
        """The JSON file that `to_json` was written to."""
        return self.path.with_name(self.path.name + REPORT_SUFFIX)

    def to_json(self) -> dict[str, Any]:
        """Return it with the file's metadata and the versions of what took part."""
        return {
            "file": self.path.name,
            "num_bytes": self.num_bytes,
            "sha256": self.sha256,
            "metadata": self.info.to_metadata(),
            "rewritten": self.rewritten,
            "checked_in": self.checked_in,
            "error_unit": "levels of 255" if self.info.kind == "generator" else "of [-1, 1]",
            "max_error": self.parity.max_error,
            "batches": [asdict(batch) for batch in self.parity.batches],
            "write_seconds": self.write_seconds,
            "check_seconds": self.check_seconds,
            "versions": _versions(),
        }


def export_onnx(
    source: ExportSource, kind: Kind, path: Path, device: torch.device, *, rewrite: bool = True
) -> ExportReport:
    """Write an ONNX file (.onnx) that any ONNX runtime can run, at any batch size.

    Input `latents` (decoder) or `noise` (generator), output `faces`; `ExportInfo.to_metadata` is
    in its metadata_props. The file is run on `device` before it gets its name, and the report is
    written beside it, as `path` + ".json".

    Args:
        rewrite: put the decoder through `rewrite_decoder`: the same faces, faster.

    Raises:
        FaceaeError: another suffix, a generator without fitted latents, a device that ONNX Runtime
            cannot use, or a file that computes something else than the model.
    """
    _check_suffix(path, ONNX_SUFFIXES)
    return _export(source, kind, path, device, rewrite, write_onnx, OnnxSession)


def export_torchscript(
    source: ExportSource, kind: Kind, path: Path, device: torch.device, *, rewrite: bool = True
) -> ExportReport:
    """Write a frozen TorchScript archive (.ts or .pt) for torch and libtorch, at any batch size.

    `ExportInfo.to_metadata` is in its extra file faceae.json. The file is run on `device` before it
    gets its name, and the report is written beside it, as `path` + ".json".

    Args:
        rewrite: put the decoder through `rewrite_decoder`: the same faces, faster.

    Raises:
        FaceaeError: another suffix, a generator without fitted latents, or a file that computes
            something else than the model.
    """
    _check_suffix(path, TORCHSCRIPT_SUFFIXES)
    return _export(source, kind, path, device, rewrite, write_torchscript, open_torchscript)


def _export(
    source: ExportSource,
    kind: Kind,
    path: Path,
    device: torch.device,
    rewrite: bool,
    write: Callable[[nn.Module, ExportInfo, Path], None],
    reopen: Callable[[Path, torch.device], Session],
) -> ExportReport:
    info = source.describe(kind)
    plain = source.model.decoder
    decoder = rewrite_decoder(plain) if rewrite else plain
    layers = list(decoder) if rewrite else split_layers(plain)
    with atomic_path(path) as part:
        began = time.perf_counter()
        write(source.build(kind, decoder), info, part)
        written = time.perf_counter()
        session = reopen(part, device)
        parity = check_parity(source.build(kind, plain), session, source, layers)
        report = ExportReport(
            path=path,
            info=info,
            num_bytes=part.stat().st_size,
            sha256=hashlib.sha256(part.read_bytes()).hexdigest(),
            rewritten=rewrite,
            parity=parity,
            checked_in=session.engine,
            write_seconds=written - began,
            check_seconds=time.perf_counter() - written,
        )
        # Before the file gets its name: a file that is there has its report.
        write_json(report.report_path, report.to_json())
    return report


def _versions() -> dict[str, str]:
    modules = (faceae, np, onnx, onnxruntime, onnxscript, torch)
    versions = {module.__name__: str(module.__version__) for module in modules}
    return {"python": platform.python_version(), **versions}


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise FaceaeError(f"-o {path}: the file must end in {' or '.join(suffixes)}")
