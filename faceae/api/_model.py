"""A trained model, used from Python.

Shapes: N images, H and W pixels, S image size, Z latent size.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.device import DeviceName, full_float32, resolve_device
from faceae.editing import Directions, add_residual, find_far
from faceae.errors import FaceaeError
from faceae.framing import frame_face, read_face
from faceae.latent import Interpolation, Sampler, interpolate, latent_noise
from faceae.model import to_float, to_uint8, weights_hash
from faceae.runs import Run, open_run, read_run
from faceae_export import Session, generate_faces, open_model

log = logging.getLogger(__name__)

Image = str | Path | NDArray[np.uint8]
"""A photograph's path, or its pixels: H x W x 3 uint8, RGB."""

_BATCH = 64


def load(run: str | Path, *, device: DeviceName = "auto") -> "FaceModel":
    """Load the model of a run.

    Args:
        run: its folder.
        device: auto takes the GPU where there is one.

    Raises:
        FaceaeError: there is no run, it has no weights yet, or the device cannot be used.
    """
    return FaceModel(read_run(Path(run)), resolve_device(device))


class FaceModel:
    """A trained autoencoder. Images are N x H x W x 3 uint8, RGB, of any size, or paths."""

    def __init__(self, run: Run, device: torch.device) -> None:
        """Load the weights. Use `load`."""
        self._run = run
        self._device = device
        self._model = open_run(run, latents=False).model.to(device)

    @property
    def image_size(self) -> int:
        """Side in pixels of the square images the model makes."""
        return self._model.config.image_size

    @property
    def latent_size(self) -> int:
        """Numbers that describe one face."""
        return self._model.config.latent_size

    def encode(
        self, images: Image | Sequence[Image], *, align: bool | None = None
    ) -> NDArray[np.float32]:
        """Return the latents of images, N x Z float32.

        The largest face of a photograph is framed as the training faces were (needs
        `pip install 'faceae[align]'`): aligned as CelebA's, or upright, with eyes and mouth where
        unaligned training faces have them. Pictures of the size of the training crop, and for a
        model of aligned faces those of 178x218 pixels, are already framed: they are cut and scaled
        as the training images were. Pictures of the model's size are taken as they are.

        Args:
            images: one image or several: paths, or arrays H x W x 3 or N x H x W x 3.
            align: True: align as CelebA's, whatever the training faces were. False: take all
                pictures as framed.

        Raises:
            FaceaeError: a file is no picture, shows no face, or is smaller than the training crop;
                or an array has another type or shape.
        """
        return self._encode_all(self._prepare(images, align))

    def decode(self, latents: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return the faces of latents, N x S x S x 3 uint8, RGB.

        Args:
            latents: N x Z, or Z for one face.

        Raises:
            FaceaeError: another shape, or a value that is not finite.
        """
        z_NZ = np.atleast_2d(np.asarray(latents, np.float32))
        if z_NZ.ndim != 2 or z_NZ.shape[1] != self.latent_size:
            raise FaceaeError(
                f"`latents` must have the shape N x {self.latent_size}, got {z_NZ.shape}"
            )
        if not np.isfinite(z_NZ).all():
            raise FaceaeError("`latents` must be finite numbers")
        batches = [
            self._decode(z_NZ[first : first + _BATCH]) for first in range(0, len(z_NZ), _BATCH)
        ]
        return np.concatenate(batches) if batches else self._empty()

    def reconstruct(
        self, images: Image | Sequence[Image], *, align: bool | None = None
    ) -> NDArray[np.uint8]:
        """Return what the model makes of images, N x S x S x 3 uint8, RGB; see `encode`."""
        return self.decode(self.encode(images, align=align))

    def generate(
        self, count: int, *, seed: int = 0, start: int = 0, truncation: float = 1.0
    ) -> NDArray[np.uint8]:
        """Return new faces, count x S x S x 3 uint8, RGB.

        Face number i of a seed is the same face that `faceae generate` draws.

        Args:
            count: number of faces.
            seed: from 0 to 2^63 - 1.
            start: number of the first face.
            truncation: 1: as the training faces vary. Smaller: nearer to the average face.

        Raises:
            FaceaeError: the latents were not fitted (`fit`), or a number is out of its range.
        """
        if count < 1 or seed < 0 or start < 0:
            raise FaceaeError(
                "`count` must be at least 1, and `seed` and `start` at least 0, got "
                f"{count}, {seed} and {start}"
            )
        batches = generate_faces(
            self._generator, seed=seed, start=start, count=count, truncation=truncation
        )
        return np.concatenate(list(batches))

    def morph(
        self,
        first: Image,
        last: Image,
        frames: int = 64,
        *,
        then: Sequence[Image] = (),
        interpolation: Interpolation = "linear",
        ease: bool = False,
        align: bool | None = None,
    ) -> NDArray[np.uint8]:
        """Return the frames on the way from one face to another, frames x S x S x 3 uint8, RGB.

        Args:
            frames: number of frames of the whole way, at least one for each face. The frame of a
                face is its reconstruction.
            then: further faces that the way leads to, after `last`.
            interpolation: linear: on straight lines between the latents. spherical: on arcs around
                the origin of the latent space. prior: on arcs around the average face (`fit` must
                have fitted a normal distribution).
            ease: begin and end each step slowly.
            align: see `encode`.

        Raises:
            FaceaeError: as `encode`, fewer frames, or no normal distribution.
        """
        latents = self.encode([first, last, *then], align=align)
        sampler = self._sampler if interpolation == "prior" else None
        z_NZ = interpolate(latents, frames, interpolation=interpolation, ease=ease, sampler=sampler)
        return self.decode(z_NZ)

    def draw_latents(
        self, count: int, *, seed: int = 0, start: int = 0, truncation: float = 1.0
    ) -> NDArray[np.float32]:
        """Return the latents of new faces, count x Z float32, for `decode`; see `generate`."""
        noise_NZ = latent_noise(seed, start, count, self.latent_size)
        return self._sampler.latents(noise_NZ, truncation)

    @cached_property
    def directions(self) -> Directions:
        """Changes of latents that change attributes, as `find_directions` found them.

        Raises:
            FaceaeError: they were not found yet, or for other weights.
        """
        path = self._run.directions_path
        directions = Directions.load(path)
        directions.check_weights(weights_hash(self._model), path)
        return directions

    def edit(
        self,
        images: Image | Sequence[Image],
        strengths: Mapping[str, float],
        *,
        residual: bool = False,
        align: bool | None = None,
    ) -> NDArray[np.uint8]:
        """Return faces with changed attributes, N x S x S x 3 uint8, RGB.

        Logs a warning where a strength leads far away from the training faces.

        Args:
            strengths: by attribute, such as {"Smiling": 2, "Young": -1.5}. 1 is the distance
                between the average faces without and with the attribute. With 0 the result is that
                of `reconstruct`.
            residual: add what the reconstruction lacks of the image, so that its detail stays. With
                strength 0 the result then is the image.
            align: see `encode`.

        Raises:
            FaceaeError: as `encode`; the directions were not found (`find_directions`); an
                attribute has none; or a strength is not finite.
        """
        change_Z = self.directions.change(strengths)
        faces_NHWC = self._prepare(images, align)
        z_NZ = self._encode_all(faces_NHWC)
        edited_NHWC = self.decode(z_NZ + change_Z)
        for line in find_far(self.directions, z_NZ + change_Z, strengths):
            log.warning("%s", line)
        if residual:
            return add_residual(edited_NHWC, faces_NHWC, self.decode(z_NZ))
        return edited_NHWC

    @cached_property
    def _sampler(self) -> Sampler:
        sampler = open_run(self._run, latents=True).sampler
        assert sampler is not None
        return sampler

    @cached_property
    def _generator(self) -> Session:
        return open_model(open_run(self._run, latents=True), "generator", self._device)

    def _prepare(self, images: Image | Sequence[Image], align: bool | None) -> NDArray[np.uint8]:
        """Return images as the model sees them, N x S x S x 3 uint8."""
        if isinstance(images, str | Path):
            images = [images]
        if isinstance(images, np.ndarray) and images.ndim == 3:
            images = [images]
        prepared = [self._prepare_one(image, align) for image in images]
        return np.stack(prepared) if prepared else self._empty()

    def _prepare_one(self, image: Image, align: bool | None) -> NDArray[np.uint8]:
        framing = self._run.frame(align=align)
        if isinstance(image, str | Path):
            return read_face(Path(image), self.image_size, framing)
        array = np.asarray(image)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
            raise FaceaeError(
                "an image must be a path or H x W x 3 uint8, RGB, got "
                f"{' x '.join(map(str, array.shape))} {array.dtype}"
            )
        return frame_face(np.ascontiguousarray(array), self.image_size, framing).pixels

    def _encode_all(self, faces_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        batches = [
            self._encode(faces_NHWC[first : first + _BATCH])
            for first in range(0, len(faces_NHWC), _BATCH)
        ]
        return np.concatenate(batches)

    def _encode(self, faces_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        images_NCHW = torch.from_numpy(np.ascontiguousarray(faces_NHWC)).permute(0, 3, 1, 2)
        with torch.inference_mode(), full_float32():
            z_NZ: NDArray[np.float32] = (
                self._model.encode(to_float(images_NCHW.to(self._device))).cpu().numpy()
            )
        return z_NZ

    def _decode(self, z_NZ: NDArray[np.float32]) -> NDArray[np.uint8]:
        with torch.inference_mode(), full_float32():
            faces_NCHW = self._model.decode(torch.from_numpy(z_NZ).to(self._device))
            faces_NHWC: NDArray[np.uint8] = to_uint8(faces_NCHW).permute(0, 2, 3, 1).cpu().numpy()
        return np.ascontiguousarray(faces_NHWC)

    def _empty(self) -> NDArray[np.uint8]:
        return np.empty((0, self.image_size, self.image_size, 3), np.uint8)
