"""Sessions run files as the model runs, in micro-batches, and refuse damaged files."""

import threading
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, Session, open_model, open_session
from faceae_export.formats._onnx import OnnxSession
from faceae_export.formats._torch import TorchSession
from faceae_export.graph import describe_export
from faceae_export.sessions._session import MICRO_BATCH

CPU = torch.device("cpu")
NAMES = ["decoder.onnx", "generator.onnx", "decoder.ts", "generator.ts"]


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("suffix", ["onnx", "ts"])
def test_session_of_a_file_runs_like_the_model(
    exported: Path,
    source: TrainedModel,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    kind: Kind,
    suffix: str,
) -> None:
    inputs, expected = example(kind, 9)
    for session in (
        open_session(exported / f"{kind}.{suffix}", CPU),
        open_model(source, kind, CPU),
    ):
        assert session.info == describe_export(source, kind)
        found = session.run(*inputs.values())
        assert found.flags.c_contiguous
        assert_same(found, expected)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("generator.onnx", MICRO_BATCH),
        ("decoder.ts", MICRO_BATCH),
        ("encoder.onnx", MICRO_BATCH),
        ("morph.onnx", 2),  # the two pictures; the frames are not known outside the graph
    ],
)
@pytest.mark.parametrize("count", [1, MICRO_BATCH, MICRO_BATCH + 1, 3 * MICRO_BATCH])
def test_large_batch_is_computed_in_pieces(
    exported: Path,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    most: int,
    count: int,
) -> None:
    session = open_session(exported / name, CPU)
    sizes: list[int] = []
    for engine in (OnnxSession, TorchSession):
        monkeypatch.setattr(engine, "run", _recording(engine.run, sizes))
    inputs, expected = example(session.info.kind, count)
    assert_same(session.run(*inputs.values()), expected)
    assert max(sizes) <= most
    assert sum(sizes) == (2 if "morph" in name else count)


def _recording(run: Callable[..., np.ndarray], sizes: list[int]) -> Callable[..., np.ndarray]:
    def run_and_record(session: Session, *inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs[0]))
        return run(session, *inputs)

    return run_and_record


@pytest.mark.parametrize("num_pieces", [2, 3, 5])
def test_pieces_are_computed_side_by_side_to_the_same_bytes(
    exported: Path,
    example: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    num_pieces: int,
) -> None:
    """Each on one thread while there are as many as threads, the rest on all of them."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    inputs = example("decoder", num_pieces * MICRO_BATCH - 1)[0]["latents"]
    session = open_session(exported / "decoder.onnx", CPU)
    threads: list[str] = []
    run = OnnxSession.run

    def run_and_record(session: OnnxSession, *inputs: np.ndarray) -> np.ndarray:
        threads.append(threading.current_thread().name)
        return run(session, *inputs)

    monkeypatch.setattr(OnnxSession, "run", run_and_record)
    found = session.run(inputs)
    assert len(threads) == num_pieces
    assert threads.count("MainThread") == num_pieces % 2
    monkeypatch.setattr("faceae_export.sessions._session.SIDE_BY_SIDE", False)
    np.testing.assert_array_equal(open_session(exported / "decoder.onnx", CPU).run(inputs), found)


def test_open_model_leaves_the_model_as_it_was(source: TrainedModel) -> None:
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
        zipfile.ZipFile(exported / "encoder.ts") as source,
        zipfile.ZipFile(tmp_path / "changed.ts", "w") as target,
    ):
        for record in source.infolist():
            content = source.read(record)
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
    with pytest.raises(FaceaeError, match=r"--device"):
        open_session(exported / name, torch.device("cuda", 0))


def test_provider_that_did_not_load_is_an_error(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime only logs a library it cannot load, and opens the session on the CPU."""
    monkeypatch.setattr(
        "faceae_export.formats._onnx.choose_providers",
        lambda *_, **__: [("CUDAExecutionProvider", {}), ("CPUExecutionProvider", {})],
    )
    monkeypatch.setattr(
        "onnxruntime.InferenceSession.get_providers", lambda _: ["CPUExecutionProvider"]
    )
    monkeypatch.setattr("onnxruntime.InferenceSession.__init__", lambda *_, **__: None)
    with pytest.raises(FaceaeError, match=r"could not load CUDAExecutionProvider: .*needs CUDA 12"):
        open_session(exported / "decoder.onnx", CPU)
