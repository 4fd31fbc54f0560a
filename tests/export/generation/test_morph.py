"""Morphs: the line between two faces, with the model's decoder or an export of it."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.model import to_float, to_uint8
from faceae.runs import TrainedModel
from faceae_export import morph, open_decoder

CPU = torch.device("cpu")


def make_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


@torch.inference_mode()
def reconstruct(trained: TrainedModel, images_NHWC: np.ndarray) -> np.ndarray:
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    faces_NCHW = trained.model(to_float(images_NCHW))
    faces_NHWC: np.ndarray = to_uint8(faces_NCHW).permute(0, 2, 3, 1).numpy()
    return faces_NHWC


@pytest.mark.parametrize("frames", [2, 65])
def test_ends_are_the_reconstructions(trained: TrainedModel, frames: int) -> None:
    images_NHWC = make_images()
    found = morph(trained, open_decoder(trained, CPU), images_NHWC, frames, CPU)
    assert (found.shape, found.dtype) == ((frames, 32, 32, 3), np.uint8)
    ends = found[[0, -1]].astype(int)
    assert np.abs(ends - reconstruct(trained, images_NHWC)).max() <= 1
    assert np.abs(ends[0] - ends[1]).max() > 10


def test_exported_decoder_gives_the_same_frames(trained: TrainedModel, exported: Path) -> None:
    images_NHWC = make_images()
    ours, exports = (
        morph(trained, open_decoder(trained, CPU, path), images_NHWC, 9, CPU)
        for path in (None, exported / "decoder.onnx")
    )
    assert np.abs(ours.astype(int) - exports).max() <= 1


def test_decoder_must_be_the_models(trained: TrainedModel, exported: Path) -> None:
    with pytest.raises(FaceaeError, match=r"`decoder` .*generator\.onnx: is a generator"):
        open_decoder(trained, CPU, exported / "generator.onnx")
    model = copy.deepcopy(trained.model)
    torch.nn.init.zeros_(model.get_parameter("decoder.0.weight"))
    with pytest.raises(FaceaeError, match=r"`decoder` .*decoder\.onnx: .* other weights"):
        open_decoder(replace(trained, model=model), CPU, exported / "decoder.onnx")


def test_one_frame_is_no_morph(trained: TrainedModel) -> None:
    with pytest.raises(FaceaeError, match="frames"):
        morph(trained, open_decoder(trained, CPU), make_images(), 1, CPU)
