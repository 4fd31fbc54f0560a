import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export import ExportSource, Session, open_model, open_session
from export._onnx import OnnxSession
from export._session import MICRO_BATCH
from export._torchscript import TorchSession
from faceae.errors import FaceaeError
from faceae.latent import latent_noise

CPU = torch.device("cpu")
NAMES = ["decoder.onnx", "generator.onnx", "decoder.ts", "generator.ts"]


@pytest.mark.parametrize("name", NAMES)
def test_session_of_a_file_runs_like_the_model(
    exported: Path, source: ExportSource, name: str
) -> None:
    session = open_session(exported / name, CPU)
    reference = open_model(source, session.info.kind, CPU)
    assert session.info == reference.info == source.describe(session.info.kind)
    inputs = latent_noise(0, 0, 9, 16)
    found, expected = session.run(inputs), reference.run(inputs)
    assert found.flags.c_contiguous
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    tolerance = 1 if found.dtype == np.uint8 else 1e-4
    assert np.abs(found.astype(np.float64) - expected).max() <= tolerance


@pytest.mark.parametrize("name", ["generator.onnx", "decoder.ts"])
@pytest.mark.parametrize("count", [1, MICRO_BATCH, MICRO_BATCH + 1, 3 * MICRO_BATCH])
def test_large_batch_is_computed_in_pieces(
    exported: Path, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    sizes = []
    for engine in (OnnxSession, TorchSession):
        monkeypatch.setattr(engine, "run", _recording(engine.run, sizes))
    inputs = latent_noise(0, 0, count, 16)
    session = open_session(exported / name, CPU)
    faces = session.run(inputs)
    assert max(sizes) <= MICRO_BATCH
    assert sum(sizes) == count
    singly = np.concatenate([session.run(inputs[i : i + 1]) for i in range(count)])
    assert (faces.shape, faces.dtype) == (singly.shape, singly.dtype)
    assert np.abs(faces.astype(np.float64) - singly).max() <= (
        1 if faces.dtype == np.uint8 else 1e-5
    )


def _recording(run: Callable[..., np.ndarray], sizes: list[int]) -> Callable[..., np.ndarray]:
    def run_and_record(session: Session, inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs))
        return run(session, inputs)

    return run_and_record


def test_open_model_leaves_the_model_as_it_was(source: ExportSource) -> None:
    strides = [parameter.stride() for parameter in source.model.parameters()]
    open_model(source, "decoder", CPU)
    assert [parameter.stride() for parameter in source.model.parameters()] == strides


def test_session_says_what_it_runs_in(exported: Path) -> None:
    assert "CPUExecutionProvider" in open_session(exported / "decoder.onnx", CPU).engine
    assert "TorchScript in torch" in open_session(exported / "decoder.ts", CPU).engine


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
    with pytest.raises(FaceaeError, match=r"--device"):
        open_session(exported / name, torch.device("cuda", 0))


def test_provider_that_did_not_load_is_an_error(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime only logs a library it cannot load, and opens the session on the CPU."""
    monkeypatch.setattr(
        "export._onnx.choose_providers",
        lambda *_: [("CUDAExecutionProvider", {}), ("CPUExecutionProvider", {})],
    )
    monkeypatch.setattr(
        "onnxruntime.InferenceSession.get_providers", lambda _: ["CPUExecutionProvider"]
    )
    monkeypatch.setattr("onnxruntime.InferenceSession.__init__", lambda *_, **__: None)
    with pytest.raises(FaceaeError, match="could not load CUDAExecutionProvider: a library"):
        open_session(exported / "decoder.onnx", CPU)
