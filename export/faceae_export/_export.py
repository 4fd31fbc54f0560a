"""A trained model as a file for other software, checked before it is kept."""

import hashlib
import math
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch

import faceae
from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_shards import PART_SUFFIX, atomic_path, write_json

from ._metadata import ExportInfo, Kind, Precision
from ._parity import CALIBRATED, ERROR_UNITS, Parity, check_parity, make_calibration, make_inputs
from .formats import FORMATS, Format, FormatName
from .graph import (
    LOWER_FLOATS,
    MIN_PSNR_DB,
    MIN_SPEEDUP,
    Network,
    build_module,
    describe_export,
    lower,
    measure_speedup,
    rewrite_network,
)
from .int8 import apply_gptq, smooth_network
from .sessions import MICRO_BATCH, Session

REPORT_SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file that was written."""

    name: str
    """Beside the report, or its path from there."""
    num_bytes: int
    sha256: str
    """A report that lies beside another file shows."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written, and how it was checked."""

    path: Path
    """The file, or the folder, that was asked for."""
    format: FormatName
    info: ExportInfo
    files: tuple[ExportedFile, ...]
    """`path`, or what is in it, and what belongs to it."""
    rewritten: bool
    """Whether the network went through `rewrite_network`."""
    parity: Parity
    checked_in: str
    """Engine and device the file was run in."""
    speedup: float | None
    """Time of the same in fp32 over that of this file, in the same engine on this machine; None:
    it is in fp32."""
    write_seconds: float
    check_seconds: float

    @property
    def report_path(self) -> Path:
        """The JSON file that `to_json` was written to."""
        return self.path.with_name(self.path.name + REPORT_SUFFIX)

    @property
    def num_bytes(self) -> int:
        """Of all files."""
        return sum(file.num_bytes for file in self.files)

    @property
    def gains_speed(self) -> bool:
        """Whether it is faster than in fp32, and not only smaller."""
        return self.speedup is not None and self.speedup >= MIN_SPEEDUP

    @property
    def error_unit(self) -> str:
        """What errors are told in."""
        return ERROR_UNITS[self.info.kind]

    def to_json(self) -> dict[str, Any]:
        """Return it with the file's metadata and the versions of what took part."""
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
            "versions": _versions(),
        }


def export_model(
    source: TrainedModel,
    format_name: FormatName,
    kind: Kind,
    path: Path,
    device: torch.device,
    *,
    rewrite: bool = True,
    precision: Precision = "fp32",
    force: bool = False,
) -> ExportReport:
    """Write a model, or a part of it, for other software to run at any batch size.

    What goes in and comes out is `ExportInfo.inputs` and `output`, told in the file's metadata. The
    file is run on `device` before it gets its name, and the report is written beside it, as
    `path` + ".json".

    Args:
        rewrite: put the network through `rewrite_network`: the same faces, faster.
        precision: what the network is computed in. Below fp32 the results must have a PSNR of
            `MIN_PSNR_DB` against the model in float32, and the time is compared to fp32's. int8 is
            for what begins with latents, on which it is calibrated: decoder and generator.
        force: keep a file of a lower PSNR, too.

    Raises:
        FaceaeError: a name that does not fit the format, a kind it cannot hold, a generator without
            fitted latents, a runtime that is not installed or cannot use the device, or a file that
            computes something else than the model, or comes less close to it than asked for.
    """
    form = FORMATS[format_name]
    _check_request(source, format_name, kind, path, precision)
    if precision == "int8" and not rewrite:
        raise FaceaeError(
            "--no-rewrite: ONNX Runtime has no int8 kernels for transposed convolutions; leave it "
            "out, or take another --precision"
        )
    rewrite = rewrite and form.is_graph
    network = Network.of(source.model)
    full = rewrite_network(network) if rewrite else network
    written = stored = full
    least_psnr_db = None
    if precision != "fp32":
        least_psnr_db = -math.inf if force else MIN_PSNR_DB
    if precision in LOWER_FLOATS:
        written = stored = lower(full, precision)
    if precision == "int8":
        latents = _draw_latents(source)
        stored = smooth_network(network, latents)
        apply_gptq(stored.decoder, latents)
    info = describe_export(source, kind, precision)
    with _staging(path) as staged:
        began = time.perf_counter()
        form.write(build_module(source, kind, stored), info, staged)
        if precision == "int8":
            assert form.quantize is not None
            form.quantize(staged, info, make_calibration(kind, source))
        done = time.perf_counter()
        session = form.open(staged, device)
        parity = check_parity(source, written, session, least_psnr_db=least_psnr_db)
        checked = time.perf_counter()
        report = ExportReport(
            path=path,
            format=format_name,
            info=session.info,
            files=_list_files(staged.parent),
            rewritten=rewrite,
            parity=parity,
            checked_in=session.engine,
            write_seconds=done - began,
            speedup=None if precision == "fp32" else _compare(source, form, full, session, device),
            check_seconds=checked - done,
        )
        # Before the file gets its name: a file that is there has its report.
        write_json(report.report_path, report.to_json())
        _publish(staged, path)
    return report


def _draw_latents(source: TrainedModel) -> torch.Tensor:
    """Return the latents that int8 is calibrated on, N x Z."""
    batches = [z_NZ for (z_NZ,) in make_calibration("decoder", source)]
    return torch.from_numpy(np.concatenate(batches))


def _compare(
    source: TrainedModel, form: Format, full: Network, session: Session, device: torch.device
) -> float:
    """Measure what the precision of `session` gains over fp32 in the same format."""
    kind = session.info.kind
    inputs = make_inputs(kind, source, 0, MICRO_BATCH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"full{form.suffixes[0]}")
        form.write(build_module(source, kind, full), describe_export(source, kind), path)
        return measure_speedup(session, form.open(path, device), inputs)


def _check_request(
    source: TrainedModel, format_name: FormatName, kind: Kind, path: Path, precision: Precision
) -> None:
    form = FORMATS[format_name]
    if form.suffixes and path.suffix.lower() not in form.suffixes:
        raise FaceaeError(f"-o {path}: the file must end in {' or '.join(form.suffixes)}")
    if not form.suffixes and path.exists():
        raise FaceaeError(f"-o {path}: already there; name a new folder, or remove it first")
    if kind not in form.kinds:
        raise FaceaeError(
            f"--what {kind}: {format_name} can hold only the {', '.join(form.kinds)}; "
            "choose another format"
        )
    if precision not in form.precisions:
        names = [name for name, each in FORMATS.items() if precision in each.precisions]
        raise FaceaeError(f"--precision {precision}: is there for {', '.join(names)} only")
    if precision == "int8" and kind not in CALIBRATED:
        raise FaceaeError(
            f"--precision int8: a {kind} cannot be calibrated on latents; it is there for the "
            f"{' and the '.join(CALIBRATED)}"
        )
    if precision == "int8" and source.sampler is None:
        raise FaceaeError(
            "--precision int8 is calibrated on latents like the fitted ones; run `faceae fit` first"
        )


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """Yield `path` in a folder of its own beside it, which is gone when the block ends."""
    folder = path.with_name(f"{path.name}.new{PART_SUFFIX}")
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier, killed process
    folder.mkdir()
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder)


def _list_files(folder: Path) -> tuple[ExportedFile, ...]:
    return tuple(
        ExportedFile(
            name=path.relative_to(folder).as_posix(),
            num_bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def _publish(staged: Path, path: Path) -> None:
    """Move what was written to its place: `path` last, so that it is whole where it is there."""
    companions = [other for other in staged.parent.iterdir() if other != staged]
    if companions:
        path.unlink(missing_ok=True)  # it does not fit the new ones
    for file in (*companions, staged):
        with atomic_path(path.with_name(file.name)) as part:
            file.rename(part)


def _versions() -> dict[str, str]:
    modules = (faceae, np, onnx, onnxruntime, onnxscript, torch)
    versions = {module.__name__: str(module.__version__) for module in modules}
    return {"python": platform.python_version(), **versions}
