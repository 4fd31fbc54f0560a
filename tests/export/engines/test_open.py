"""Open exported files and models; refuse damaged, foreign and changed files."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import onnx
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, open_model, open_session
from faceae_export.engines._open import _check_architecture
from faceae_export.formats import TorchSession, open_torchscript
from faceae_export.graph import describe_export

CPU = torch.device("cpu")
NAMES = ["decoder.onnx", "generator.onnx", "decoder.ts", "generator.ts"]


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("suffix", ["onnx", "ts"])
def test_session_of_a_file_runs_like_the_model(
    exported: Path,
    trained: TrainedModel,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    kind: Kind,
    suffix: str,
) -> None:
    inputs, expected = example(kind, 9)
    for session in (
        open_session(exported / f"{kind}.{suffix}", CPU),
        open_model(trained, kind, CPU),
    ):
        assert session.info == describe_export(trained, kind)
        found = session.run(*inputs.values())
        assert found.flags.c_contiguous
        assert_same(found, expected)


def test_open_model_leaves_the_model_as_it_was(trained: TrainedModel) -> None:
    strides = [parameter.stride() for parameter in trained.model.parameters()]
    open_model(trained, "decoder", CPU)
    assert [parameter.stride() for parameter in trained.model.parameters()] == strides


def test_session_says_what_it_runs_in(exported: Path) -> None:
    assert "CPUExecutionProvider" in open_session(exported / "decoder.onnx", CPU).engine
    assert "TorchScript in torch" in open_session(exported / "decoder.ts", CPU).engine


def test_gpu_out_of_memory_is_not_the_files_fault(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore.")

    path = exported / "decoder.ts"
    session = open_torchscript(path, CPU)
    monkeypatch.setattr(TorchSession, "run", fail)
    with pytest.raises(
        FaceaeError, match=r"decoder\.ts: TorchScript .* failed on the GPU \(CUDA out .*; use `dev"
    ):
        _check_architecture(path, session, torch.device("cuda"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_file(exported: Path, tmp_path: Path, name: str, kept: float) -> None:
    content = (exported / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FaceaeError, match=rf"{name}: cut short or not an? .*export the run again"):
        open_session(tmp_path / name, CPU)


@pytest.mark.parametrize("name", NAMES[1:3])
def test_file_of_another_kind_under_the_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<!DOCTYPE html>" * 100)
    with pytest.raises(FaceaeError, match=rf"{name}: cut short or not"):
        open_session(tmp_path / name, CPU)


def test_torchscript_with_a_changed_byte(exported: Path, tmp_path: Path) -> None:
    content = bytearray((exported / "decoder.ts").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "decoder.ts").write_bytes(content)
    with pytest.raises(FaceaeError, match=r"decoder\.ts: damaged at .*constants"):
        open_session(tmp_path / "decoder.ts", CPU)


def test_foreign_onnx(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "foreign", [value], [result])
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10),
        tmp_path / "foreign.onnx",
    )
    with pytest.raises(FaceaeError, match=r"foreign\.onnx: not written by `faceae export`"):
        open_session(tmp_path / "foreign.onnx", CPU)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("model", '{"image_size": 64, "latent_size": 16, "width": 8}', r"it returns uint8 \(1, 32"),
        ("model", '{"image_size": 32, "latent_size": 17, "width": 8}', "Got: 17 Expected: 16"),
        ("kind", "decoder", "latents"),
    ],
)
def test_graph_of_another_architecture_than_the_metadata_name(
    exported: Path, tmp_path: Path, field: str, value: str, problem: str
) -> None:
    model = onnx.load(exported / "generator.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | {field: value})
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(
        FaceaeError, match=rf"(?s)changed\.onnx: its graph is not that of .*{problem}"
    ):
        open_session(tmp_path / "changed.onnx", CPU)


def test_torchscript_of_another_architecture(exported: Path, tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(exported / "encoder.ts") as archive_in,
        zipfile.ZipFile(tmp_path / "changed.ts", "w") as target,
    ):
        for record in archive_in.infolist():
            content = archive_in.read(record)
            if record.filename.endswith("faceae.json"):
                content = content.replace(b'\\"image_size\\": 32', b'\\"image_size\\": 64')
            target.writestr(record, content)
    with pytest.raises(FaceaeError, match=r"changed\.ts: its graph is not that of the encoder"):
        open_session(tmp_path / "changed.ts", CPU)


def test_other_archive_of_torch_is_no_torchscript_file(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(FaceaeError, match=r"weights\.pt: cut short or not a TorchScript file"):
        open_session(tmp_path / "weights.pt", CPU)


def test_foreign_torchscript_is_refused_before_torch_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)), tmp_path / "foreign.pt")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("torch loaded it"))
    with pytest.raises(FaceaeError, match=r"foreign\.pt: not written by `faceae export`"):
        open_session(tmp_path / "foreign.pt", CPU)


def test_unknown_suffix_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"a\.onnx: no such file; `faceae export` writes one"):
        open_session(tmp_path / "a.onnx", CPU)
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(FaceaeError, match=r"model\.bin: an exported file ends in one of \.onnx"):
        open_session(tmp_path / "model.bin", CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.ts"])
def test_cuda_without_a_gpu_is_an_error_and_never_the_cpu(exported: Path, name: str) -> None:
    with pytest.raises(FaceaeError, match="`device"):
        open_session(exported / name, torch.device("cuda", 0))
