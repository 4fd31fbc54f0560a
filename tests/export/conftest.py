"""A small model with uneven weights, and what was exported from it. Nobody may write here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export import ExportReport, ExportSource, export_onnx, export_torchscript
from faceae.latent import LatentMoments, Sampler
from faceae.model import FaceAutoEncoder, ModelConfig

CPU = torch.device("cpu")
LATENT_SIZE = 16


def make_model() -> FaceAutoEncoder:
    """A model whose faces differ, and whose BatchNorms do something, as after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(image_size=32, latent_size=LATENT_SIZE, width=8)
        model = FaceAutoEncoder(config).eval()
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.running_mean, std=0.1)
                nn.init.uniform_(layer.running_var, 0.01, 0.1)
                nn.init.normal_(layer.weight, mean=1, std=0.2)
                nn.init.normal_(layer.bias, std=0.2)
    return model


def make_sampler() -> Sampler:
    moments = LatentMoments(LATENT_SIZE)
    rng = np.random.default_rng(0)
    mixing_ZZ = rng.normal(size=(LATENT_SIZE, LATENT_SIZE)) / 2
    moments.update(rng.normal(size=(500, LATENT_SIZE)) @ mixing_ZZ + 0.5)
    return Sampler(moments.distribution(weights_hash="", dataset_hash=""))


@pytest.fixture(scope="session")
def source() -> ExportSource:
    return ExportSource(model=make_model(), dataset_hash="d" * 64, sampler=make_sampler())


@pytest.fixture(scope="session")
def reports(
    source: ExportSource, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ExportReport]:
    """Reports of decoder.onnx, generator.onnx, decoder.ts and generator.ts, by name."""
    folder = tmp_path_factory.mktemp("exported")
    reports = [
        export_onnx(source, "decoder", folder / "decoder.onnx", CPU),
        export_onnx(source, "generator", folder / "generator.onnx", CPU),
        export_torchscript(source, "decoder", folder / "decoder.ts", CPU),
        export_torchscript(source, "generator", folder / "generator.ts", CPU),
    ]
    return {report.path.name: report for report in reports}


@pytest.fixture(scope="session")
def exported(reports: dict[str, ExportReport]) -> Path:
    """The folder that holds the files of `reports`, theirs beside each, and nothing else."""
    return reports["decoder.onnx"].path.parent
