"""PSNR and SSIM of faces, and their ranking."""

import math

import numpy as np
import pytest
import torch

from faceae.data import Batch
from faceae.errors import FaceaeError
from faceae.evaluation import RankedFace, Score, measure_quality, take_faces
from faceae.model import to_float


def random_images(num_images: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (num_images, 3, 32, 32)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def with_padding(images: torch.Tensor) -> list[Batch]:
    """Batches of eight; what is missing in the last one, and one more batch, is padding."""
    last = images[8:]
    padding = images[:8]
    return [
        Batch(images[:8], 8),
        Batch(torch.cat([last, padding])[:8], len(last)),
        Batch(padding, 0),
    ]


def halve(images: torch.Tensor) -> torch.Tensor:
    return images / 2


def test_psnr_is_numpys_over_the_valid_faces() -> None:
    images = random_images(11)
    quality = measure_quality(halve, with_padding(images))
    x_NCHW = images.numpy() / 127.5 - 1
    errors = np.square(x_NCHW / 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(quality.image_psnrs_db, 10 * np.log10(4 / errors), atol=1e-4)
    assert quality.psnr_db == pytest.approx(10 * math.log10(4 / errors.mean()), abs=1e-4)
    score = Score.of(quality)
    assert score.psnr_db == quality.psnr_db
    assert score.mean_image_psnr_db == pytest.approx(np.mean(10 * np.log10(4 / errors)), abs=1e-4)


def test_ssim_of_flat_faces_is_the_papers_luminance_term() -> None:
    """Flat pictures have no contrast and no structure; c1 is (0.01 x 1)^2 for pixels in [0, 1]."""
    white = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)
    quality = measure_quality(lambda images: images - 1.0, [Batch(white, 2)])
    luminance = (2 * 1.0 * 0.5 + 0.01**2) / (1.0**2 + 0.5**2 + 0.01**2)
    np.testing.assert_allclose(quality.ssims, [luminance] * 2, atol=1e-5)


def test_ssim_of_equal_faces_is_one() -> None:
    quality = measure_quality(lambda images: images, [Batch(random_images(3), 3)])
    np.testing.assert_allclose(quality.ssims, 1.0, atol=1e-6)
    assert quality.psnr_db == math.inf


def test_ranking_starts_with_the_worst_and_keeps_the_order_of_equals() -> None:
    images = torch.full((4, 3, 32, 32), 255, dtype=torch.uint8)
    shift_N = torch.tensor([0.5, 1.0, 0.25, 1.0])[:, None, None, None]
    ranked = measure_quality(lambda faces: faces - shift_N, [Batch(images, 4)]).rank_faces()
    assert [face.index for face in ranked] == [1, 3, 0, 2]
    assert ranked[0] == RankedFace(index=1, psnr_db=pytest.approx(10 * math.log10(4)))


def test_what_is_not_finite_is_an_error() -> None:
    quality = measure_quality(lambda faces: faces * math.nan, [Batch(random_images(2), 2)])
    with pytest.raises(FaceaeError, match="not finite"):
        _ = quality.psnr_db


def test_float32_is_no_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    seen = []

    def note(images: torch.Tensor) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return to_float(images)

    measure_quality(note, [Batch(random_images(2), 2)])
    assert seen == [False]


@pytest.mark.parametrize("places", [[0, 10], [10, 3, 3, 9, 8, 7], [5]])
def test_faces_are_taken_in_the_order_asked_for(places: list[int]) -> None:
    images = random_images(11)
    taken = take_faces(with_padding(images), np.array(places))
    assert torch.equal(taken, images[places])


def test_taken_faces_are_contiguous() -> None:
    images = random_images(8).to(memory_format=torch.channels_last)
    assert take_faces([Batch(images, 8)], np.arange(4)).is_contiguous()
