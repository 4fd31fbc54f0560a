"""What this machine can and cannot run.

The checks of a GPU are written from the documentation and have not run on one.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from typing import Any, Literal

from faceae.errors import FaceaeError

PACKAGES = (
    "torch",
    "torchvision",
    "nvidia-dali-cuda120",
    "onnxruntime-gpu",
    "onnxruntime",
    "webdataset",
    "numpy",
    "onnx",
    "safetensors",
)
_PINNED = "pip install -c constraints.txt faceae"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that would not work."""

    severity: Literal["error", "warning"]
    """error: what was asked for cannot work; warning: something else would not."""
    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `diagnose` found."""

    python: str
    machine: str
    cores: int
    """Cores this process may use."""
    packages: dict[str, str | None]
    """Version of each distribution; None where it is not installed."""
    cuda_majors: dict[str, int | None]
    """CUDA major each library was built for; None where it was built without or is missing."""
    gpus: list[str]
    driver: str | None
    device: str
    """What `--device auto` takes here."""
    amp: str
    """What `--amp` takes on that device, and why."""
    loader: str | None
    """What `--loader auto` takes here; None if no loader works."""
    problems: list[Problem]

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(device: Literal["auto", "cpu", "cuda"] = "auto") -> Report:
    """Look at this machine as a command with `--device DEVICE` would find it.

    Raises:
        FaceaeError: torch itself cannot be imported.
    """
    packages = {name: _version(name) for name in PACKAGES}
    majors = {
        "torch": _torch_cuda_major(),
        "dali": _dali_cuda_major(),
        "onnxruntime": _onnxruntime_cuda_major(),
    }
    gpus = _gpus()
    wants_gpu = device == "cuda" or (device == "auto" and bool(gpus))
    problems = [
        *_device_problems(device),
        *_major_problems(majors, wants_gpu),
        *_package_problems(packages),
        *(_provider_problems() if wants_gpu and gpus else []),
    ]
    picked, amp = _choices(device)
    return Report(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        packages=packages,
        cuda_majors=majors,
        gpus=gpus,
        driver=_driver(),
        device=picked,
        amp=amp,
        loader=_loader(),
        problems=problems,
    )


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch_cuda_major() -> int | None:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise FaceaeError(f"torch cannot be imported ({error}): {_PINNED}") from error
    return int(torch.version.cuda.split(".")[0]) if torch.version.cuda else None


def _dali_cuda_major() -> int | None:
    if importlib.util.find_spec("nvidia") is None or not importlib.util.find_spec("nvidia.dali"):
        return None
    # The version's digits without the dots: 12.9.86 is 12986.
    return int(str(importlib.import_module("nvidia.dali").__cuda_version__)[:2])


def _onnxruntime_cuda_major() -> int | None:
    try:
        info = importlib.import_module("onnxruntime.capi.build_and_package_info")
    except ImportError:
        return None
    cuda_version = getattr(info, "cuda_version", "")
    return int(cuda_version.split(".")[0]) if cuda_version else None


def _gpus() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None


def _choices(requested: Literal["auto", "cpu", "cuda"]) -> tuple[str, str]:
    from faceae.device import choose_amp, resolve_device

    try:
        device = resolve_device(requested)
    except FaceaeError:
        return "none", "none"
    return str(device), choose_amp(device, requested=True).reason


def _loader() -> str | None:
    if _version("nvidia-dali-cuda120"):
        return "dali"
    return "webdataset" if _version("webdataset") else None


def _device_problems(device: Literal["auto", "cpu", "cuda"]) -> list[Problem]:
    from faceae.device import resolve_device, why_no_cuda

    try:
        resolve_device(device)
    except FaceaeError:
        remedy = (
            "install an NVIDIA driver (525 or newer) on a machine with a GPU, or use --device cpu"
        )
        return [Problem(severity="error", what=f"--device cuda: {why_no_cuda()}", remedy=remedy)]
    return []


def _major_problems(majors: dict[str, int | None], wants_gpu: bool) -> list[Problem]:
    """Libraries of different CUDA majors load different runtimes; some then run on the CPU."""
    known = {name: major for name, major in majors.items() if major is not None}
    if len(set(known.values())) <= 1:
        return []
    listed = ", ".join(f"{name} {major}" for name, major in known.items())
    return [
        Problem(
            severity="error" if wants_gpu else "warning",
            what=f"the libraries are built for different CUDA majors: {listed}",
            remedy=f"install the tested set, CUDA 12 throughout: {_PINNED}",
        )
    ]


def _package_problems(packages: dict[str, str | None]) -> list[Problem]:
    problems = []
    if packages["onnxruntime"] and packages["onnxruntime-gpu"]:
        problems.append(
            Problem(
                severity="error",
                what="onnxruntime and onnxruntime-gpu are both installed and overwrite each other",
                remedy="pip uninstall -y onnxruntime onnxruntime-gpu, then " + _PINNED,
            )
        )
    if not (packages["onnxruntime"] or packages["onnxruntime-gpu"]):
        what = "onnxruntime is not installed: no ONNX file can be written or run"
        problems.append(Problem(severity="error", what=what, remedy=_PINNED))
    if not packages["nvidia-dali-cuda120"]:
        problems.append(
            Problem(
                severity="warning",
                what="DALI is not installed: --loader dali is not available",
                remedy=f"on Linux x86-64: {_PINNED}; elsewhere use --loader webdataset",
            )
        )
    return problems


def _provider_problems() -> list[Problem]:
    """Open a session on the GPU: the list of available providers says only what was compiled in."""
    import onnx
    import onnxruntime

    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    opset = [onnx.helper.make_opsetid("", 17)]
    graph = onnx.helper.make_graph([node], "probe", [value], [result])
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CUDAExecutionProvider"]
    )
    if "CUDAExecutionProvider" in session.get_providers():
        return []
    what = "onnxruntime cannot load its CUDA provider (a CUDA or cuDNN library is missing)"
    return [Problem(severity="error", what=what, remedy=_PINNED)]
