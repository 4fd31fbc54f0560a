"""What doctor finds on machines that are sound, and on those that are not."""

import importlib
from types import ModuleType, SimpleNamespace

import pytest
import torch

from faceae import doctor
from faceae.errors import FaceaeError


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(doctor, "_driver", lambda: None)


def break_import(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Make a library that is installed fail to load."""

    def import_module(name: str) -> ModuleType:
        if name == broken:
            raise ImportError("libcudart.so.12: cannot open shared object file")
        return real(name)

    real = importlib.import_module
    monkeypatch.setattr(doctor.importlib, "import_module", import_module)


def test_the_tested_set_agrees_on_cuda_12() -> None:
    majors = doctor.diagnose("cpu").cuda_majors
    assert majors["torch"] == 12
    assert majors["onnxruntime"] in (12, None)
    assert majors["dali"] in (12, None)


def test_a_sound_cpu_machine_has_no_problem() -> None:
    report = doctor.diagnose("auto")
    assert report.problems == []
    assert report.device == "cpu"


def test_cuda_asked_for_and_missing_fails_with_a_remedy() -> None:
    (problem,) = doctor.diagnose("cuda").problems
    assert problem.severity == "error"
    assert problem.what == "`device='cuda'`: torch sees no NVIDIA GPU"
    assert problem.remedy.endswith("or use `device='cpu'`")


def test_a_driver_whose_gpu_torch_cannot_see_is_no_silent_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_driver", lambda: "470.82")
    (problem,) = doctor.diagnose("auto").problems
    assert problem.severity == "warning"
    assert "470.82" in problem.what
    assert "takes the CPU" in problem.what


@pytest.mark.parametrize(("device", "severity"), [("cpu", "warning"), ("cuda", "error")])
def test_mixed_cuda_majors_are_named(
    monkeypatch: pytest.MonkeyPatch, device: str, severity: str
) -> None:
    monkeypatch.setattr(doctor, "_onnxruntime_cuda_major", lambda onnxruntime: 13)
    problems = doctor.diagnose(device).problems
    found = [problem for problem in problems if "onnxruntime 13" in problem.what]
    assert [problem.severity for problem in found] == [severity]
    assert "constraints.txt" in found[0].remedy


def test_two_onnxruntimes_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "1.26.0")
    report = doctor.diagnose("cpu")
    assert report.failed
    assert any("overwrite each other" in problem.what for problem in report.problems)


@pytest.mark.parametrize(
    ("library", "severity", "loader"),
    [("onnxruntime", "error", "dali"), ("nvidia.dali", "warning", "webdataset")],
)
def test_a_library_that_does_not_load_is_a_problem_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, library: str, severity: str, loader: str
) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI has wheels for Linux x86-64 only")
    break_import(monkeypatch, library)
    report = doctor.diagnose("cpu")
    (problem,) = report.problems
    assert problem.severity == severity
    assert "libcudart.so.12" in problem.what
    assert report.loader == loader


def test_torch_that_does_not_import_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    break_import(monkeypatch, "torch")
    with pytest.raises(FaceaeError, match=r"libcudart\.so\.12.*pip install"):
        doctor.diagnose("cpu")


@pytest.mark.parametrize(
    ("providers", "count"), [(["CUDAExecutionProvider"], 0), (["CPUExecutionProvider"], 1)]
)
def test_a_cuda_provider_that_is_not_loaded_is_an_error(providers: list[str], count: int) -> None:
    session = SimpleNamespace(get_providers=lambda: providers)
    onnxruntime = ModuleType("onnxruntime")
    onnxruntime.InferenceSession = lambda model, providers: session  # type: ignore[attr-defined]
    assert len(doctor._provider_problems(onnxruntime)) == count


def test_the_probe_is_a_model_onnxruntime_runs() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(doctor._tiny_model(), providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == ["y"]
