"""A folder of static files for any web server: a page that draws and changes faces."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_shards import atomic_path

from .._export import export_model
from .._metadata import Kind, Precision
from .._report import ExportReport
from ..graph import describe_export
from ._files import page_files
from ._runtime import VERSION, read_runtime

WebPrecision = Literal["int8", "fp16"]
"""int8 is smaller, and faster for several faces at once. fp16 is closer to the model."""

_RUNTIME_NAME = f"onnxruntime-web-{VERSION}"
"""static/browser.js holds the name, and those of the models, too."""


@dataclass(frozen=True, kw_only=True)
class WebPage:
    """A folder with a page."""

    path: Path
    """The folder. Browsers must load it from a web server, not as a file."""
    num_bytes: int
    """Size of all files. A browser loads nearly all of them."""
    report: ExportReport
    """Report on the decoder in the folder."""


def export_web(
    trained: TrainedModel,
    path: Path,
    *,
    precision: WebPrecision = "int8",
    force: bool = False,
    onnxruntime_web: Path | None = None,
) -> WebPage:
    """Write a new folder of static files: a page, its models, and ONNX Runtime Web.

    The page draws the faces of a seed: the faces that `generate_faces` draws for this seed and
    truncation, up to the errors of `precision`. It takes photographs, morphs, and changes the
    attributes of `trained.directions`. It loads nothing from other servers.

    Args:
        path: the folder. It appears complete or not at all.
        precision: precision of the decoder. The encoder has fp16. `export_model` checks both.
        force: keep models of a lower PSNR, too.
        onnxruntime_web: tarball of npm's package onnxruntime-web. None: download it with npm.

    Raises:
        FaceaeError: `path` exists, the latents have not been fitted, npm is missing or fails, the
            tarball is not the tested one, or a model's file differs too much from the model.
        OSError: a file cannot be read or written.
    """
    if path.exists():
        raise FaceaeError(f"{path}: exists already; name a new folder, or remove it first")
    runtime = read_runtime(onnxruntime_web)
    with atomic_path(path) as part:
        part.mkdir(parents=True)
        reports = {report.info.kind: report for report in _write(trained, part, precision, force)}
        models = {file.path.name: file.path.read_bytes() for file in reports.values()}
        models |= {f"{_RUNTIME_NAME}/{name}": content for name, content in runtime.items()}
        (part / _RUNTIME_NAME).mkdir()
        info = describe_export(trained, "decoder")
        for name, content in page_files(info, trained.directions, models).items():
            (part / name).write_bytes(content)
        num_bytes = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    report = replace(reports["decoder"], path=path / reports["decoder"].path.name)
    return WebPage(path=path, num_bytes=num_bytes, report=report)


def _write(
    trained: TrainedModel, folder: Path, precision: WebPrecision, force: bool
) -> Iterator[ExportReport]:
    """Write the models of a page with their reports."""
    parts: dict[Kind, Precision] = {"sampler": "fp32", "decoder": precision, "encoder": "fp16"}
    for kind, own in parts.items():
        path = folder / f"{kind}.onnx"
        device = torch.device("cpu")  # the browser computes on the CPU, too
        yield export_model(trained, "onnx", kind, path, device, precision=own, force=force)
