"""The request for one export, checked before any work is done."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel

from ._inputs import CALIBRATED
from ._metadata import ExportInfo, Kind, Precision
from .formats import FORMATS, Format, FormatName
from .graph import MIN_PSNR_DB, Network, build_module, describe_export


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportRequest:
    """Arguments of one export; see `export_model`.

    Raises:
        FaceaeError: the arguments do not fit the format, the model or each other.
    """

    trained: TrainedModel
    format_name: FormatName
    kind: Kind
    path: Path
    device: torch.device
    rewrite: bool
    precision: Precision
    force: bool

    def __post_init__(self) -> None:
        self._check_path()
        self._check_kind()
        self._check_precision()
        self._check_sampler()
        if self.precision == "int8":
            self._check_int8()

    @property
    def format(self) -> Format:
        """The format that `format_name` names."""
        return FORMATS[self.format_name]

    @property
    def rewrites(self) -> bool:
        """Whether `rewrite_network` is applied. A format without a graph needs the layers as they
        are."""
        return self.rewrite and self.format.is_graph

    @property
    def info(self) -> ExportInfo:
        """The file's metadata."""
        return describe_export(self.trained, self.kind, self.precision)

    @property
    def min_psnr_db(self) -> float | None:
        """Lowest PSNR that is accepted. None: only rounding errors of float32 are accepted."""
        if self.precision == "fp32":
            return None
        return -math.inf if self.force else MIN_PSNR_DB

    def build(self, network: Network) -> nn.Module:
        """Return the module to write."""
        return build_module(self.trained, self.kind, network)

    def _check_path(self) -> None:
        suffixes = self.format.suffixes
        if suffixes and self.path.suffix.lower() not in suffixes:
            raise FaceaeError(f"{self.path}: the file name must end in {' or '.join(suffixes)}")
        if not suffixes and self.path.exists():
            raise FaceaeError(f"{self.path}: exists already; name a new folder, or remove it first")

    def _check_kind(self) -> None:
        if self.kind not in self.format.kinds:
            raise FaceaeError(
                f"`kind={self.kind!r}`: {self.format_name} can hold only the "
                f"{', '.join(self.format.kinds)}; choose another format"
            )

    def _check_precision(self) -> None:
        if self.precision not in self.format.precisions:
            names = [name for name, form in FORMATS.items() if self.precision in form.precisions]
            raise FaceaeError(
                f"`precision={self.precision!r}` is available for {', '.join(names)} only, "
                f"not for {self.format_name}"
            )

    def _check_sampler(self) -> None:
        if self.kind == "sampler" and self.precision != "fp32":
            raise FaceaeError(
                f"`precision={self.precision!r}`: latents are sampled in float32 in every "
                "precision; leave it out for the sampler"
            )

    def _check_int8(self) -> None:
        if self.kind not in CALIBRATED:
            raise FaceaeError(
                f"`precision='int8'` is available for the {' and the '.join(CALIBRATED)} only; "
                f"the inputs of the {self.kind} cannot be drawn for calibration"
            )
        if self.trained.sampler is None:
            raise FaceaeError(
                "`precision='int8'` needs fitted latents for calibration; run `faceae fit` first"
            )
        if self.device.type != "cpu":
            raise FaceaeError(
                "`precision='int8'`: the file runs on the CPU only, because ONNX Runtime computes "
                "int8 convolutions in floats on a GPU; use `device='cpu'`, or `precision='fp16'`"
            )
        if not self.rewrite:
            raise FaceaeError(
                "`rewrite=False`: ONNX Runtime has no int8 kernels for transposed convolutions; "
                "leave it out, or choose another `precision`"
            )
