import pytest
import torch

from faceae import doctor
from faceae.errors import FaceaeError


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def test_the_tested_set_agrees_on_cuda_12() -> None:
    majors = doctor.diagnose("cpu").cuda_majors
    assert majors["torch"] == 12
    assert majors["onnxruntime"] in (12, None)
    assert majors["dali"] in (12, None)


def test_a_sound_cpu_machine_has_no_error() -> None:
    report = doctor.diagnose("auto")
    assert not report.failed
    assert report.device == "cpu"


def test_cuda_asked_for_and_missing_fails() -> None:
    report = doctor.diagnose("cuda")
    assert report.failed
    assert [problem.what for problem in report.problems if "--device cuda" in problem.what]


@pytest.mark.parametrize(("device", "severity"), [("cpu", "warning"), ("cuda", "error")])
def test_mixed_cuda_majors_are_named(
    monkeypatch: pytest.MonkeyPatch, device: str, severity: str
) -> None:
    monkeypatch.setattr(doctor, "_onnxruntime_cuda_major", lambda: 13)
    problems = doctor.diagnose(device).problems
    found = [problem for problem in problems if "onnxruntime 13" in problem.what]
    assert [problem.severity for problem in found] == [severity]
    assert "constraints.txt" in found[0].remedy


def test_two_onnxruntimes_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "1.26.0")
    report = doctor.diagnose("cpu")
    assert report.failed
    assert any("overwrite each other" in problem.what for problem in report.problems)


def test_missing_dali_and_onnxruntime_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "1" if name == "webdataset" else None)
    report = doctor.diagnose("cpu")
    severities = {problem.what.split()[0]: problem.severity for problem in report.problems}
    assert severities == {"onnxruntime": "error", "DALI": "warning"}
    assert report.loader == "webdataset"


def test_torch_that_does_not_import_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    with pytest.raises(FaceaeError, match=r"libcudart\.so\.12.*pip install"):
        doctor.diagnose("cpu")
