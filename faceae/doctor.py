"""Finds out what this machine can run, and what is missing.

The GPU checks are written from the documentation and have not run on a GPU.
"""

import importlib
import importlib.metadata
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from types import ModuleType
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
_PINNED = "pip install -c constraints.txt . (in faceae's folder)"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem of this machine, and its remedy."""

    severity: Literal["error", "warning"]
    """error: the requested device cannot work; warning: something else would not work."""
    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of `diagnose`."""

    python: str
    machine: str
    cores: int
    """Cores this process may use."""
    packages: dict[str, str | None]
    """Version of each distribution; None where it is not installed."""
    cuda_majors: dict[str, int | None]
    """CUDA major version that each library was built for; None if built without or missing."""
    gpus: list[str]
    driver: str | None
    device: str
    """The device that `auto` chooses here."""
    amp: str
    """The dtype that mixed precision chooses on that device, and the reason."""
    bf16_speedup: float | None
    """How many times as fast a convolution step is in bfloat16 as in float32 on this CPU. None: not
    measured."""
    loader: str | None
    """The loader that `auto` chooses here; None if no loader works."""
    problems: list[Problem]

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(device: Literal["auto", "cpu", "cuda"] = "auto", *, measure: bool = False) -> Report:
    """Examine this machine for a command that uses `device`.

    Args:
        measure: time bfloat16 against float32 on the CPU, which takes about half a second.

    Raises:
        FaceaeError: torch itself cannot be imported.
    """
    libraries = {name: _import(name) for name in ("torch", "nvidia.dali", "onnxruntime")}
    if isinstance(libraries["torch"], ImportError):
        raise FaceaeError(f"torch cannot be imported ({libraries['torch']}): {_PINNED}")
    majors = {
        "torch": _torch_cuda_major(libraries["torch"]),
        "dali": _dali_cuda_major(libraries["nvidia.dali"]),
        "onnxruntime": _onnxruntime_cuda_major(libraries["onnxruntime"]),
    }
    packages = {name: _version(name) for name in PACKAGES}
    gpus, driver = _gpus(libraries["torch"]), _driver()
    wants_gpu = device == "cuda" or (device == "auto" and bool(gpus))
    problems = [
        *_device_problems(device, gpus, driver),
        *_major_problems(majors, wants_gpu),
        *_package_problems(packages, libraries),
        *(_provider_problems(libraries["onnxruntime"]) if wants_gpu and gpus else []),
    ]
    picked, amp = _choices(device)
    return Report(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        cores=_count_cores(),
        packages=packages,
        cuda_majors=majors,
        gpus=gpus,
        driver=driver,
        device=picked,
        amp=amp,
        bf16_speedup=_measure_bf16_speedup() if measure else None,
        loader=_loader(libraries["nvidia.dali"], packages),
        problems=problems,
    )


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _import(name: str) -> ModuleType | ImportError:
    """Import a library as the commands do, since an installed library may fail to load."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        return error


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch_cuda_major(torch: ModuleType) -> int | None:
    return int(torch.version.cuda.split(".")[0]) if torch.version.cuda else None


def _dali_cuda_major(dali: ModuleType | ImportError) -> int | None:
    # DALI gives the version without dots: 12986 is 12.9.86.
    return None if isinstance(dali, ImportError) else int(str(dali.__cuda_version__)[:2])


def _onnxruntime_cuda_major(onnxruntime: ModuleType | ImportError) -> int | None:
    if isinstance(onnxruntime, ImportError):
        return None
    info = importlib.import_module("onnxruntime.capi.build_and_package_info")
    cuda_version = getattr(info, "cuda_version", "")
    return int(cuda_version.split(".")[0]) if cuda_version else None


def _gpus(torch: ModuleType) -> list[str]:
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


def _measure_bf16_speedup() -> float:
    from faceae.device import measure_bf16_speedup

    return measure_bf16_speedup()


def _loader(dali: ModuleType | ImportError, packages: dict[str, str | None]) -> str | None:
    if isinstance(dali, ModuleType):
        return "dali"
    return "webdataset" if packages["webdataset"] else None


def _device_problems(
    device: Literal["auto", "cpu", "cuda"], gpus: list[str], driver: str | None
) -> list[Problem]:
    from faceae.device import why_no_cuda

    if gpus or device == "cpu":
        return []
    what, remedy = why_no_cuda()
    if device == "cuda":
        return [Problem(severity="error", what=f"`device='cuda'`: {what}", remedy=remedy)]
    if driver is not None:
        what = f"there is an NVIDIA driver ({driver}), but {what}: `device='auto'` takes the CPU"
        return [Problem(severity="warning", what=what, remedy=remedy)]
    return []


def _major_problems(majors: dict[str, int | None], wants_gpu: bool) -> list[Problem]:
    """Libraries built for different CUDA majors conflict; some then run on the CPU."""
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


def _package_problems(
    packages: dict[str, str | None], libraries: dict[str, ModuleType | ImportError]
) -> list[Problem]:
    problems = []
    if packages["onnxruntime"] and packages["onnxruntime-gpu"]:
        problems.append(
            Problem(
                severity="error",
                what="onnxruntime and onnxruntime-gpu are both installed and overwrite each other",
                remedy="pip uninstall -y onnxruntime onnxruntime-gpu, then " + _PINNED,
            )
        )
    onnxruntime, dali = libraries["onnxruntime"], libraries["nvidia.dali"]
    if isinstance(onnxruntime, ImportError):
        what = f"onnxruntime cannot be imported ({onnxruntime}): no ONNX file can be run"
        problems.append(Problem(severity="error", what=what, remedy=_PINNED))
    if isinstance(dali, ImportError):
        problems.append(
            Problem(
                severity="warning",
                what=f"DALI cannot be imported ({dali}): `loader='dali'` is not available",
                remedy=f"on Linux x86-64: {_PINNED}; elsewhere use `loader='webdataset'`",
            )
        )
    return problems


def _provider_problems(onnxruntime: ModuleType | ImportError) -> list[Problem]:
    """Open a session on the GPU: the list of providers only shows what was compiled in."""
    if isinstance(onnxruntime, ImportError):
        return []  # reported by _package_problems
    provider = "CUDAExecutionProvider"
    try:
        session = onnxruntime.InferenceSession(_tiny_model(), providers=[provider])
        loaded = provider in session.get_providers()
    except (RuntimeError, ValueError):  # ONNX Runtime raises these if a provider fails to load
        loaded = False
    if loaded:
        return []
    what = "onnxruntime cannot load its CUDA provider (a CUDA or cuDNN library is missing)"
    return [Problem(severity="error", what=what, remedy=_PINNED)]


def _tiny_model() -> bytes:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data
