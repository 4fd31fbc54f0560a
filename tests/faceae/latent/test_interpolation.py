"""Ways through latents: lines, arcs, and arcs in the prior's noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.latent import (
    Interpolation,
    LatentMoments,
    NormalSampler,
    Sampler,
    interpolate,
    interpolate_square,
    latent_noise,
)

Z = 8


def make_sampler(rank: int = Z) -> NormalSampler:
    """Of latents that lie around 3, in `rank` directions of different variance."""
    rng = np.random.default_rng(0)
    moments = LatentMoments(Z)
    moments.update(rng.normal(size=(200, rank)) * np.arange(1, rank + 1) @ np.eye(rank, Z) + 3)
    return moments.normal_prior(weights_hash="", dataset_hash="").sampler()


def make_latents(count: int) -> NDArray[np.float32]:
    return make_sampler().latents(latent_noise(0, 0, count, Z))


def distances(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(np.diff(latents, axis=0), axis=1)
    return lengths


def test_a_line_is_even_and_includes_both_ends_exactly() -> None:
    ends = make_latents(2)
    way = interpolate(ends, 7)
    assert (way.shape, way.dtype) == ((7, Z), np.float32)
    assert np.array_equal(way[[0, -1]], ends)
    step = np.tile((ends[1] - ends[0]) / 6, (6, 1))
    np.testing.assert_allclose(np.diff(way, axis=0), step, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["linear", "spherical", "prior"])
@pytest.mark.parametrize("ease", [False, True])
@pytest.mark.parametrize("frames", [4, 5, 31])
def test_every_face_of_a_chain_is_a_frame(
    interpolation: Interpolation, ease: bool, frames: int
) -> None:
    latents = make_latents(4)
    way = interpolate(
        latents, frames, interpolation=interpolation, ease=ease, sampler=make_sampler()
    )
    assert (way.shape, way.dtype) == ((frames, Z), np.float32)
    places = [int(np.flatnonzero((way == latent).all(axis=1))[0]) for latent in latents]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == frames - 1
    assert np.ptp(np.diff(places)) <= 1


def test_ease_starts_and_ends_slowly() -> None:
    even, eased = (distances(interpolate(make_latents(2), 21, ease=ease)) for ease in (False, True))
    assert eased[0] < even[0] / 4
    assert eased[-1] < even[-1] / 4
    assert eased[10] > even[10]


def test_an_arc_keeps_the_distance_to_the_origin() -> None:
    ends = np.eye(2, Z, dtype=np.float32) * 3
    arc = interpolate(ends, 9, interpolation="spherical")
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), 3, rtol=1e-5)
    np.testing.assert_allclose(distances(arc), distances(arc)[0], rtol=1e-4)
    line = interpolate(ends, 9)
    assert np.linalg.norm(line[4]) < 2.2


def test_an_arc_between_parallel_or_no_vectors_is_a_line() -> None:
    one = np.ones(Z, np.float32)
    for end in (one, 2 * one, -one, 0 * one):
        ends = np.stack([one, end])
        arc = interpolate(ends, 5, interpolation="spherical")
        np.testing.assert_allclose(arc, interpolate(ends, 5), atol=1e-5)


def test_the_way_along_the_prior_keeps_the_noise_as_long_as_it_is() -> None:
    sampler, latents = make_sampler(), make_latents(2)
    way = interpolate(latents, 9, interpolation="prior", sampler=sampler)
    lengths = np.linalg.norm(sampler.noise(way), axis=1)
    ends = np.linalg.norm(sampler.noise(latents), axis=1)
    np.testing.assert_allclose(lengths, np.linspace(*ends, 9), rtol=1e-3)


def test_the_prior_without_variance_in_some_directions() -> None:
    """There the way is a line, so that it still includes both ends."""
    sampler, ends = make_sampler(rank=3), make_latents(2)
    way = interpolate(ends, 5, interpolation="prior", sampler=sampler)
    assert np.array_equal(way[[0, -1]], ends)
    np.testing.assert_allclose(way[:, 3:], interpolate(ends, 5)[:, 3:], atol=1e-4)


@pytest.mark.parametrize("interpolation", ["linear", "spherical", "prior"])
def test_a_square_has_the_four_in_its_corners(interpolation: Interpolation) -> None:
    corners, sampler = make_latents(4), make_sampler()
    square = interpolate_square(corners, 5, interpolation=interpolation, sampler=sampler)
    assert (square.shape, square.dtype) == ((25, Z), np.float32)
    assert np.array_equal(square[[0, 4, 20, 24]], corners)
    if interpolation == "linear":
        np.testing.assert_allclose(square[12], corners.mean(axis=0), atol=1e-5)


class _Other(Sampler):
    module = None  # type: ignore[assignment]


def test_refusals() -> None:
    ends = make_latents(4)
    with pytest.raises(FaceaeError, match="at least two faces, got 1"):
        interpolate(ends[:1], 5)
    with pytest.raises(FaceaeError, match=r"`frames` must be at least 4.* got 3"):
        interpolate(ends, 3)
    with pytest.raises(FaceaeError, match=r"`grid` needs four faces.* got 2"):
        interpolate_square(ends[:2], 5)
    with pytest.raises(FaceaeError, match="`frames` must be at least 2, got 1"):
        interpolate_square(ends, 1)
    for sampler in (None, _Other()):
        with pytest.raises(FaceaeError, match="`prior='normal'`"):
            interpolate(ends, 5, interpolation="prior", sampler=sampler)
