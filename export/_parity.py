"""Does the written file compute what the model does?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faceae.errors import FaceaeError
from faceae.latent import latent_noise

from ._modules import ExportSource
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


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far a file's faces are from the model's."""

    num_faces: int
    max_error: float
    """Float faces: in units of [-1, 1]. uint8 pictures: in levels."""


def check_parity(reference: nn.Module, session: Session, source: ExportSource) -> Parity:
    """Run both on the same fresh inputs, at several batch sizes, and compare.

    Raises:
        FaceaeError: they differ by more than rounding; says where.
    """
    max_error, start = 0.0, 0
    for batch_size in BATCH_SIZES:
        inputs_NZ = _make_inputs(session, source, start, batch_size)
        with torch.inference_mode():
            expected = reference(torch.from_numpy(inputs_NZ)).numpy()
        errors = _compare(expected, session.run(inputs_NZ), f"{session.engine}, batch {batch_size}")
        max_error = max(max_error, float(errors.max()))
        start += batch_size
    return Parity(num_faces=start, max_error=max_error)


def _make_inputs(
    session: Session, source: ExportSource, start: int, count: int
) -> NDArray[np.float32]:
    noise_NZ = latent_noise(_SEED, start, count, session.info.model.latent_size)
    if session.info.kind == "decoder" and source.sampler is not None:
        return source.sampler.latents(noise_NZ)
    return noise_NZ


def _compare(expected: NDArray[Any], found: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Return the absolute differences, or raise FaceaeError where they are too large."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        raise _differs(
            where,
            f"it returns {found.dtype} {found.shape} where the model returns {expected.dtype} "
            f"{expected.shape}",
        )
    errors: NDArray[np.float64] = np.abs(found.astype(np.float64) - expected)
    limit = MAX_LEVEL_ERROR if expected.dtype == np.uint8 else MAX_FLOAT_ERROR
    if not errors.max() <= limit:  # a NaN is no agreement either
        raise _differs(where, f"values differ by up to {errors.max():.3g}, allowed are {limit:g}")
    share = np.count_nonzero(errors) / errors.size
    if expected.dtype == np.uint8 and share > MAX_SHARE_OFF:
        raise _differs(where, f"{share:.1%} of the values differ, allowed are {MAX_SHARE_OFF:.0%}")
    return errors


def _differs(where: str, what: str) -> FaceaeError:
    return FaceaeError(
        f"the exported file does not compute what the model does ({where}): {what}; it was not "
        "kept; report this with the output of `faceae doctor --json`"
    )
