"""The figures of a set of new faces.

Shapes: N faces, H and W pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError

from ._distances import frechet_distance, kernel_distance
from ._face_set import FaceSet, describe_array
from ._neighbours import find_train_neighbours, measure_overlap, share_of_copies
from ._space import FeatureSpace
from ._textures import TextureSpace


@dataclass(frozen=True, kw_only=True)
class SampleQuality:
    """How close a set of faces is to photographs of the training split.

    The floor of each figure is that of held-out photographs, whose people are not in training.
    """

    num_images: int
    """Faces of the set, and photographs it is compared with."""
    frechet_distance: float
    """0 is best. Depends on the number of faces; see `frechet_distance`."""
    kernel_distance: float
    """0 is best. Does not depend on the number of faces."""
    precision: float
    """Share of the faces that lie within the photographs, 0 to 1."""
    recall: float
    """Share of the photographs that lie within the faces, 0 to 1."""
    density: float
    """About 1 for photographs; above it for faces that crowd where photographs are frequent."""
    coverage: float
    """Share of the photographs that have a face in their neighbourhood, 0 to 1."""
    sharpness: float
    """Power of wavelengths of at most 5 pixels relative to held-out photographs, whose value is 1.
    Blurred faces are below, noisy ones above."""
    nearest_train: float
    """Median distance to the nearest training face, relative to that of held-out photographs."""
    copied_share: float
    """Share of the faces that are nearer to one training face, relative to its neighbours, than
    99 % of the held-out photographs are. About 0.01 where nothing was memorised."""


def measure_samples(
    samples: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    train: NDArray[np.uint8],
    space: FeatureSpace | None = None,
) -> SampleQuality:
    """Measure new faces against photographs. The same arrays give the same figures.

    `measure_samples(held_out, held_out, train)` returns the floor: the figures of photographs of
    other people.

    Args:
        samples: new faces, N x H x W x 3 uint8, RGB.
        held_out: photographs the model has not seen, of the same size in pixels.
        train: photographs it was trained on. The samples are compared with a random choice of as
            many of them, and with all of them to find copies.
        space: feature space. None: `TextureSpace()`.

    Raises:
        FaceaeError: an array has another shape or type, the sizes differ, or one has too few faces.
    """
    space = space or TextureSpace()
    sizes = {name: a.shape[1:3] for name, a in (("held_out", held_out), ("train", train))}
    for name, size in sizes.items():
        if size != samples.shape[1:3]:
            raise FaceaeError(
                f"`samples` are of {samples.shape[1:3]} pixels and `{name}` of {size}; scale them "
                "to one size"
            )
    sets = {"held_out": held_out, "train": train, "samples": samples}
    described = {name: describe_array(name, images, space) for name, images in sets.items()}
    return compare_faces(**described)


def compare_faces(*, samples: FaceSet, held_out: FaceSet, train: FaceSet) -> SampleQuality:
    """Measure new faces against photographs, all of them described in one space.

    Raises:
        FaceaeError: a set has too few faces.
    """
    for name, faces in (("samples", samples), ("held_out", held_out), ("train", train)):
        check_count(name, len(faces), samples.space.size)
    count = min(len(samples), len(train))
    chosen, reference = samples.take(count).features, train.take(count).features
    overlap = measure_overlap(reference, chosen)
    near = find_train_neighbours(chosen, train.features)
    near_held_out = find_train_neighbours(held_out.features, train.features)
    median = float(near_held_out.nearest.median())
    return SampleQuality(
        num_images=count,
        frechet_distance=frechet_distance(reference, chosen),
        kernel_distance=kernel_distance(reference, chosen),
        precision=overlap.precision,
        recall=overlap.recall,
        density=overlap.density,
        coverage=overlap.coverage,
        sharpness=samples.fine_power / max(held_out.fine_power, 1e-12),
        nearest_train=float(near.nearest.median()) / max(median, 1e-12),
        copied_share=share_of_copies(near, near_held_out),
    )


def check_count(name: str, count: int, num_features: int) -> None:
    """Raise FaceaeError where `count` faces are too few for a covariance of their features."""
    if count <= num_features:
        raise FaceaeError(
            f"`{name}`: a covariance of {num_features:,} features needs at least "
            f"{num_features + 1:,} faces, got {count:,}"
        )
