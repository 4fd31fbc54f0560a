"""A folder of static files for any web server: a page that draws new faces in the browser."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_shards import atomic_path

from .._export import export_model
from .._report import ExportReport
from ._runtime import VERSION, read_runtime

WebPrecision = Literal["int8", "fp16"]
"""int8 is smaller, and faster for several faces at once. fp16 is closer to the model."""

_MODEL_NAME = "generator.onnx"
_RUNTIME_NAME = f"onnxruntime-web-{VERSION}"
"""static/generator.js holds both names, too."""
_PAGE = Path(__file__).with_name("static")


@dataclass(frozen=True, kw_only=True)
class WebPage:
    """A folder with a page."""

    path: Path
    """The folder. Browsers must load it from a web server, not as a file."""
    num_bytes: int
    """Size of all files. A browser loads nearly all of them."""
    report: ExportReport
    """Report on the generator in the folder."""


def export_web(
    trained: TrainedModel,
    path: Path,
    *,
    precision: WebPrecision = "int8",
    force: bool = False,
    onnxruntime_web: Path | None = None,
) -> WebPage:
    """Write a new folder of static files: a page, its generator, and ONNX Runtime Web.

    The page draws the first faces of a seed: the faces that `generate_faces` draws for this seed
    and truncation, up to the errors of `precision`. It loads nothing from other servers.

    Args:
        path: the folder. It appears complete or not at all.
        precision: precision of the generator. `export_model` checks it.
        force: keep a generator of a lower PSNR, too.
        onnxruntime_web: tarball of npm's package onnxruntime-web. None: download it with npm.

    Raises:
        FaceaeError: `path` exists, the latents have not been fitted, npm is missing or fails, the
            tarball is not the tested one, or the generator differs too much from the model.
        OSError: a file cannot be read or written.
    """
    if path.exists():
        raise FaceaeError(f"{path}: exists already; name a new folder, or remove it first")
    runtime = read_runtime(onnxruntime_web)
    with atomic_path(path) as part:
        (part / _RUNTIME_NAME).mkdir(parents=True)
        report = export_model(
            trained,
            "onnx",
            "generator",
            part / _MODEL_NAME,
            torch.device("cpu"),  # the browser computes on the CPU, too
            precision=precision,
            force=force,
        )
        for name, content in runtime.items():
            (part / _RUNTIME_NAME / name).write_bytes(content)
        for file in _PAGE.iterdir():
            (part / file.name).write_bytes(file.read_bytes())
        num_bytes = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    report = replace(report, path=path / _MODEL_NAME)
    return WebPage(path=path, num_bytes=num_bytes, report=report)
