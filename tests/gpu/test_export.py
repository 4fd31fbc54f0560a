"""Exported files on a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.latent import latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import GPU_MICRO_BATCH, export_model, open_model, open_session

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=8)).eval()
    return TrainedModel(model=model, dataset_hash="", crop=None, sampler=None)


@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.ts"])
def test_file_runs_on_the_gpu_as_on_the_cpu(
    trained: TrainedModel, tmp_path: Path, name: str
) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    format_name = "onnx" if name.endswith(".onnx") else "torchscript"
    export_model(trained, format_name, "decoder", tmp_path / name, cuda)
    session = open_session(tmp_path / name, cuda)
    assert "cuda" in session.engine.lower()
    z_NZ = latent_noise(0, 0, 9, 16)
    expected = open_model(trained, "decoder", cpu).run(z_NZ)
    np.testing.assert_allclose(session.run(z_NZ), expected, atol=1e-4)
    np.testing.assert_allclose(open_model(trained, "decoder", cuda).run(z_NZ), expected, atol=1e-4)


def test_large_batch_on_the_gpu_in_pieces(trained: TrainedModel, tmp_path: Path) -> None:
    """Through page-locked memory and bound arrays; each result has memory of its own."""
    cuda = torch.device("cuda", 0)
    export_model(trained, "onnx", "decoder", tmp_path / "d.onnx", cuda)
    z_NZ = latent_noise(0, 0, 2 * GPU_MICRO_BATCH + 1, 16)
    expected = open_model(trained, "decoder", torch.device("cpu")).run(z_NZ)
    for session in (open_session(tmp_path / "d.onnx", cuda), open_model(trained, "decoder", cuda)):
        found = [session.run(z_NZ) for _ in range(2)]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_allclose(found[0], expected, atol=1e-4)
