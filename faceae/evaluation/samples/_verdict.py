"""What the figures of new faces mean, in words."""

from collections.abc import Iterator

from ._quality import SampleQuality
from ._record import SampleRecord
from ._textures import TextureSpace

_EXCESSES = (
    (1.5, "as good as photographs by these measures"),
    (4.0, "close to photographs"),
    (12.0, "recognisable as faces, with visible faults"),
    (35.0, "far from photographs"),
)
"""What the Fréchet distance in the built-in space, less that of held-out photographs, looks like
up to a limit. It hardly depends on the number of faces. In benchmarks/results/feature_space.json,
reconstructions by 1,024 principal components exceed the floor by about 3, halves of two people
glued together by 4, faces of a variational model by 23, and noise with the covariance of faces by
65."""

_BLURRED, _NOISY = 0.6, 1.3
_LITTLE, _SOME = 0.3, 0.7
_COPIED = 0.05


def describe_quality(record: SampleRecord) -> str:
    """Return one sentence on new faces: how close to photographs, and which faults they have."""
    new_faces, photographs = record.new_faces, record.photographs
    ratio = new_faces.frechet_distance / max(photographs.frechet_distance, 1e-12)
    distance = f"{ratio:.1f} times the distance of held-out photographs"
    excess = new_faces.frechet_distance - photographs.frechet_distance
    if record.space == TextureSpace().name:
        words = next((text for most, text in _EXCESSES if excess <= most), "unlike photographs")
        distance = f"{words} ({distance})"
    else:
        distance = f"at {distance}"
    faults = "".join(f"; {fault}" for fault in _find_faults(new_faces, photographs))
    return f"The new faces are {distance}{faults}."


def _find_faults(new_faces: SampleQuality, photographs: SampleQuality) -> Iterator[str]:
    if new_faces.sharpness < _BLURRED:
        yield f"they are blurred (sharpness {new_faces.sharpness:.2f})"
    elif new_faces.sharpness > _NOISY:
        yield f"they are noisy (sharpness {new_faces.sharpness:.2f})"
    variety = new_faces.recall / max(photographs.recall, 1e-12)
    if variety < _SOME:
        amount = "little" if variety < _LITTLE else "some"
        yield (
            f"they show {amount} of the variety of photographs (recall {new_faces.recall:.2f} "
            f"against {photographs.recall:.2f})"
        )
    if new_faces.copied_share > max(_COPIED, 2 * photographs.copied_share):
        yield f"{new_faces.copied_share:.0%} of them look copied from training faces"
    else:
        yield "there is no sign of copied training faces"
