"""Faces of given latents, such as those of a morph."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.model import to_uint8, weights_hash
from faceae.runs import TrainedModel

from ..engines import open_model, open_session
from ..sessions import Session

_FACES_PER_BATCH = 64


def open_decoder(trained: TrainedModel, device: torch.device, path: Path | None = None) -> Session:
    """Open a model's decoder on `device`.

    Args:
        path: an export of the decoder to open instead.

    Raises:
        FaceaeError: the file cannot be opened, is not a decoder, or holds other weights.
    """
    if path is None:
        return open_model(trained, "decoder", device)
    session = open_session(path, device)
    if session.info.kind != "decoder":
        raise FaceaeError(
            f"`decoder` {path}: is a {session.info.kind}; give an export of the model's decoder"
        )
    if session.info.weights_hash != weights_hash(trained.model):
        raise FaceaeError(
            f"`decoder` {path}: was exported from other weights than those of the model; export "
            "it again"
        )
    return session


def decode_latents(decoder: Session, z_NZ: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the faces of latents, N x S x S x 3 uint8, RGB.

    Args:
        decoder: a model's decoder, from `open_decoder`.
        z_NZ: N x Z float32, at least one.
    """
    return np.concatenate(list(_decode(decoder, z_NZ)))


def _decode(decoder: Session, z_NZ: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
    for first in range(0, len(z_NZ), _FACES_PER_BATCH):
        faces_NCHW = torch.from_numpy(decoder.run(z_NZ[first : first + _FACES_PER_BATCH]))
        yield to_uint8(faces_NCHW).permute(0, 2, 3, 1).numpy()
