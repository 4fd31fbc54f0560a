"""Exported files on a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export import ExportSource, export_model, open_model, open_session
from faceae.latent import latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def source() -> ExportSource:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=8)).eval()
    return ExportSource(model=model, dataset_hash="", crop=None, sampler=None)


@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.ts"])
def test_file_runs_on_the_gpu_as_on_the_cpu(
    source: ExportSource, tmp_path: Path, name: str
) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    format_name = "onnx" if name.endswith(".onnx") else "torchscript"
    export_model(source, format_name, "decoder", tmp_path / name, cuda)
    session = open_session(tmp_path / name, cuda)
    assert "cuda" in session.engine.lower()
    z_NZ = latent_noise(0, 0, 9, 16)
    expected = open_model(source, "decoder", cpu).run(z_NZ)
    np.testing.assert_allclose(session.run(z_NZ), expected, atol=1e-4)
    np.testing.assert_allclose(open_model(source, "decoder", cuda).run(z_NZ), expected, atol=1e-4)
