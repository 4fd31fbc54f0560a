"""What doctor finds on machines that are sound, and on those that are not."""

import configparser
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from faceae import doctor
from faceae.doctor import _diagnose, _extras, _gpus, _libraries, _probes
from faceae.errors import FaceaeError


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(_diagnose, "find_driver", lambda: None)


def refuse(message: str) -> None:
    raise RuntimeError(message)


def break_import(monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception) -> None:
    """Make a library that is installed fail to load."""

    def import_module(name: str) -> ModuleType:
        if name == broken:
            raise error
        return real(name)

    real = importlib.import_module
    monkeypatch.setattr(_libraries.importlib, "import_module", import_module)


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
    assert problem.what.startswith("`device='cuda'`: torch sees no NVIDIA GPU")
    assert problem.remedy.endswith("or use `device='cpu'`")


def test_a_driver_whose_gpu_torch_cannot_see_is_no_silent_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_diagnose, "find_driver", lambda: "470.82")
    (problem,) = doctor.diagnose("auto").problems
    assert problem.severity == "warning"
    assert "470.82" in problem.what
    assert "takes the CPU" in problem.what


def test_a_driver_that_is_too_old_is_a_problem_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NVML still counts the GPU then, and asking for its name fails."""
    text = "The NVIDIA driver on your system is too old (found version 11040)"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: refuse(text))
    monkeypatch.setattr(torch.cuda, "init", lambda: refuse(text))
    monkeypatch.setattr(_diagnose, "find_driver", lambda: "470.82")
    report = doctor.diagnose("auto")
    (problem,) = report.problems
    assert report.gpus == []
    assert text in problem.what


def test_a_gpu_that_fails_when_it_is_asked_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: refuse("CUDA error: unknown error"))
    report = doctor.diagnose("cuda")
    (problem,) = report.problems
    assert report.failed
    assert "CUDA error: unknown error" in problem.what


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_86"], True),
        ((8, 0), ["sm_86"], False),
        ((6, 1), ["sm_75", "sm_80"], False),
        ((12, 0), ["sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((10, 0), ["sm_90a"], False),
    ],
)
def test_kernels_of_an_architecture(
    capability: tuple[int, int], architectures: list[str], runs: bool
) -> None:
    assert _gpus.has_kernels(capability, architectures) == runs


def test_a_gpu_without_kernels_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (5, 2))
    gpus = _gpus.Gpus(["Old card"], ["sm_75", "sm_80"], None)
    (problem,) = _gpus.find_architecture_problems(torch, gpus)
    assert problem.severity == "error"
    assert "Old card (sm_52)" in problem.what


@pytest.mark.parametrize("missing", ["compiler", "header"])
def test_what_the_compiler_lacks_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing == "compiler":
        monkeypatch.setenv("CC", "no-such-compiler")
    else:
        monkeypatch.setattr(_gpus.sysconfig, "get_paths", lambda: {"include": "/no/such/folder"})
    (problem,) = _gpus.find_compiler_problems()
    assert {"compiler": "no C compiler", "header": "Python.h"}[missing] in problem.what


def test_a_cpu_needs_a_compiler_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A C compiler alone builds no kernels for a CPU."""
    monkeypatch.setattr(_gpus.shutil, "which", lambda name: "/bin/gcc" if name == "gcc" else None)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    assert _gpus.describe_compiler(on_gpu=True)[0].startswith("/bin/gcc")
    found, enough = _gpus.describe_compiler(on_gpu=False)
    assert "no C++ compiler" in found
    assert not enough


@pytest.mark.parametrize(("device", "severity"), [("cpu", "warning"), ("cuda", "error")])
def test_mixed_cuda_majors_are_named(
    monkeypatch: pytest.MonkeyPatch, device: str, severity: str
) -> None:
    monkeypatch.setattr(_libraries, "_onnxruntime_cuda_major", lambda onnxruntime: 13)
    problems = doctor.diagnose(device).problems
    found = [problem for problem in problems if "onnxruntime 13" in problem.what]
    assert [problem.severity for problem in found] == [severity]
    assert "constraints.txt" in found[0].remedy


def find_in_place(installed: set[str], *, wants_gpu: bool) -> list[doctor.Problem]:
    packages = {
        name: "1.26.0" if name in installed else None for name in ("onnxruntime", "onnxruntime-gpu")
    }
    stand_in = ModuleType("library")
    return _libraries.find_library_problems(packages, stand_in, stand_in, wants_gpu=wants_gpu)


@pytest.mark.parametrize(
    ("installed", "wants_gpu", "named"),
    [
        ({"onnxruntime", "onnxruntime-gpu"}, False, "overwrite each other"),
        ({"onnxruntime"}, True, "in place of onnxruntime-gpu"),
    ],
)
def test_the_wrong_onnxruntime_is_named(installed: set[str], wants_gpu: bool, named: str) -> None:
    (problem,) = find_in_place(installed, wants_gpu=wants_gpu)
    assert problem.severity == "error"
    assert named in problem.what
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in problem.remedy


def test_plain_onnxruntime_suffices_on_a_cpu() -> None:
    assert find_in_place({"onnxruntime"}, wants_gpu=False) == []


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcudart.so.12: cannot open shared object file"),
        OSError("libcudart.so.12: cannot open shared object file"),
        ValueError("libcudart.so.12 not found in the system path"),
    ],
)
@pytest.mark.parametrize(
    ("library", "severity", "loader"),
    [("onnxruntime", "error", "dali"), ("nvidia.dali", "warning", "webdataset")],
)
def test_a_library_that_does_not_load_is_a_problem_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, library: str, severity: str, loader: str, error: Exception
) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI has wheels for Linux x86-64 only")
    break_import(monkeypatch, library, error)
    report = doctor.diagnose("cpu")
    (problem,) = report.problems
    assert problem.severity == severity
    assert "libcudart.so.12" in problem.what
    assert report.loader == loader


def test_torch_that_does_not_import_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    break_import(monkeypatch, "torch", ValueError("libcublas.so.12 not found"))
    with pytest.raises(FaceaeError, match=r"libcublas\.so\.12.*pip install"):
        doctor.diagnose("cpu")


@pytest.mark.parametrize(
    ("module", "package"), [("cv2", "opencv-python-headless"), ("PIL.Image", "pillow")]
)
def test_a_library_of_pictures_that_does_not_load_is_an_error(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    break_import(monkeypatch, module, ImportError("libGL.so.1: cannot open shared object file"))
    report = doctor.diagnose("cpu")
    (problem,) = report.problems
    assert report.failed
    assert "libGL.so.1" in problem.what
    assert problem.remedy == f"pip install --force-reinstall --no-deps {package}"


def test_opencv_whose_files_are_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python imports the folder that is left."""
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    (problem,) = doctor.diagnose("cpu").problems
    assert "OpenCV is damaged" in problem.what


def test_torch_computes_the_convolution_of_the_probe() -> None:
    assert not _probes._report("PyTorch", lambda: _probes.probe_torch(torch, "cpu"))


def test_wrong_numbers_fail_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.nn.functional.conv2d
    monkeypatch.setattr(
        torch.nn.functional, "conv2d", lambda *args, **options: 1.01 * real(*args, **options)
    )
    with pytest.raises(RuntimeError, match="error of"):
        _probes.probe_torch(torch, "cpu")


def test_onnxruntime_computes_the_convolution_of_the_probe() -> None:
    onnxruntime = importlib.import_module("onnxruntime")
    assert not _probes._report(
        "ONNX Runtime", lambda: _probes.probe_onnxruntime(onnxruntime, "CPUExecutionProvider")
    )


def test_a_provider_that_is_not_loaded_is_an_error() -> None:
    (problem,) = _probes._report(
        "ONNX Runtime",
        lambda: _probes.probe_onnxruntime(
            importlib.import_module("onnxruntime"), "CUDAExecutionProvider"
        ),
    )
    assert problem.severity == "error"
    assert "ONNX Runtime does not work on the GPU" in problem.what


def test_dali_decodes_the_picture_of_the_probe() -> None:
    pytest.importorskip("nvidia.dali", reason="DALI has wheels for Linux x86-64 only")
    assert not _probes._report("DALI", lambda: _probes.probe_dali(device_id=None))


def test_extras_are_those_of_the_installation() -> None:
    """All extras but those of developers, with all that each adds to a plain installation."""
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[3] / "setup.cfg")
    added = {
        extra: set(re.findall(r"^[A-Za-z][\w-]*(?![\w\[-])", requirements, re.MULTILINE))
        for extra, requirements in settings["options.extras_require"].items()
        if extra not in ("dev", "docs", "full", "release")
    }
    added["align"].remove("opencv-python-headless")  # a plain installation has it
    listed = {extra: set(names) for extra, names in _extras.EXTRAS.items()}
    listed["ray-serve"] = set()  # extras of others cannot be looked up; see there
    assert listed == added


def test_an_extra_without_one_of_its_packages_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _extras, "find_version", lambda name: None if name in ("s3fs", "av") else "1.0"
    )
    report = doctor.diagnose("cpu")
    assert [name for name, found in report.extras.items() if not found] == ["remote", "video"]
    assert report.problems == []
