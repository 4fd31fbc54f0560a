"""Draw the inputs that exported files are checked and calibrated on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceae.latent import latent_noise
from faceae.runs import TrainedModel

from ._metadata import EDITORS, Kind

CALIBRATED: tuple[Kind, ...] = ("decoder", "generator")
"""Kinds whose inputs are latents or noise, which can be drawn in any number."""
_FROM_NOISE: tuple[Kind, ...] = (*CALIBRATED, "sampler", "latent-editor")
TRUNCATION = 0.7
"""Truncation that a generator and a sampler are checked with. With 1, a file that ignores it would
pass."""

_SEED = 20_011
"""Seed of the inputs that files are checked on."""
_CALIBRATION_SEED = 20_012
_CALIBRATION_BATCHES = 16
_CALIBRATION_BATCH_SIZE = 32


def make_inputs(
    kind: Kind, trained: TrainedModel, start: int, count: int
) -> tuple[NDArray[Any], ...]:
    """Return inputs for `count` faces, or for `count` frames of a morph.

    Latents are drawn from the fitted distribution, or without one from the standard normal
    distribution. Pictures are uniform noise. Strengths are standard normal. An input that is a
    single number has the shape ().

    Args:
        start: number of the first face. Other faces give other inputs.
    """
    rng = np.random.default_rng([_SEED, start])
    if kind in _FROM_NOISE:
        noise_NZ = latent_noise(_SEED, start, count, trained.model.config.latent_size)
        inputs = _from_noise(kind, trained, noise_NZ, TRUNCATION)
        return (*inputs, _draw_strengths(trained, rng, count)) if kind in EDITORS else inputs
    size = trained.model.config.image_size
    num_images = 2 if kind == "morph" else count
    images_NHWC = rng.integers(0, 256, (num_images, size, size, 3), np.uint8)
    if kind == "editor":
        return images_NHWC, _draw_strengths(trained, rng, count)
    return (images_NHWC, np.array(count)) if kind == "morph" else (images_NHWC,)


def make_calibration(kind: Kind, trained: TrainedModel) -> list[tuple[NDArray[Any], ...]]:
    """Return batches of inputs of the same distribution as `make_inputs`, with another seed.

    A generator's truncation is 1, so that the calibrated ranges hold the rarest faces.

    Args:
        kind: one of `CALIBRATED`.
    """
    batches = []
    for number in range(_CALIBRATION_BATCHES):
        start = number * _CALIBRATION_BATCH_SIZE
        size = trained.model.config.latent_size
        noise_NZ = latent_noise(_CALIBRATION_SEED, start, _CALIBRATION_BATCH_SIZE, size)
        batches.append(_from_noise(kind, trained, noise_NZ, truncation=1))
    return batches


def _from_noise(
    kind: Kind, trained: TrainedModel, noise_NZ: NDArray[np.float32], truncation: float
) -> tuple[NDArray[Any], ...]:
    if kind in ("generator", "sampler"):
        return noise_NZ, np.array(truncation, np.float32)
    return (noise_NZ if trained.sampler is None else trained.sampler.latents(noise_NZ),)


def _draw_strengths(
    trained: TrainedModel, rng: np.random.Generator, count: int
) -> NDArray[np.float32]:
    assert trained.directions is not None
    return rng.standard_normal((count, len(trained.directions.found)), np.float32)
