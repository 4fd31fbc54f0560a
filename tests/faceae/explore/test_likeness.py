"""The space in which alike faces are close."""

import numpy as np
import pytest

from faceae.explore import LikenessSpace


def test_a_loud_direction_does_not_hide_the_others() -> None:
    """Pairs share all quiet directions and differ in a loud one, such as the background."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(200, 20))
    first, second = (
        np.concatenate([30 * rng.normal(size=(200, 1)), people], axis=1) for _ in range(2)
    )
    space = LikenessSpace(np.concatenate([first, second]))
    cosines = space.extract(first) @ space.extract(second).T
    assert float((cosines.argmax(dim=1).numpy() == np.arange(200)).mean()) > 0.95
    plain = ((first[:, None] - second) ** 2).sum(axis=2)
    assert (plain.argmin(axis=1) == np.arange(200)).mean() < 0.5


def test_features_are_of_length_1_and_ignore_how_unusual_a_face_is() -> None:
    latents = np.random.default_rng(0).normal(size=(100, 8)) + 5
    space = LikenessSpace(latents)
    features = space.extract(latents)
    assert features.shape == (100, 8)
    np.testing.assert_allclose(features.norm(dim=1), 1, rtol=1e-5)
    mean = latents.mean(axis=0)
    np.testing.assert_allclose(space.extract(mean + 2 * (latents - mean)), features, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_faces_and_constant_latents(count: int) -> None:
    latents = np.ones((count, 8))
    latents[:, 0] = range(count)
    assert np.isfinite(LikenessSpace(latents).extract(latents).numpy()).all()
