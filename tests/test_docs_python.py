"""The Python blocks of docs/ run as they stand, one after another, beside drawn photographs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.latent import LatentMoments, NormalSampler
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae.synthetic import SynthConfig, write_dataset
from faceae_export import export_model

DOCS = Path(__file__).parent.parent / "docs"
BLOCKS = [
    block
    for page in ("python.md", "exporting.md")
    for block in re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.M | re.S)
]
NUM_PHOTOS = 96


def _export_generator(path: Path) -> None:
    """Export a generator of the default size; its weights are random."""
    torch.manual_seed(0)
    config = ModelConfig()
    moments = LatentMoments(config.latent_size)
    moments.update(np.random.default_rng(0).normal(size=(64, config.latent_size)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    source = TrainedModel(
        model=FaceAutoEncoder(config).eval(), dataset_hash="", crop=178, sampler=sampler
    )
    export_model(source, "onnx", "generator", path, torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a reader works in: `photos` in CelebA's layout and `generator.onnx`."""
    folder = tmp_path_factory.mktemp("reader")
    write_dataset(SynthConfig(out=folder / "photos", count=NUM_PHOTOS, seed=0, workers=1))
    _export_generator(folder / "generator.onnx")
    return folder


def test_docs_have_python() -> None:
    assert BLOCKS


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_runs(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    exec(compile(BLOCKS[number], f"docs, Python block {number + 1}", "exec"), {})


def test_generator_block_gives_the_faces_it_promises(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = (block for block in BLOCKS if "onnxruntime" in block)
    names: dict[str, object] = {}
    monkeypatch.chdir(folder)
    exec(block, names)
    faces = names["faces"]
    assert isinstance(faces, np.ndarray)
    assert (faces.shape, faces.dtype) == ((16, 64, 64, 3), np.uint8)
