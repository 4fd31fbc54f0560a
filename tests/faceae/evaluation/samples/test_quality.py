"""The figures react as people do to what is wrong with a set of pictures."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.evaluation.samples import SampleQuality, measure_samples


@pytest.fixture(scope="module")
def floor(
    others: NDArray[np.uint8], held_out: NDArray[np.uint8], train: NDArray[np.uint8]
) -> SampleQuality:
    """The figures of pictures of the same kind."""
    return measure_samples(others, held_out, train)


def test_pictures_of_the_same_kind(floor: SampleQuality) -> None:
    assert floor.num_images == 150
    assert abs(floor.kernel_distance) < 1.0
    assert floor.coverage > 0.9
    assert floor.sharpness == pytest.approx(1.0, abs=0.15)
    assert floor.nearest_train == pytest.approx(1.0, abs=0.1)
    assert floor.copied_share < 0.04


def test_noise_of_the_same_covariance_is_worst(
    floor: SampleQuality,
    others: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    train: NDArray[np.uint8],
) -> None:
    """A normal distribution fitted to the pixels, which no second-order statistic tells apart."""
    x = train.reshape(len(train), -1).astype(np.float64)
    random = np.random.default_rng(0)
    weights = random.standard_normal((150, len(x))) / np.sqrt(len(x))
    drawn = (weights @ (x - x.mean(0)) + x.mean(0)).clip(0, 255).round().astype(np.uint8)
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 1) for image in others])
    noise = measure_samples(drawn.reshape(-1, 64, 64, 3), held_out, train)
    soft = measure_samples(blurred, held_out, train)
    assert floor.frechet_distance < soft.frechet_distance < noise.frechet_distance
    assert noise.recall < 0.2
    assert soft.sharpness < 0.5


def test_training_pictures_are_copies(
    held_out: NDArray[np.uint8], train: NDArray[np.uint8]
) -> None:
    noise = np.random.default_rng(0).integers(-2, 3, train[:100].shape)
    samples = (train[:100].astype(int) + noise).clip(0, 255).astype(np.uint8)
    quality = measure_samples(samples, held_out, train)
    assert quality.copied_share > 0.9
    assert quality.nearest_train < 0.3


def test_same_arrays_give_the_same_figures(
    floor: SampleQuality,
    others: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    train: NDArray[np.uint8],
) -> None:
    assert measure_samples(others, held_out, train) == floor


@pytest.mark.parametrize("name", ["samples", "held_out", "train"])
@pytest.mark.parametrize("count", [0, 64])
def test_too_few_faces_name_the_parameter(
    name: str, count: int, held_out: NDArray[np.uint8], train: NDArray[np.uint8]
) -> None:
    sets = {"samples": held_out, "held_out": held_out, "train": train}
    sets[name] = sets[name][:count]
    with pytest.raises(FaceaeError, match=f"`{name}`"):
        measure_samples(**sets)


def test_floats_are_refused(held_out: NDArray[np.uint8], train: NDArray[np.uint8]) -> None:
    broken = np.full(held_out.shape, np.nan)
    with pytest.raises(FaceaeError, match="`samples` must hold uint8"):
        measure_samples(broken, held_out, train)  # type: ignore[arg-type]


def test_other_sizes_are_refused(held_out: NDArray[np.uint8], train: NDArray[np.uint8]) -> None:
    with pytest.raises(FaceaeError, match="`train`"):
        measure_samples(held_out, held_out, train[:, :32, :32])
