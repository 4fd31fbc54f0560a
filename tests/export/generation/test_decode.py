"""Faces of given latents, by the model's decoder or an export of it."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.model import to_float, to_uint8
from faceae.runs import TrainedModel
from faceae_export import decode_latents, open_decoder, open_model

CPU = torch.device("cpu")


def make_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


@torch.inference_mode()
def reconstruct(trained: TrainedModel, images_NHWC: np.ndarray) -> np.ndarray:
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    faces_NCHW = trained.model(to_float(images_NCHW))
    faces_NHWC: np.ndarray = to_uint8(faces_NCHW).permute(0, 2, 3, 1).numpy()
    return faces_NHWC


@pytest.mark.parametrize("count", [1, 2, 65])
def test_faces_of_latents_are_the_models(trained: TrainedModel, count: int) -> None:
    images_NHWC = np.resize(make_images(), (count, 32, 32, 3))
    z_NZ = open_model(trained, "encoder", CPU).run(images_NHWC)
    found = decode_latents(open_decoder(trained, CPU), z_NZ)
    assert (found.shape, found.dtype) == ((count, 32, 32, 3), np.uint8)
    assert np.abs(found.astype(int) - reconstruct(trained, images_NHWC)).max() <= 1


def test_exported_decoder_gives_the_same_faces(trained: TrainedModel, exported: Path) -> None:
    z_NZ = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    ours, exports = (
        decode_latents(open_decoder(trained, CPU, path), z_NZ)
        for path in (None, exported / "decoder.onnx")
    )
    assert np.abs(ours.astype(int) - exports).max() <= 1
    assert np.abs(ours[0].astype(int) - ours[1]).max() > 10


def test_decoder_must_be_the_models(trained: TrainedModel, exported: Path) -> None:
    with pytest.raises(FaceaeError, match=r"`decoder` .*generator\.onnx: is a generator"):
        open_decoder(trained, CPU, exported / "generator.onnx")
    model = copy.deepcopy(trained.model)
    torch.nn.init.zeros_(model.get_parameter("decoder.0.weight"))
    with pytest.raises(FaceaeError, match=r"`decoder` .*decoder\.onnx: .* other weights"):
        open_decoder(replace(trained, model=model), CPU, exported / "decoder.onnx")
