"""A small run, fitted and exported, to be read only; and photographs and a dataset to change."""

from pathlib import Path

import pytest
import torch
from torch import nn

import faceae_shards
from faceae.cli import run
from faceae.model import load_model, save_model
from faceae.training import TrainConfig, train


def enliven(path: Path) -> None:
    """Change a model's decoder so that its faces differ as after long training."""
    model = load_model(path, torch.device("cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_var, 0.002, 0.02)
                nn.init.normal_(layer.bias, std=0.2)
    save_model(model, path)


@pytest.fixture(scope="session")
def fitted_run(
    dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on 32x32 pictures with 16 latent numbers, and its latents fitted."""
    path = tmp_path_factory.mktemp("fitted") / "run"
    config = TrainConfig(
        data=dataset_npy.path,
        run=path,
        epochs=1,
        batch_size=8,
        latent_size=16,
        width=8,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
    )
    train(config)
    enliven(path / "model.safetensors")
    assert run(["fit", str(path), str(dataset_npy.path), "--loader", "webdataset"]) == 0
    return path


@pytest.fixture(scope="session")
def exported(fitted_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generator.onnx, generator.ts and decoder.onnx of `fitted_run`."""
    folder = tmp_path_factory.mktemp("exported")
    for verb, kind, name in (
        ("onnx", "generator", "generator.onnx"),
        ("torchscript", "generator", "generator.ts"),
        ("onnx", "decoder", "decoder.onnx"),
    ):
        out = folder / name
        assert run(["export", verb, str(fitted_run), "--part", kind, str(out)]) == 0
    return folder


@pytest.fixture
def source(tmp_path: Path, face_folder: Path) -> Path:
    """Two people's pictures and a file that is none."""
    folder = tmp_path / "photos"
    for person in sorted(face_folder.iterdir())[:2]:
        (folder / person.name).mkdir(parents=True)
        for file in person.iterdir():
            (folder / person.name / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def packed(source: Path, tmp_path: Path) -> Path:
    """The pictures of `source` as a dataset: a shard of 4 images for train and one for valid."""
    out = tmp_path / "packed"
    faceae_shards.pack(
        faceae_shards.PackConfig(
            source=source, out=out, crop=160, size=32, split=(0.5, 0.5, 0), workers=1
        )
    )
    return out
