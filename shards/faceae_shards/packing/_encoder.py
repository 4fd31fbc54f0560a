"""From an image file of the source to the images that a shard stores of it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._errors import ShardsError
from .._format import MANIFEST_NAME, Encoding
from ..dataset import PackOptions, read_dataset
from ..faces import (
    LANDMARK_NAMES,
    MAX_FACES,
    Face,
    Which,
    align_face,
    check_detector,
    find_faces,
    is_aligned_size,
    limit_to_one_core,
    measure_face,
    measure_roll,
)
from ..images import (
    DecodedImage,
    EncodedImage,
    ImageRefused,
    decode,
    encode_for_shard,
    encode_pixels,
)
from ..sources import WILD_FIELD
from ..storage import Location, open_storage
from ._config import PackConfig
from ._progress import NO_FACE

_MAX_ROLL_DEG = 60.0
"""Turn beyond which a face lies on its side or upside down."""
_LEAST_STEP = 0.5
"""Source pixels along a pixel of the face. A face with fewer is enlarged more than twofold."""


@dataclass(frozen=True, kw_only=True)
class EncodedSample:
    """One image to store."""

    image: EncodedImage
    fields: Mapping[str, Any]
    """The image's json, except for name, width and height."""
    face: int = 0
    """Number of the face in its picture."""
    enlarged: bool = False
    """Whether a face was enlarged more than twofold."""
    turned: bool = False
    """Whether a face lay on its side or upside down."""


class Encoder(Protocol):
    """Encodes image files. It can be pickled."""

    @property
    def encoding(self) -> Encoding:
        """Encoding of the images."""

    @property
    def keys_per_image(self) -> int:
        """Keys that are reserved for the samples of one file."""

    def limit_threads(self) -> AbstractContextManager[None]:
        """Keep libraries on one core during the block."""

    def encode(
        self, data: bytes, carried: dict[str, Any], annotations: dict[str, Any]
    ) -> list[EncodedSample]:
        """Return the images to store of one file, at least one.

        Args:
            data: the file.
            carried: fields that lie beside the image in the source.
            annotations: fields from CelebA's tables.

        Raises:
            ImageRefused: the file cannot be used.
        """


def make_encoder(config: PackConfig) -> Encoder:
    """Return the encoder that the options describe.

    Raises:
        ShardsError: the source is a damaged dataset.
    """
    if not config.align:
        return CentreEncoder(
            crop=config.crop,
            size=config.size,
            encoding=config.encoding,
            max_pixels=config.max_pixels,
        )
    assert config.kept_crop is not None
    return FaceEncoder(
        which=config.face,
        crop=config.kept_crop,
        size=config.size,
        encoding=config.encoding,
        max_pixels=config.max_pixels,
        is_source_described=not _is_cropped_dataset(config.source),
        opencv=check_detector(),
    )


def list_own_fields(config: PackConfig) -> tuple[str, ...]:
    """Return the fields that the encoder adds to the json of every sample."""
    if not config.align:
        return ()
    return ("landmarks", "face") if config.face == "all" else ("landmarks",)


@dataclass(frozen=True, kw_only=True)
class CentreEncoder:
    """Keeps the centre of each picture."""

    crop: int | None
    size: int | None
    encoding: Encoding
    max_pixels: int
    keys_per_image: int = 1

    def limit_threads(self) -> AbstractContextManager[None]:
        """Do nothing: simplejpeg and Pillow use one core."""
        return nullcontext()

    def encode(
        self, data: bytes, carried: dict[str, Any], annotations: dict[str, Any]
    ) -> list[EncodedSample]:
        """See `Encoder`."""
        image = encode_for_shard(
            data,
            crop=self.crop,
            size=self.size,
            encoding=self.encoding,
            max_pixels=self.max_pixels,
        )
        return [EncodedSample(image=image, fields={**carried, **annotations})]


@dataclass(frozen=True, kw_only=True)
class FaceEncoder:
    """Keeps the aligned faces of each picture."""

    which: Which
    crop: int
    size: int | None
    encoding: Encoding
    max_pixels: int
    is_source_described: bool
    """Whether landmarks and boxes that lie beside an image are in that image's pixels."""
    opencv: str
    """Version that every process must have."""

    @property
    def keys_per_image(self) -> int:
        """Keys that are reserved for the faces of one file."""
        return MAX_FACES if self.which == "all" else 1

    def limit_threads(self) -> AbstractContextManager[None]:
        """Limit OpenCV, after a check of its version."""
        version = check_detector()
        if version != self.opencv:
            raise ShardsError(
                f"this machine has OpenCV {version}, but the one where faceae was started has "
                f"{self.opencv}; install the same version on all machines"
            )
        return limit_to_one_core()

    def encode(
        self, data: bytes, carried: dict[str, Any], annotations: dict[str, Any]
    ) -> list[EncodedSample]:
        """See `Encoder`."""
        decoded = decode(data, max_pixels=self.max_pixels)
        landmarks, box = self._choose_known(decoded, carried, annotations)
        faces = _find_faces(decoded.image_HWC, self.which, landmarks, box)
        if not faces:
            height, width, _ = decoded.image_HWC.shape
            raise ImageRefused(NO_FACE, f"in {width}x{height} pixels")
        fields = {**carried, **annotations}
        fields.pop(WILD_FIELD, None)
        return [
            self._encode_face(decoded, face, number, fields) for number, face in enumerate(faces)
        ]

    def _choose_known(
        self, decoded: DecodedImage, carried: dict[str, Any], annotations: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, list[float] | None]:
        """Return the landmarks and the box that the source brings, in the image's pixels.

        CelebA's tables tell aligned pictures and photographs in the wild apart by name; here their
        size does. A box of zeros stands for none. A picture that EXIF turns is none of CelebA's,
        and readers differ on whether coordinates beside it are those of the turned picture.
        """
        if decoded.is_turned or not self.is_source_described:
            return None, None
        is_aligned = is_aligned_size(decoded.image_HWC)
        table = annotations.get("landmarks" if is_aligned else WILD_FIELD)
        landmarks = _read_landmarks(table or carried.get("landmarks"))
        box = carried.get("box") if is_aligned else annotations.get("box", carried.get("box"))
        return landmarks, box if isinstance(box, list) and len(box) == 4 and any(box) else None

    def _encode_face(
        self, decoded: DecodedImage, face: Face, number: int, fields: dict[str, Any]
    ) -> EncodedSample:
        image_HWC = align_face(decoded.image_HWC, face.landmarks, crop=self.crop, size=self.size)
        height, width, _ = image_HWC.shape
        image = EncodedImage(
            data=encode_pixels(image_HWC, self.encoding),
            height=height,
            width=width,
            converted=decoded.plain is None,
            repaired=decoded.is_repaired,
            profile_ignored=decoded.is_profile_ignored,
        )
        points = np.round(face.landmarks, 1).tolist()
        own = {"landmarks": dict(zip(LANDMARK_NAMES, points, strict=True)), "face": number}
        if self.which != "all":
            del own["face"]
        step = measure_face(face, crop=self.crop, size=self.size)
        return EncodedSample(
            image=image,
            fields={**fields, **own},
            face=number,
            enlarged=step < _LEAST_STEP,
            turned=measure_roll(face) > _MAX_ROLL_DEG,
        )


def _find_faces(
    image_HWC: NDArray[np.uint8],
    which: Which,
    landmarks: dict[str, Any] | None,
    box: list[float] | None,
) -> list[Face]:
    """Return faces by landmarks or a box, or by detection where these lie outside the picture."""
    if landmarks is not None or box is not None:
        try:
            faces = find_faces(image_HWC, landmarks=landmarks, box=box)
        except ShardsError:
            raise
        except (TypeError, ValueError) as error:
            raise ImageRefused("bad landmarks", str(error)) from error
        if _lies_inside(faces[0], image_HWC):
            return faces
    return find_faces(image_HWC, which=which)


def _lies_inside(face: Face, image_HWC: NDArray[np.uint8]) -> bool:
    middle = face.landmarks.mean(axis=0)
    return bool((middle >= 0).all() and (middle < image_HWC.shape[1::-1]).all())


def _read_landmarks(value: Any) -> dict[str, Any] | None:
    """Return five landmarks by name, from an object or a list of points; None for any other."""
    if isinstance(value, list) and len(value) == len(LANDMARK_NAMES):
        return dict(zip(LANDMARK_NAMES, value, strict=True))
    if isinstance(value, dict) and set(value) == set(LANDMARK_NAMES):
        return value
    return None


def _is_cropped_dataset(source: Location) -> bool:
    """Return whether a source is a dataset of ours whose images were cropped, scaled or aligned.

    Their landmarks and boxes are in the pixels of the pictures before that.
    """
    if open_storage(source).size(MANIFEST_NAME) is None:
        return False
    config = read_dataset(source).manifest.config
    is_as_photographed = isinstance(config, PackOptions) and config.crop is config.size is None
    return not is_as_photographed
