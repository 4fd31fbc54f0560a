"""The weights alone, for code without a line of ours."""

import json
import zipfile
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import export_model, open_session
from faceae_export.graph import describe_export

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for suffix in ("pt", "safetensors"):
        report = export_model(trained, "weights", "decoder", folder / f"w.{suffix}", CPU)
        assert not report.rewritten
        assert report.parity.max_error == 0
    return folder


def test_both_hold_the_decoders_state_dict(weights: Path, trained: TrainedModel) -> None:
    expected = trained.model.decoder.state_dict()
    loaded = torch.load(weights / "w.pt", weights_only=True)
    assert type(loaded) is dict
    assert list(loaded)[:2] == ["0.weight", "1.weight"]
    for tensors in (loaded, safetensors.torch.load_file(weights / "w.safetensors")):
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_both_say_what_they_are(weights: Path, trained: TrainedModel) -> None:
    with safetensors.safe_open(weights / "w.safetensors", framework="pt") as file:
        metadata = json.loads(file.metadata()["faceae_export"])
    with zipfile.ZipFile(weights / "w.pt") as archive:
        assert json.loads(archive.read("archive/extra/faceae.json")) == metadata
    assert metadata == describe_export(trained, "decoder").to_metadata()


def test_same_weights_give_the_same_bytes(
    weights: Path, trained: TrainedModel, tmp_path: Path
) -> None:
    for name in ("w.pt", "w.safetensors"):
        export_model(trained, "weights", "decoder", tmp_path / name, CPU)
        assert (tmp_path / name).read_bytes() == (weights / name).read_bytes()


def test_weights_are_no_graph_to_run(weights: Path) -> None:
    with pytest.raises(FaceaeError, match=r"w\.pt: cut short or not a TorchScript file \(weights"):
        open_session(weights / "w.pt", CPU)
    with pytest.raises(FaceaeError, match=r"w\.safetensors: an exported file ends in one of"):
        open_session(weights / "w.safetensors", CPU)
