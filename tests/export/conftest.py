"""A small model with uneven weights, and what was exported from it. Nobody may write here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from faceae.editing import Direction, Directions
from faceae.latent import LatentMoments, NormalSampler, Sampler
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import ExportReport, FormatName, Kind, export_model
from faceae_export._parity import make_inputs
from faceae_export.graph import build_module, describe_export
from faceae_export.graph._network import Network

CPU = torch.device("cpu")
LATENT_SIZE = 16
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS: dict[FormatName, str] = {"onnx": "onnx", "torchscript": "ts"}


def make_model() -> FaceAutoEncoder:
    """A model whose faces differ, and whose BatchNorms do something, as after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(image_size=32, latent_size=LATENT_SIZE, width=8)
        model = FaceAutoEncoder(config).eval()
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
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
    return NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))


def make_directions() -> Directions:
    """Two directions that change faces visibly."""
    rng = np.random.default_rng(1)
    names = ("Smiling", "Young")
    found = [
        Direction(name=name, classifier="ridge", accuracy=1, auc=1, num_positive=9, num_negative=9)
        for name in names
    ]
    return Directions(
        found=tuple(found),
        refused=(),
        vectors=rng.normal(size=(len(names), LATENT_SIZE)).astype(np.float32),
        normals=np.ones((len(names), LATENT_SIZE), np.float32),
        offsets=np.zeros(len(names), np.float32),
        limits=np.ones(len(names), np.float32),
        weights_hash="",
        dataset_hash="",
    )


@pytest.fixture(scope="session")
def trained() -> TrainedModel:
    return TrainedModel(
        model=make_model(),
        dataset_hash="d" * 64,
        crop=100,
        sampler=make_sampler(),
        directions=make_directions(),
    )


@pytest.fixture(scope="session")
def reports(
    trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ExportReport]:
    """Reports of every kind as .onnx and as .ts, by name: decoder.onnx, ..."""
    folder = tmp_path_factory.mktemp("exported")
    reports = [
        export_model(trained, format_name, kind, folder / f"{kind}.{suffix}", CPU)
        for format_name, suffix in FORMATS.items()
        for kind in KINDS
    ]
    return {report.path.name: report for report in reports}


@pytest.fixture(scope="session")
def exported(reports: dict[str, ExportReport]) -> Path:
    """The folder that holds the files of `reports`, theirs beside each, and nothing else."""
    return reports["decoder.onnx"].path.parent


Example = Callable[[Kind, int], tuple[dict[str, NDArray[Any]], NDArray[Any]]]


@pytest.fixture(scope="session")
def example(trained: TrainedModel) -> Example:
    """Make inputs of a kind, by name, for a number of faces or frames, and what the model
    returns of them."""

    @torch.inference_mode()
    def make(kind: Kind, count: int) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
        inputs = make_inputs(kind, trained, 1000, count)
        module = build_module(trained, kind, Network.of(trained.model))
        expected: NDArray[Any] = module(*map(torch.from_numpy, inputs)).numpy()
        return describe_export(trained, kind).feed(inputs), expected

    return make


@pytest.fixture(scope="session")
def assert_same() -> Callable[[NDArray[Any], NDArray[Any]], None]:
    """Assert that results agree but for rounding."""

    def check(found: NDArray[Any], expected: NDArray[Any]) -> None:
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        tolerance = 1 if expected.dtype == np.uint8 else 1e-4
        assert np.abs(found.astype(np.float64) - expected).max() <= tolerance

    return check
