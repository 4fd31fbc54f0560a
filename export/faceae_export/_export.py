"""Export a trained model to a file, and check the file before it is kept."""

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from faceae.runs import TrainedModel
from faceae_shards import write_json

from ._inputs import make_calibration, make_inputs
from ._metadata import Kind, Precision
from ._parity import Parity, check_parity
from ._report import ExportReport, list_files
from ._request import ExportRequest
from ._staging import publish, stage
from .formats import FormatName
from .graph import Network, describe_export, lower, measure_speedup, rewrite_network
from .int8 import apply_gptq, smooth_network
from .sessions import CPU_MICRO_BATCH, Session

log = logging.getLogger(__name__)


def export_model(
    trained: TrainedModel,
    format_name: FormatName,
    kind: Kind,
    path: Path,
    device: torch.device,
    *,
    rewrite: bool = True,
    precision: Precision = "fp32",
    force: bool = False,
) -> ExportReport:
    """Write a model, or a part of it, to a file that runs at any batch size.

    `ExportInfo.inputs` and `ExportInfo.output` describe its inputs and output; the file's metadata
    holds the same description. The file is run on `device` and compared with the model before it
    appears at `path`. The report is written beside it, to `path` + ".json".

    Args:
        rewrite: apply `rewrite_network`, which makes the file faster and changes no face.
        precision: data type of the weights and activations. Below fp32 the output must reach a
            PSNR of `MIN_PSNR_DB` against the model in float32, and the speed is compared with
            fp32. int8 is available for the decoder and the generator of fitted latents.
        force: keep a file of a lower PSNR, too.

    Raises:
        FaceaeError: the file name does not fit the format, the format cannot hold this `kind` or
            `precision`, the latents have not been fitted, a runtime is not installed or cannot use
            `device`, or the file's output differs too much from the model's.
    """
    request = ExportRequest(
        trained=trained,
        format_name=format_name,
        kind=kind,
        path=path,
        device=device,
        rewrite=rewrite,
        precision=precision,
        force=force,
    )
    with stage(path) as staged:
        report = _write_and_check(request, staged)
        # The report first: a file at `path` always has its report.
        write_json(report.report_path, report.to_json())
        publish(staged, path)
    return report


def _write_and_check(request: ExportRequest, staged: Path) -> ExportReport:
    started = time.perf_counter()
    log.debug("writing %s as %s in %s", request.kind, request.format_name, request.precision)
    full = _make_network(request)
    written = _WRITERS[request.precision](request, full, staged)
    wrote = time.perf_counter()
    session, parity = _check(request, written, staged)
    checked = time.perf_counter()
    return ExportReport(
        path=request.path,
        format=request.format_name,
        info=session.info,
        files=list_files(staged.parent),
        rewritten=request.rewrites,
        parity=parity,
        checked_in=session.engine,
        write_seconds=wrote - started,
        check_seconds=checked - wrote,
        speedup=_measure_speedup(request, full, session),
    )


def _make_network(request: ExportRequest) -> Network:
    """Return the network to write, in float32."""
    network = Network.of(request.trained.model)
    return rewrite_network(network) if request.rewrites else network


def _write_fp32(request: ExportRequest, full: Network, staged: Path) -> Network:
    request.format.write(request.build(full), request.info, staged)
    return full


def _write_lower_float(request: ExportRequest, full: Network, staged: Path) -> Network:
    lowered = lower(full, request.precision)
    request.format.write(request.build(lowered), request.info, staged)
    return lowered


def _write_int8(request: ExportRequest, full: Network, staged: Path) -> Network:
    """Write the float32 network in a form that suits int8, then quantise the file.

    Returns the float32 network, whose layers a difference is located in.
    """
    assert request.format.quantize is not None
    calibration = make_calibration(request.kind, request.trained)
    log.debug("rounding weights to int8")
    smoothed = _smooth(request.trained)
    request.format.write(request.build(smoothed), request.info, staged)
    log.debug("calibrating int8")
    request.format.quantize(staged, request.info, calibration)
    return full


_WRITERS: dict[Precision, Callable[[ExportRequest, Network, Path], Network]] = {
    "fp32": _write_fp32,
    "fp16": _write_lower_float,
    "bf16": _write_lower_float,
    "int8": _write_int8,
}
"""Each writes the file and returns the network that the file should compute, layer by layer."""


def _smooth(trained: TrainedModel) -> Network:
    """Return an equal network whose decoder loses less when it is quantised."""
    batches = [z_NZ for (z_NZ,) in make_calibration("decoder", trained)]
    latents_NZ = torch.from_numpy(np.concatenate(batches))
    smoothed = smooth_network(Network.of(trained.model), latents_NZ)
    apply_gptq(smoothed.decoder, latents_NZ)
    return smoothed


def _check(request: ExportRequest, written: Network, staged: Path) -> tuple[Session, Parity]:
    log.debug("checking the file against the model")
    session = request.format.open(staged, request.device)
    parity = check_parity(request.trained, written, session, min_psnr_db=request.min_psnr_db)
    return session, parity


def _measure_speedup(request: ExportRequest, full: Network, session: Session) -> float | None:
    """Return the speed of `session` relative to fp32 in the same format; None for fp32 itself."""
    if request.precision == "fp32":
        return None
    log.debug("comparing the speed of %s with fp32", request.precision)
    inputs = make_inputs(request.kind, request.trained, 0, CPU_MICRO_BATCH)
    info = describe_export(request.trained, request.kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"full{request.format.suffixes[0]}")
        request.format.write(request.build(full), info, path)
        return measure_speedup(session, request.format.open(path, request.device), inputs)
