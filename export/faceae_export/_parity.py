"""Compare an exported file's output with the model's."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faceae.errors import FaceaeError
from faceae.model import to_float
from faceae.runs import TrainedModel

from ._inputs import make_inputs
from ._metadata import Kind
from .graph import Network, build_module
from .sessions import ENGINE_ERRORS, Session, summarise

BATCH_SIZES = (1, 7, 64)
"""Faces, or frames of a morph: one, an odd number, and more than the module was traced with. A
size that was frozen in the file fails at one of them."""

MAX_FLOAT_ERROR = 1e-4
"""Largest error of float faces in [-1, 1], about a hundredth of the distance of two pixel values;
for latents relative to their largest magnitude, if that is above 1."""
MAX_LEVEL_ERROR = 1
"""Largest error of uint8 pictures. A value close to a half may round either way..."""
MAX_SHARE_OFF = 0.01
"""... for at most this share of the values."""

_LOCATE_FACES = 7

ERROR_UNITS: dict[Kind, str] = {
    "decoder": "of faces in [-1, 1]",
    "generator": "levels of 255",
    "sampler": "of latents",
    "encoder": "of latents",
    "autoencoder": "levels of 255",
    "morph": "levels of 255",
    "editor": "levels of 255",
    "latent-editor": "levels of 255",
}


@dataclass(frozen=True, kw_only=True)
class BatchParity:
    """Differences between a file's output and the model's, at one batch size."""

    batch_size: int
    """Number of faces, or frames of a morph."""
    max_error: float
    """Largest absolute difference; unit: `ERROR_UNITS`."""
    mean_error: float
    """Mean absolute difference; unit: `ERROR_UNITS`."""
    psnr_db: float | None
    """PSNR; None: nothing differs. The peak is 255 for uint8 pictures, 2 for float faces, and the
    range of the model's output for latents."""
    seconds: float
    """Time of one run of the file, the first at this batch size."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Differences between a file's output and the model's."""

    batches: tuple[BatchParity, ...]

    @property
    def num_faces(self) -> int:
        """Number of faces compared."""
        return sum(batch.batch_size for batch in self.batches)

    @property
    def max_error(self) -> float:
        """Largest absolute difference; unit: `ERROR_UNITS`."""
        return max(batch.max_error for batch in self.batches)

    @property
    def psnr_db(self) -> float | None:
        """PSNR of the worst batch; None: nothing differs."""
        return min(
            (batch.psnr_db for batch in self.batches if batch.psnr_db is not None), default=None
        )


def check_parity(
    trained: TrainedModel, written: Network, session: Session, *, min_psnr_db: float | None = None
) -> Parity:
    """Run the model and its file on the same new inputs, at several batch sizes, and compare.

    Args:
        written: the network that was written, with one layer for each of the model's.
        session: runs the file, each batch as a whole.
        min_psnr_db: lowest accepted PSNR. None: accept only rounding errors of float32.

    Raises:
        FaceaeError: the file does not run, or the outputs differ by more. The message names the
            layer where it starts.
    """
    check = _Check(trained, written, session, min_psnr_db)
    starts = [sum(BATCH_SIZES[:number]) for number in range(len(BATCH_SIZES))]
    batches = map(check.compare, starts, BATCH_SIZES)
    return Parity(batches=tuple(batches))


class _Check:
    """The comparison of one file with its model."""

    def __init__(
        self,
        trained: TrainedModel,
        written: Network,
        session: Session,
        min_psnr_db: float | None,
    ) -> None:
        self._trained = trained
        self._written = written
        self._session = session
        self._min_psnr_db = min_psnr_db
        self._model = Network.of(trained.model)
        self._kind = session.info.kind
        self._reference = build_module(trained, self._kind, self._model)

    def compare(self, start: int, batch_size: int) -> BatchParity:
        """Compare one batch; `start` is the number of its first face."""
        inputs = make_inputs(self._kind, self._trained, start, batch_size)
        expected = _run(self._reference, inputs)
        began = time.perf_counter()
        found = self._run(inputs, batch_size)
        seconds = time.perf_counter() - began
        self._check_errors(expected, found, batch_size)
        errors, psnr_db = _errors(expected, found), _psnr_db(expected, found)
        self._check_psnr(psnr_db, batch_size)
        return BatchParity(
            batch_size=batch_size,
            max_error=float(errors.max()),
            mean_error=float(errors.mean()),
            psnr_db=psnr_db,
            seconds=seconds,
        )

    def _run(self, inputs: tuple[NDArray[Any], ...], batch_size: int) -> NDArray[Any]:
        try:
            return self._session.run(*inputs)
        except ENGINE_ERRORS as error:
            raise FaceaeError(
                f"the exported file does not run ({self._session.engine}, batch {batch_size}): "
                f"{summarise(error)}; it was not kept; use `device='cpu'` to check it on the CPU, "
                "or report this with the output of `faceae doctor --json`"
            ) from error

    def _check_errors(self, expected: NDArray[Any], found: NDArray[Any], batch_size: int) -> None:
        problem = _find_problem(expected, found, rounds_only=self._min_psnr_db is None)
        if problem is not None:
            raise FaceaeError(
                f"the exported file does not compute what the model does ({self._session.engine}, "
                f"batch {batch_size}): {problem}; {self._locate()}; it was not kept; "
                "report this with the output of `faceae doctor --json`"
            )

    def _check_psnr(self, psnr_db: float | None, batch_size: int) -> None:
        least = self._min_psnr_db
        if least is not None and psnr_db is not None and psnr_db < least:
            raise FaceaeError(
                f"`precision={self._session.info.precision!r}`: the PSNR against float32 is "
                f"{psnr_db:.1f} dB ({self._session.engine}, batch {batch_size}), less than the "
                f"required {least:g} dB; it was not kept; `force=True` keeps it"
            )

    @torch.inference_mode()
    def _locate(self) -> str:
        """Say where the difference starts.

        Runs the model and the written network in torch, layer by layer.
        """
        layers = self._model.layers(self._kind)
        if not layers:
            return "the file holds no layers of the network"
        expected = found = self._make_maps(starts_with_encoder=layers[0] is self._model.encoder[0])
        others = self._written.layers(self._kind)
        for number, (layer, other) in enumerate(zip(layers, others, strict=True), 1):
            dtype = next(other.parameters()).dtype
            expected, found = layer(expected), other(found.to(dtype)).float()
            if not _agree(expected, found, dtype):
                conv = layer.get_submodule("0")
                return f"the difference starts in layer {number} of {len(layers)}, {conv}"
        return (
            "the layers agree in torch, so it starts in writing the file or in "
            f"{self._session.engine}"
        )

    def _make_maps(self, *, starts_with_encoder: bool) -> torch.Tensor:
        """Return an input of the first layer."""
        kind: Kind = "encoder" if starts_with_encoder else "decoder"
        (inputs,) = make_inputs(kind, self._trained, 0, _LOCATE_FACES)
        maps = torch.from_numpy(inputs)
        return to_float(maps.permute(0, 3, 1, 2)) if starts_with_encoder else maps[:, :, None, None]


@torch.inference_mode()
def _run(module: nn.Module, inputs: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    output: NDArray[Any] = module(*map(torch.from_numpy, inputs)).numpy()
    return output


def _find_problem(expected: NDArray[Any], found: NDArray[Any], *, rounds_only: bool) -> str | None:
    """Return what is wrong with `found`, or None.

    Args:
        rounds_only: whether only rounding errors of float32 are accepted.
    """
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return (
            f"it returns {found.dtype} {found.shape} where the model returns {expected.dtype} "
            f"{expected.shape}"
        )
    errors = _errors(expected, found)
    if not np.isfinite(errors).all():
        return "values are not finite"
    return _find_large_error(expected, errors) if rounds_only else None


def _find_large_error(expected: NDArray[Any], errors: NDArray[np.float64]) -> str | None:
    is_uint8 = expected.dtype == np.uint8
    limit = MAX_LEVEL_ERROR if is_uint8 else _float_limit(float(np.abs(expected).max()))
    if errors.max() > limit:
        return f"values differ by up to {errors.max():.3g}, allowed are {limit:g}"
    share = np.count_nonzero(errors) / errors.size
    if is_uint8 and share > MAX_SHARE_OFF:
        return f"{share:.1%} of the values differ, allowed are {MAX_SHARE_OFF:.0%}"
    return None


def _float_limit(largest: float) -> float:
    return MAX_FLOAT_ERROR * max(1.0, largest)


def _errors(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.abs(found.astype(np.float64) - expected)
    return errors


def _psnr_db(expected: NDArray[Any], found: NDArray[Any]) -> float | None:
    mean_square = float(np.square(_errors(expected, found)).mean())
    if mean_square == 0:
        return None
    if expected.dtype == np.uint8:
        peak = 255.0
    else:
        peak = 2.0 if expected.ndim == 4 else float(np.ptp(expected))
    return 10 * math.log10(peak**2 / mean_square)


def _agree(expected: torch.Tensor, found: torch.Tensor, dtype: torch.dtype) -> bool:
    """Return whether two layers' outputs agree; below float32 only in shape and finiteness."""
    if found.shape != expected.shape:
        return False
    limit = _float_limit(float(expected.abs().max()))
    largest = float((found - expected).abs().max())
    return largest <= limit if dtype == torch.float32 else math.isfinite(largest)
