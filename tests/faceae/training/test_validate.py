"""PSNR of held-out faces."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from faceae.data import Batch
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, ModelConfig, to_float
from faceae.training import validate

CPU = torch.device("cpu")


class ListLoader:
    """Batches from a list, as an evaluation loader gives them."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def random_images(num_images: int) -> torch.Tensor:
    return torch.randint(0, 256, (num_images, 3, 32, 32), dtype=torch.uint8)


@pytest.fixture
def model() -> FaceAutoEncoder:
    torch.manual_seed(0)
    return FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=4))


def test_psnr_is_numpys_over_exactly_the_valid_rows(model: FaceAutoEncoder) -> None:
    images = random_images(11)
    padding = random_images(5)
    loader = ListLoader([Batch(images[:8], 8), Batch(torch.cat([images[8:], padding]), 3)])
    validation = validate(model, loader, CPU)
    with torch.inference_mode():
        faces = model.eval()(to_float(images)).numpy().astype(np.float64)
    originals = images.numpy() / 127.5 - 1
    expected = 10 * np.log10(4 / np.mean((faces - originals) ** 2))
    assert validation.psnr_db == pytest.approx(expected, abs=1e-4)
    assert validation.num_images == 11
    assert torch.equal(validation.originals, images)
    assert validation.reconstructions.shape == images.shape
    assert validation.reconstructions.dtype == torch.uint8


def test_a_batch_of_nothing_but_padding_counts_nothing(model: FaceAutoEncoder) -> None:
    images = random_images(8)
    with_padding = ListLoader([Batch(images, 8), Batch(random_images(8), 0)])
    without = validate(model, ListLoader([Batch(images, 8)]), CPU)
    assert validate(model, with_padding, CPU).psnr_db == without.psnr_db


def test_shows_the_first_sixteen(model: FaceAutoEncoder) -> None:
    images = random_images(24)
    validation = validate(model, ListLoader([Batch(part, 6) for part in images.split(6)]), CPU)
    assert torch.equal(validation.originals, images[:16])
    assert len(validation.reconstructions) == 16


def test_batch_norm_uses_its_running_means_and_the_mode_comes_back(model: FaceAutoEncoder) -> None:
    images = random_images(4)
    model.train()
    before = model.encoder[3].running_mean.clone()
    together = validate(model, ListLoader([Batch(images, 4)]), CPU)
    alone = validate(model, ListLoader([Batch(image[None], 1) for image in images]), CPU)
    assert together.psnr_db == pytest.approx(alone.psnr_db, abs=1e-5)
    assert torch.equal(model.encoder[3].running_mean, before)
    assert model.training
    validate(model.eval(), ListLoader([Batch(images, 4)]), CPU)
    assert not model.training


def test_perfect_reconstruction_is_infinite_decibels(
    model: FaceAutoEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "forward", lambda images: images)
    loader = ListLoader([Batch(random_images(2), 2)])
    assert validate(model, loader, CPU).psnr_db == math.inf


def test_broken_weights_are_an_error(model: FaceAutoEncoder) -> None:
    with torch.no_grad():
        model.decoder[-2].bias[0] = math.nan
    with pytest.raises(FaceaeError, match="not finite"):
        validate(model, ListLoader([Batch(random_images(2), 2)]), CPU)


def test_float32_is_no_tf32(model: FaceAutoEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    seen = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return images

    monkeypatch.setattr(model, "forward", forward)
    validate(model, ListLoader([Batch(random_images(2), 2)]), CPU)
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32


def test_callback_can_end_it_between_batches(model: FaceAutoEncoder) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    model.train()
    with pytest.raises(KeyboardInterrupt):
        validate(model, ListLoader([Batch(random_images(2), 2)]), CPU, stop)
    assert model.training
