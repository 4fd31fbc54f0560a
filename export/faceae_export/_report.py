"""The report on an exported file: its files, its metadata, and how it was checked."""

import hashlib
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch

import faceae

from ._metadata import ExportInfo
from ._parity import ERROR_UNITS, Parity
from .formats import FormatName
from .graph import MIN_SPEEDUP

_SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file that an export wrote."""

    name: str
    """Path relative to the report's folder."""
    num_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote, and how it was checked."""

    path: Path
    """The exported file or folder."""
    format: FormatName
    info: ExportInfo
    files: tuple[ExportedFile, ...]
    """`path` or the files in it, and the files that belong to it."""
    rewritten: bool
    """Whether `rewrite_network` was applied to the network."""
    parity: Parity
    checked_in: str
    """Engine and device that ran the file for the check."""
    speedup: float | None
    """Time of an fp32 export over the time of this file, in the same engine on this machine.
    None: this file is in fp32."""
    write_seconds: float
    check_seconds: float

    @property
    def report_path(self) -> Path:
        """The JSON file beside `path` that holds `to_json()`."""
        return self.path.with_name(self.path.name + _SUFFIX)

    @property
    def num_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.num_bytes for file in self.files)

    @property
    def gains_speed(self) -> bool:
        """Whether the precision makes the file faster than fp32, not only smaller."""
        return self.speedup is not None and self.speedup >= MIN_SPEEDUP

    @property
    def error_unit(self) -> str:
        """Unit of `parity.max_error`."""
        return ERROR_UNITS[self.info.kind]

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file, with the versions of the libraries used."""
        return {
            "file": self.path.name,
            "format": self.format,
            "num_bytes": self.num_bytes,
            "files": [asdict(file) for file in self.files],
            "metadata": self.info.to_metadata(),
            "rewritten": self.rewritten,
            "checked_in": self.checked_in,
            "error_unit": self.error_unit,
            "max_error": self.parity.max_error,
            "psnr_db": self.parity.psnr_db,
            "speedup_over_fp32": self.speedup,
            "batches": [asdict(batch) for batch in self.parity.batches],
            "write_seconds": self.write_seconds,
            "check_seconds": self.check_seconds,
            "versions": _read_versions(),
        }


def list_files(folder: Path) -> tuple[ExportedFile, ...]:
    """Return the files in a folder and the folders below it, sorted by path."""
    return tuple(
        ExportedFile(
            name=path.relative_to(folder).as_posix(),
            num_bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def _read_versions() -> dict[str, str]:
    modules = (faceae, np, onnx, onnxruntime, onnxscript, torch)
    versions = {module.__name__: str(module.__version__) for module in modules}
    return {"python": platform.python_version(), **versions}
