"""OpenVINO's files, in sessions and as software without a line of ours sees them."""

from pathlib import Path
from typing import get_args

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from faceae.editing import Direction, Directions
from faceae.errors import FaceaeError
from faceae.latent import LatentMoments, NormalSampler
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import Kind, export_model, generate_faces, open_model, open_session
from faceae_export._parity import make_inputs
from faceae_export.graph import build_module, describe_export
from faceae_export.graph._network import Network

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(ModelConfig(image_size=32, latent_size=16, width=8)).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
    moments = LatentMoments(16)
    moments.update(np.random.default_rng(0).normal(size=(100, 16)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    change = Direction(
        name="Smiling", classifier="ridge", accuracy=1, auc=1, num_positive=9, num_negative=9
    )
    directions = Directions(
        found=(change,),
        refused=(),
        vectors=np.ones((1, 16), np.float32),
        normals=np.ones((1, 16), np.float32),
        offsets=np.zeros(1, np.float32),
        limits=np.ones(1, np.float32),
        weights_hash="",
        dataset_hash="",
    )
    return TrainedModel(
        model=model, dataset_hash="", crop=None, sampler=sampler, directions=directions
    )


@pytest.fixture(scope="module")
def pairs(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind as .xml and .bin; nobody may write there."""
    folder = tmp_path_factory.mktemp("openvino")
    for kind in get_args(Kind):
        report = export_model(trained, "openvino", kind, folder / f"{kind}.xml", CPU)
        assert [file.name for file in report.files] == [f"{kind}.bin", f"{kind}.xml"]
    return folder


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("count", [1, 4, 64])
def test_in_plain_openvino_and_in_a_session(
    pairs: Path, trained: TrainedModel, kind: Kind, count: int
) -> None:
    inputs = make_inputs(kind, trained, 1000, count)
    with torch.inference_mode():
        module = build_module(trained, kind, Network.of(trained.model))
        expected = module(*map(torch.from_numpy, inputs)).numpy()
    path = pairs / f"{kind}.xml"
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = open_session(path, CPU)
    for found in (compiled(list(inputs))[0], session.run(*inputs)):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        tolerance = 1 if expected.dtype == np.uint8 else 1e-4
        assert np.abs(found.astype(np.float64) - expected).max() <= tolerance
    assert session.info == describe_export(trained, kind)


def test_weights_stay_float32_and_tell_nothing_of_the_machine(pairs: Path) -> None:
    text = (pairs / "autoencoder.xml").read_text()
    assert 'element_type="f32"' in text
    assert 'element_type="f16"' not in text
    for trace in (".py", ".onnx", str(Path.cwd()), str(pairs)):
        assert trace not in text


def test_pair_replaces_an_older_one(trained: TrainedModel, tmp_path: Path) -> None:
    for name in ("d.xml", "d.bin"):
        (tmp_path / name).write_bytes(b"older")
    export_model(trained, "openvino", "decoder", tmp_path / "d.xml", CPU)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.bin", "d.xml", "d.xml.json"]
    assert open_session(tmp_path / "d.xml", CPU).info.kind == "decoder"


@pytest.mark.parametrize("cut", ["xml", "bin"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_file(pairs: Path, tmp_path: Path, cut: str, kept: float) -> None:
    for suffix in ("xml", "bin"):
        content = (pairs / f"decoder.{suffix}").read_bytes()
        size = int(len(content) * kept) if suffix == cut else len(content)
        (tmp_path / f"decoder.{suffix}").write_bytes(content[:size])
    with pytest.raises(FaceaeError, match=r"decoder\.xml: it or its \.bin is cut short"):
        open_session(tmp_path / "decoder.xml", CPU)


def test_missing_weights(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "decoder.xml").write_bytes((pairs / "decoder.xml").read_bytes())
    with pytest.raises(FaceaeError, match=r"decoder\.bin: no such file; it holds the weights"):
        open_session(tmp_path / "decoder.xml", CPU)


def test_foreign_model(tmp_path: Path) -> None:
    parameter = openvino.opset13.parameter([1], np.float32)
    model = openvino.Model([openvino.opset13.relu(parameter)], [parameter], "foreign")
    openvino.save_model(model, tmp_path / "foreign.xml")
    with pytest.raises(FaceaeError, match=r"foreign\.xml: not written by `faceae export`"):
        open_session(tmp_path / "foreign.xml", CPU)


def test_weights_of_another_architecture(pairs: Path, tmp_path: Path) -> None:
    text = (pairs / "encoder.xml").read_text()
    changed = text.replace("&quot;image_size&quot;: 32", "&quot;image_size&quot;: 64")
    assert changed != text
    (tmp_path / "e.xml").write_text(changed)
    (tmp_path / "e.bin").write_bytes((pairs / "encoder.bin").read_bytes())
    with pytest.raises(FaceaeError, match=r"(?s)e\.xml: its graph is not that of the encoder"):
        open_session(tmp_path / "e.xml", CPU)


def test_cuda_is_an_error(pairs: Path) -> None:
    with pytest.raises(FaceaeError, match=r"`device='cuda'`: OpenVINO cannot use it"):
        open_session(pairs / "decoder.xml", torch.device("cuda", 0))


def test_suffix_in_capitals(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "D.XML"
    assert export_model(trained, "openvino", "decoder", path, CPU).path == path
    assert sorted(file.name for file in tmp_path.iterdir()) == ["D.XML", "D.XML.json", "D.bin"]
    assert open_session(path, CPU).info.kind == "decoder"


def test_model_drawn_in_openvino_to_the_same_bytes_whatever_the_batches(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads, batch_size in ((1, 1), (2, 70)):
        monkeypatch.setattr("torch.get_num_threads", lambda n=threads: n)
        session = open_model(trained, "generator", CPU, "openvino")
        assert session.engine.startswith("OpenVINO")
        batches = generate_faces(session, seed=1, start=5, count=90, batch_size=batch_size)
        found.append(np.concatenate(list(batches)))
    assert np.array_equal(*found)
