"""Generating on a Ray cluster: the same bytes as without."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from faceae.cli import run
from faceae.latent import LatentMoments, NormalSampler
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import export_model
from faceae_shards.executors._cluster import connected

HashTree = Callable[[Path], dict[str, str]]
OPTIONS = ["--format=shards", "-n100", "--start=7", "--samples-per-shard=30"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, whose processes find our own code."""
    with pytest.MonkeyPatch.context() as patch:
        root = Path(__file__).parents[4]
        patch.setenv(
            "PYTHONPATH", f"{root}{os.pathsep}{root / 'shards'}{os.pathsep}{root / 'export'}"
        )
        with connected("local"):
            yield


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=8)).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
    moments = LatentMoments(16)
    moments.update(np.random.default_rng(0).normal(size=(100, 16)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    trained = TrainedModel(model=model, dataset_hash="", crop=None, sampler=sampler)
    path = tmp_path_factory.mktemp("exported") / "generator.onnx"
    return export_model(trained, "onnx", "generator", path, torch.device("cpu")).path


def test_same_bytes(
    cluster: None,
    generator: Path,
    tmp_path: Path,
    hash_tree: HashTree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With relative paths, which mean nothing in a task."""
    monkeypatch.chdir(generator.parent)
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(["generate", generator.name, str(here), *OPTIONS]) == 0
    assert run(["generate", generator.name, str(there), *OPTIONS, "--executor=ray"]) == 0
    assert hash_tree(there) == hash_tree(here)
    assert run(["verify", str(there)]) == 0


def test_machine_that_draws_other_faces(
    cluster: None,
    generator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def describe(*_: object, **__: object) -> dict[str, str]:
        return {"engine": "ONNX Runtime 0.1"}

    monkeypatch.setattr("faceae_export.generation._shards.describe_faces", describe)
    argv = ["generate", str(generator), str(tmp_path / "out"), *OPTIONS, "--executor=ray"]
    assert run(argv) == 1
    error = capsys.readouterr().err
    assert "has another engine (ONNX Runtime" in error
    assert "than the machine where faceae was started (ONNX Runtime 0.1)" in error
