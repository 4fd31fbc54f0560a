"""Does the written file compute what the model does?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faceae.errors import FaceaeError
from faceae.latent import latent_noise

from ._modules import ExportSource
from ._rewrite import split_layers
from ._session import Session

BATCH_SIZES = (1, 7, 64)
"""One face, an odd number, and more than was traced: a batch size frozen in shows."""

MAX_FLOAT_ERROR = 1e-4
"""Of faces in [-1, 1]; a hundredth of the distance of two pixel values."""
MAX_LEVEL_ERROR = 1
"""Of uint8 pictures: a value next to a half may round either way..."""
MAX_SHARE_OFF = 0.01
"""... which concerns at most this share of the values."""

_SEED = 20_011
"""Of the latents files are checked on."""
_LOCATE_FACES = 7


@dataclass(frozen=True, kw_only=True)
class BatchParity:
    """How far a file's faces are from the model's, at one batch size."""

    batch_size: int
    max_error: float
    """Float faces: in units of [-1, 1]. uint8 pictures: in levels."""
    mean_error: float
    seconds: float
    """One run of the file, the first at this batch size."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far a file's faces are from the model's."""

    batches: tuple[BatchParity, ...]

    @property
    def num_faces(self) -> int:
        """Faces compared."""
        return sum(batch.batch_size for batch in self.batches)

    @property
    def max_error(self) -> float:
        """Float faces: in units of [-1, 1]. uint8 pictures: in levels."""
        return max(batch.max_error for batch in self.batches)


def check_parity(
    reference: nn.Module, session: Session, source: ExportSource, written: Sequence[nn.Module]
) -> Parity:
    """Run the model and its file on the same fresh inputs, at several batch sizes, and compare.

    Args:
        session: runs the file, each batch as a whole.
        written: what was written of the decoder, as one module for each of
            `split_layers(source.model.decoder)`.

    Raises:
        FaceaeError: they differ by more than rounding; says from which layer on.
    """
    batches: list[BatchParity] = []
    for batch_size in BATCH_SIZES:
        start = sum(batch.batch_size for batch in batches)
        inputs_NZ = _make_inputs(session, source, start, batch_size)
        with torch.inference_mode():
            expected = reference(torch.from_numpy(inputs_NZ)).numpy()
        began = time.perf_counter()
        found = session.run(inputs_NZ)
        seconds = time.perf_counter() - began
        problem = _find_problem(expected, found)
        if problem is not None:
            raise FaceaeError(
                f"the exported file does not compute what the model does ({session.engine}, batch "
                f"{batch_size}): {problem}; {_locate(source, written, session)}; it was not kept; "
                "report this with the output of `faceae doctor --json`"
            )
        errors = _errors(expected, found)
        batches.append(
            BatchParity(
                batch_size=batch_size,
                max_error=float(errors.max()),
                mean_error=float(errors.mean()),
                seconds=seconds,
            )
        )
    return Parity(batches=tuple(batches))


def _make_inputs(
    session: Session, source: ExportSource, start: int, count: int
) -> NDArray[np.float32]:
    noise_NZ = latent_noise(_SEED, start, count, session.info.model.latent_size)
    if session.info.kind == "decoder" and source.sampler is not None:
        return source.sampler.latents(noise_NZ)
    return noise_NZ


def _find_problem(expected: NDArray[Any], found: NDArray[Any]) -> str | None:
    """Return what is too different, or None."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return (
            f"it returns {found.dtype} {found.shape} where the model returns {expected.dtype} "
            f"{expected.shape}"
        )
    errors = _errors(expected, found)
    limit = MAX_LEVEL_ERROR if expected.dtype == np.uint8 else MAX_FLOAT_ERROR
    if not errors.max() <= limit:  # a NaN is no agreement either
        return f"values differ by up to {errors.max():.3g}, allowed are {limit:g}"
    share = np.count_nonzero(errors) / errors.size
    if expected.dtype == np.uint8 and share > MAX_SHARE_OFF:
        return f"{share:.1%} of the values differ, allowed are {MAX_SHARE_OFF:.0%}"
    return None


def _errors(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.abs(found.astype(np.float64) - expected)
    return errors


@torch.inference_mode()
def _locate(source: ExportSource, written: Sequence[nn.Module], session: Session) -> str:
    """Say where the difference starts, by running the decoder and what was written of it in torch,
    layer by layer."""
    layers = split_layers(source.model.decoder)
    z_NZ = latent_noise(_SEED, 0, _LOCATE_FACES, source.model.config.latent_size)
    if source.sampler is not None:
        z_NZ = source.sampler.latents(z_NZ)
    expected = found = torch.from_numpy(z_NZ)[:, :, None, None]
    for number, (layer, other) in enumerate(zip(layers, written, strict=True), 1):
        expected, found = layer(expected), other(found)
        limit = MAX_FLOAT_ERROR * max(1.0, float(expected.abs().max()))
        if found.shape != expected.shape or not (found - expected).abs().max() <= limit:
            return f"the difference starts in layer {number} of {len(layers)}, {layer[0]}"
    return f"the layers agree in torch, so it starts in writing the file or in {session.engine}"
