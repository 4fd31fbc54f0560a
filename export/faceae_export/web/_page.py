"""A folder that any web server can host: new faces, drawn in the visitor's browser."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_shards import atomic_path

from .._export import ExportReport, export_model
from ._runtime import VERSION, read_runtime

WebPrecision = Literal["int8", "fp16"]
"""int8 is the smaller one, and faster where several faces are drawn at once; fp16 is closer to the
model."""

_MODEL_NAME = "generator.onnx"
_RUNTIME_NAME = f"onnxruntime-web-{VERSION}"
"""web/generator.js names both."""
_PAGE = Path(__file__).with_name("static")


@dataclass(frozen=True, kw_only=True)
class WebPage:
    """A folder that was written."""

    path: Path
    """To be opened through a web server, not as a file."""
    num_bytes: int
    """Of all files; a visitor's browser loads nearly all of it."""
    report: ExportReport
    """Of the generator in it."""


def export_web(
    source: TrainedModel,
    path: Path,
    *,
    precision: WebPrecision = "int8",
    force: bool = False,
    runtime_tarball: Path | None = None,
) -> WebPage:
    """Write a new folder of static files: a page, its generator, and ONNX Runtime Web.

    The page draws the faces 0, 1, ... of a seed from the noise of `latent_noise`: those of `faceae
    generate` with that seed and truncation, as closely as `precision` allows. It asks no other
    server for anything.

    Args:
        path: the folder; it appears whole or not at all.
        precision: of the generator, checked as by `export_model`.
        force: keep a generator of a lower PSNR, too.
        runtime_tarball: npm's onnxruntime-web; None: npm fetches it.

    Raises:
        FaceaeError: `path` is there already, latents that were not fitted, npm is missing or fails,
            another tarball than the tested one, or a generator too far from the model.
        OSError: a file cannot be read or written.
    """
    if path.exists():
        raise FaceaeError(f"-o {path}: is there already; name a new folder, or remove it first")
    runtime = read_runtime(runtime_tarball)
    with atomic_path(path) as part:
        (part / _RUNTIME_NAME).mkdir(parents=True)
        report = export_model(
            source,
            "onnx",
            "generator",
            part / _MODEL_NAME,
            torch.device("cpu"),  # as in the browser
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
