"""Does the written file compute what the model does?"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.latent import latent_noise
from faceae.model import to_float
from faceae.runs import TrainedModel

from ._metadata import Kind
from .graph import Network, build_module
from .sessions import Session

BATCH_SIZES = (1, 7, 64)
"""Faces, of a morph frames: one, an odd number, and more than was traced, to show a frozen size."""
TRUNCATION = 0.7
"""Of the generator: with 1, a file that leaves it out would pass."""

MAX_FLOAT_ERROR = 1e-4
"""Of faces in [-1, 1] a hundredth of the distance of two pixel values; of latents for each unit of
the largest."""
MAX_LEVEL_ERROR = 1
"""Of uint8 pictures: a value next to a half may round either way..."""
MAX_SHARE_OFF = 0.01
"""... which concerns at most this share of the values."""

CALIBRATED: tuple[Kind, ...] = ("decoder", "generator")
"""What begins with latents, which can be drawn in any number."""

_SEED = 20_011
"""Of the inputs files are checked on."""
_CALIBRATION_SEED = 20_012
_CALIBRATION_BATCHES = 16
_CALIBRATION_BATCH = 32
_LOCATE_FACES = 7


ERROR_UNITS: dict[Kind, str] = {
    "decoder": "of faces in [-1, 1]",
    "generator": "levels of 255",
    "encoder": "of latents",
    "autoencoder": "levels of 255",
    "morph": "levels of 255",
}


@dataclass(frozen=True, kw_only=True)
class BatchParity:
    """How far a file's results are from the model's, at one batch size."""

    batch_size: int
    """Faces, of a morph frames."""
    max_error: float
    """In `ERROR_UNITS`."""
    mean_error: float
    psnr_db: float | None
    """None: nothing differs. The peak is the range of the values, of latents as the model gave
    them."""
    seconds: float
    """One run of the file, the first at this batch size."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far a file's results are from the model's."""

    batches: tuple[BatchParity, ...]

    @property
    def num_faces(self) -> int:
        """Faces compared."""
        return sum(batch.batch_size for batch in self.batches)

    @property
    def max_error(self) -> float:
        """In `ERROR_UNITS`."""
        return max(batch.max_error for batch in self.batches)

    @property
    def psnr_db(self) -> float | None:
        """Of the worst batch; None: nothing differs."""
        return min(
            (batch.psnr_db for batch in self.batches if batch.psnr_db is not None), default=None
        )


def check_parity(
    source: TrainedModel, written: Network, session: Session, *, least_psnr_db: float | None = None
) -> Parity:
    """Run the model and its file on the same fresh inputs, at several batch sizes, and compare.

    Args:
        written: what was written, with a layer for each of the model's.
        session: runs the file, each batch as a whole.
        least_psnr_db: instead of differing by no more than float32 rounds, be at least this close.

    Raises:
        FaceaeError: they differ by more; says from which layer on.
    """
    model = Network.of(source.model)
    reference = build_module(source, session.info.kind, model)
    batches: list[BatchParity] = []
    for batch_size in BATCH_SIZES:
        start = sum(batch.batch_size for batch in batches)
        inputs = make_inputs(session.info.kind, source, start, batch_size)
        with torch.inference_mode():
            expected = reference(*map(torch.from_numpy, inputs)).numpy()
        began = time.perf_counter()
        found = session.run(*inputs)
        seconds = time.perf_counter() - began
        problem = _find_problem(expected, found, least_psnr_db)
        if problem is not None:
            start_of_it = _locate(source, model, written, session)
            raise FaceaeError(
                f"the exported file does not compute what the model does ({session.engine}, batch "
                f"{batch_size}): {problem}; {start_of_it}; it was not kept; "
                "report this with the output of `faceae doctor --json`"
            )
        errors, psnr_db = _errors(expected, found), _psnr_db(expected, found)
        if least_psnr_db is not None and psnr_db is not None and psnr_db < least_psnr_db:
            raise FaceaeError(
                f"--precision {session.info.precision}: PSNR is {psnr_db:.1f} dB against float32 "
                f"({session.engine}, batch {batch_size}), where {least_psnr_db:g} are asked for; "
                "it was not kept; --force keeps it"
            )
        batches.append(
            BatchParity(
                batch_size=batch_size,
                max_error=float(errors.max()),
                mean_error=float(errors.mean()),
                psnr_db=psnr_db,
                seconds=seconds,
            )
        )
    return Parity(batches=tuple(batches))


def make_calibration(kind: Kind, source: TrainedModel) -> list[tuple[NDArray[Any], ...]]:
    """Return batches of inputs like those that files are checked on, and none of them.

    The generator's are not truncated: a scale must hold the rarest faces.
    """
    batches = []
    for number in range(_CALIBRATION_BATCHES):
        start = number * _CALIBRATION_BATCH
        size = source.model.config.latent_size
        noise_NZ = latent_noise(_CALIBRATION_SEED, start, _CALIBRATION_BATCH, size)
        batches.append(_from_noise(kind, source, noise_NZ, truncation=1))
    return batches


def make_inputs(
    kind: Kind, source: TrainedModel, start: int, count: int
) -> tuple[NDArray[Any], ...]:
    """Return fresh inputs for `count` faces, of a morph `count` frames; numbers have the shape ().

    Latents are drawn from the fitted distribution where there is one, pictures are noise.
    """
    if kind in CALIBRATED:
        noise_NZ = latent_noise(_SEED, start, count, source.model.config.latent_size)
        return _from_noise(kind, source, noise_NZ, TRUNCATION)
    size = source.model.config.image_size
    rng = np.random.default_rng([_SEED, start])
    num_images = 2 if kind == "morph" else count
    images_NHWC = rng.integers(0, 256, (num_images, size, size, 3), np.uint8)
    return (images_NHWC, np.array(count)) if kind == "morph" else (images_NHWC,)


def _from_noise(
    kind: Kind, source: TrainedModel, noise_NZ: NDArray[np.float32], truncation: float
) -> tuple[NDArray[Any], ...]:
    if kind == "generator":
        return noise_NZ, np.array(truncation, np.float32)
    return (noise_NZ if source.sampler is None else source.sampler.latents(noise_NZ),)


def _find_problem(
    expected: NDArray[Any], found: NDArray[Any], least_psnr_db: float | None
) -> str | None:
    """Return what is too different, or None."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return (
            f"it returns {found.dtype} {found.shape} where the model returns {expected.dtype} "
            f"{expected.shape}"
        )
    errors = _errors(expected, found)
    is_uint8 = expected.dtype == np.uint8
    limit = MAX_LEVEL_ERROR if is_uint8 else _float_limit(float(np.abs(expected).max()))
    if least_psnr_db is not None:
        return None if np.isfinite(errors).all() else "values are not finite"
    if not errors.max() <= limit:  # a NaN is no agreement either
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


@torch.inference_mode()
def _locate(source: TrainedModel, model: Network, written: Network, session: Session) -> str:
    """Say where the difference starts, by running the model and what was written of it in torch,
    layer by layer."""
    kind = session.info.kind
    layers = model.layers(kind)
    first = layers[0] is model.encoder[0]
    (inputs,) = make_inputs("encoder" if first else "decoder", source, 0, _LOCATE_FACES)
    maps = torch.from_numpy(inputs)
    expected = found = to_float(maps.permute(0, 3, 1, 2)) if first else maps[:, :, None, None]
    for number, (layer, other) in enumerate(zip(layers, written.layers(kind), strict=True), 1):
        dtype = next(other.parameters()).dtype
        expected, found = layer(expected), other(found.to(dtype)).float()
        limit = _float_limit(float(expected.abs().max()))
        if dtype != torch.float32:
            limit = math.inf  # only shapes, and values that are no numbers
        if found.shape != expected.shape or not (found - expected).abs().max() <= limit:
            conv = layer.get_submodule("0")
            return f"the difference starts in layer {number} of {len(layers)}, {conv}"
    return f"the layers agree in torch, so it starts in writing the file or in {session.engine}"
