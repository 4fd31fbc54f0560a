"""The fastest engine is measured and taken; those left out are named with the reason."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from faceae.errors import FaceaeError
from faceae.model import ModelConfig
from faceae.runs import TrainedModel
from faceae_export import ExportInfo, Session, open_fastest, open_model, open_session
from faceae_export.engines._auto import choose_fastest
from faceae_export.engines._engines import ENGINES, find_engines

CPU = torch.device("cpu")
INFO = ExportInfo(kind="decoder", model=ModelConfig(), weights_hash="", dataset_hash="", crop=None)


class Sleeper:
    """A session that takes its time."""

    def __init__(self, seconds: float) -> None:
        self.info = INFO
        self.engine = f"sleep {seconds}"
        self._seconds = seconds

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        time.sleep(self._seconds)
        return np.zeros((len(inputs[0]), 3, 64, 64), np.float32)


def fail() -> Session:
    raise FaceaeError("OpenVINO is not installed")


def test_fastest_engine_and_the_rates_of_the_others() -> None:
    choice = choose_fastest(
        {
            "torch": lambda: Sleeper(0.05),
            "onnxruntime": lambda: Sleeper(0.005),
            "openvino": fail,
        }
    )
    assert (choice.engine, choice.session.engine) == ("onnxruntime", "sleep 0.005")
    assert list(choice.faces_per_s) == ["onnxruntime", "torch"]
    assert choice.left_out == {"openvino": "OpenVINO is not installed"}
    text = str(choice)
    assert text.startswith("onnxruntime: ")
    assert "times torch; without openvino: OpenVINO is not installed" in text


class Failing(Sleeper):
    """A session whose engine fails after some runs."""

    def __init__(self, error: Exception, runs: int) -> None:
        super().__init__(0.0)
        self._error = error
        self._runs = runs

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        self._runs -= 1
        if self._runs < 0:
            raise self._error
        return super().run(*inputs)


def run_out_of_memory() -> Session:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has 1 GiB.")


FAILURE = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory"


@pytest.mark.parametrize("runs", [0, 2])
@pytest.mark.parametrize("kind", [ort.RuntimeException, ort.EPFail, ort.Fail, RuntimeError])
def test_engine_that_fails_is_left_out(kind: type[Exception], runs: int) -> None:
    choice = choose_fastest(
        {
            "torch": lambda: Sleeper(0.001),
            "onnxruntime": lambda: Failing(kind(FAILURE), runs),
            "torchscript": run_out_of_memory,
        }
    )
    assert (choice.engine, list(choice.faces_per_s)) == ("torch", ["torch"])
    assert choice.left_out == {
        "onnxruntime": FAILURE,
        "torchscript": "CUDA out of memory. Tried to allocate 2 GiB.",
    }


def test_all_engines_fail() -> None:
    with pytest.raises(FaceaeError, match=r"^torch: CUDA out of memory.*; onnxruntime: .*allocate"):
        choose_fastest(
            {
                "torch": run_out_of_memory,
                "onnxruntime": lambda: Failing(ort.EPFail(FAILURE), 1),
            }
        )


def test_no_engine_can_run_it() -> None:
    with pytest.raises(FaceaeError, match="openvino: OpenVINO is not installed"):
        choose_fastest({"openvino": fail})


def test_engines_that_need_a_gpu_are_not_tried_on_a_cpu(exported: Path) -> None:
    choice = open_fastest(exported / "generator.onnx", "generator", CPU)
    assert (choice.engine, choice.left_out) == ("onnxruntime", {})


def test_model_is_measured_in_every_engine(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pt2", "openvino"):  # slow to export, or not installed
        monkeypatch.delitem(ENGINES, name)
    choice = open_fastest(trained, "generator", CPU)
    assert set(choice.faces_per_s) == {"torch", "onnxruntime", "torchscript"}
    faces = choice.session.run(np.zeros((70, 16), np.float32), np.array(1, np.float32))
    assert faces.shape == (70, 32, 32, 3)


def test_model_in_another_engine_computes_the_same(trained: TrainedModel) -> None:
    z = np.random.default_rng(0).normal(size=(70, 16)).astype(np.float32)
    expected = open_model(trained, "decoder", CPU).run(z)
    session = open_model(trained, "decoder", CPU, "onnxruntime")
    assert session.engine.startswith("ONNX Runtime")
    np.testing.assert_allclose(session.run(z), expected, atol=1e-4)


def test_engine_that_cannot_read_the_file(exported: Path) -> None:
    with pytest.raises(
        FaceaeError, match=r"`engine='pt2'`: cannot run .*\.onnx; use onnxruntime or"
    ):
        open_session(exported / "decoder.onnx", CPU, "pt2")


def test_engine_of_an_upper_case_suffix() -> None:
    assert find_engines(Path("G.ONNX"))[0] == "onnxruntime"
