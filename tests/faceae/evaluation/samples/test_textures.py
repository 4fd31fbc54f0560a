"""The built-in feature space: its numbers are fixed, whatever the batch and the picture's size."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceae.evaluation.samples import TextureSpace

TINY = 2e-4


def to_images(images_NHWC: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)


def test_features_never_change() -> None:
    """Other numbers need another version of the space: recorded figures would not compare."""
    ramp = np.arange(64 * 64 * 3).reshape(1, 64, 64, 3) * 7 % 251
    features = TextureSpace().extract(to_images(ramp.astype(np.uint8)))[0]
    assert TextureSpace().name.version == "1"
    np.testing.assert_allclose(features[:4], [3.29400, 1.81904, 0.05795, 9.48316], atol=TINY)


def test_a_face_does_not_depend_on_its_batch(held_out: NDArray[np.uint8]) -> None:
    space = TextureSpace()
    together = space.extract(to_images(held_out[:5]))
    alone = torch.cat([space.extract(to_images(held_out[i : i + 1])) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=TINY)


def test_pictures_of_another_size_are_scaled(held_out: NDArray[np.uint8]) -> None:
    space = TextureSpace()
    twice = np.stack([cv2.resize(image, (128, 128)) for image in held_out[:50]])
    given, scaled = space.extract(to_images(held_out[:50])), space.extract(to_images(twice))
    spread = torch.pdist(given).median()
    assert (given - scaled).norm(dim=1).median() < 0.5 * spread


def test_brightness_changes_colours_only(held_out: NDArray[np.uint8]) -> None:
    """Filters are blind to brightness: a flat picture has the energies of any other flat one."""
    flat = torch.stack([torch.full((3, 64, 64), value, dtype=torch.uint8) for value in (0, 255)])
    first, second = TextureSpace().statistics(flat.float() / 127.5 - 1)
    assert (first[:48] != second[:48]).all()
    torch.testing.assert_close(first[48:], second[48:], rtol=0, atol=1e-3)
