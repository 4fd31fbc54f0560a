"""Ways from one latent to another.

Shapes: N latents, K given latents, Z latent size.
"""

import itertools
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError

from ._normal import NormalSampler
from ._prior import Sampler

Interpolation = Literal["linear", "spherical", "prior"]
"""linear: straight lines. spherical: arcs around the origin of the latent space. prior: arcs around
the average face, in the noise of a normal prior, which keeps faces as distinct as drawn ones."""

_MIN_SINE = 1e-4
"""Vectors that are closer to parallel than this are joined by a line."""


def interpolate(
    latents: NDArray[np.float32],
    frames: int,
    *,
    interpolation: Interpolation = "linear",
    ease: bool = False,
    sampler: Sampler | None = None,
) -> NDArray[np.float32]:
    """Return latents on the way through K given ones, frames x Z float32.

    Each given latent is one of the frames, unchanged. Between two of them the frames are evenly
    spaced, and the steps have equal numbers of frames, or nearly so.

    Args:
        latents: K x Z, at least two.
        frames: at least K.
        interpolation: see `Interpolation`.
        ease: begin and end each step slowly.
        sampler: of the model's prior; only `interpolation='prior'` needs it.

    Raises:
        FaceaeError: fewer than two latents or fewer frames than latents, or the prior is not a
            normal one.
    """
    if len(latents) < 2:
        raise FaceaeError(f"a morph needs at least two faces, got {len(latents)}")
    if frames < len(latents):
        raise FaceaeError(
            f"`frames` must be at least {len(latents)}, one for each face, got {frames}"
        )
    keys_K = np.linspace(0, frames - 1, len(latents)).round().astype(int)
    parts = []
    for index, (first, stop) in enumerate(itertools.pairwise(keys_K)):
        share_N = _shares(stop - first + 1, ease)[:-1]
        parts.append(blend(latents[index], latents[index + 1], share_N, interpolation, sampler))
    return np.concatenate([*parts, latents[-1:]])


def interpolate_square(
    corners: NDArray[np.float32],
    side: int,
    *,
    interpolation: Interpolation = "linear",
    sampler: Sampler | None = None,
) -> NDArray[np.float32]:
    """Return a square of latents between four, side^2 x Z float32, row after row.

    The linear interpolation is bilinear. Otherwise the left and the right column are ways between
    corners, and each row is a way between both.

    Args:
        corners: 4 x Z: top left, top right, bottom left, bottom right.
        side: latents in a row, at least 2.

    Raises:
        FaceaeError: other numbers of corners or latents, or the prior is not a normal one.
    """
    if len(corners) != 4:
        raise FaceaeError(f"`grid` needs four faces, one for each corner, got {len(corners)}")
    if side < 2:
        raise FaceaeError(f"`frames` must be at least 2, got {side}")
    share_N = _shares(side, ease=False)
    left, right = (
        blend(corners[top], corners[top + 2], share_N, interpolation, sampler) for top in (0, 1)
    )
    rows = [blend(*ends, share_N, interpolation, sampler) for ends in zip(left, right, strict=True)]
    return np.concatenate(rows)


def blend(
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    share_N: NDArray[np.float32],
    interpolation: Interpolation,
    sampler: Sampler | None,
) -> NDArray[np.float32]:
    """Return latents at some shares of the way between two, N x Z float32.

    Args:
        start, end: Z each; returned unchanged at share 0 and 1.
        share_N: 0 to 1.

    Raises:
        FaceaeError: the prior is not a normal one.
    """
    if interpolation == "linear":
        return _follow_line(start, end, share_N)
    if interpolation == "spherical":
        z_NZ = _follow_arc(start, end, share_N)
    else:
        if not isinstance(sampler, NormalSampler):
            raise FaceaeError(
                "`interpolation='prior'` needs a normal distribution of the latents; run "
                "`faceae fit` with `prior='normal'`"
            )
        ends_2Z = np.stack([start, end])
        noise_2Z = sampler.noise(ends_2Z)
        rest_2Z = ends_2Z - sampler.latents(noise_2Z)  # in directions without variance
        z_NZ = sampler.latents(_follow_arc(noise_2Z[0], noise_2Z[1], share_N))
        z_NZ += _follow_line(rest_2Z[0], rest_2Z[1], share_N)
    z_NZ[share_N == 0], z_NZ[share_N == 1] = start, end
    return z_NZ


def _shares(count: int, ease: bool) -> NDArray[np.float32]:
    share_N = np.linspace(0, 1, count, dtype=np.float32)
    return share_N * share_N * (3 - 2 * share_N) if ease else share_N


def _follow_line(
    start: NDArray[np.float32], end: NDArray[np.float32], share_N: NDArray[np.float32]
) -> NDArray[np.float32]:
    share_N1 = share_N[:, None]
    z_NZ: NDArray[np.float32] = (1 - share_N1) * start + share_N1 * end
    return z_NZ


def _follow_arc(
    start: NDArray[Any], end: NDArray[Any], share_N: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return points of the arc, by Shoemake (1985), whose length changes evenly."""
    a_Z, b_Z = start.astype(np.float64), end.astype(np.float64)
    length_a, length_b = float(np.linalg.norm(a_Z)), float(np.linalg.norm(b_Z))
    cosine = float(a_Z @ b_Z) / max(length_a * length_b, 1e-12)
    angle = math.acos(min(max(cosine, -1), 1))
    if min(length_a, length_b) == 0 or math.sin(angle) < _MIN_SINE:
        return _follow_line(start, end, share_N)
    share_N1 = share_N[:, None].astype(np.float64)
    direction_NZ = (
        np.sin((1 - share_N1) * angle) * a_Z / length_a + np.sin(share_N1 * angle) * b_Z / length_b
    ) / math.sin(angle)
    length_N1 = (1 - share_N1) * length_a + share_N1 * length_b
    z_NZ: NDArray[np.float32] = (length_N1 * direction_NZ).astype(np.float32)
    return z_NZ
