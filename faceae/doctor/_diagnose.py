"""The diagnosis of a machine."""

import os
import platform
from types import ModuleType
from typing import Literal

from faceae.errors import FaceaeError

from ._extras import find_extras
from ._gpus import (
    Gpus,
    check_triton,
    describe_compiler,
    find_architecture_problems,
    find_compiler_problems,
    find_device_problems,
    find_driver,
    find_gpus,
)
from ._libraries import (
    Library,
    describe_error,
    find_cuda_majors,
    find_library_problems,
    find_mixed_majors,
    find_picture_problems,
    find_versions,
    import_library,
)
from ._probes import find_gpu_problems
from ._report import PINNED, Problem, Report


def diagnose(device: Literal["auto", "cpu", "cuda"] = "auto", *, measure: bool = False) -> Report:
    """Examine this machine for a command that uses `device`.

    If that is a GPU, torch, ONNX Runtime and DALI each compute something small on it.

    Args:
        measure: time bfloat16 against float32 on the CPU, which takes about half a second.

    Raises:
        FaceaeError: torch itself cannot be imported.
    """
    torch, dali, onnxruntime = map(import_library, ("torch", "nvidia.dali", "onnxruntime"))
    if isinstance(torch, Exception):
        raise FaceaeError(f"torch cannot be imported ({describe_error(torch)}): {PINNED}")
    majors = find_cuda_majors(torch, dali, onnxruntime)
    packages = find_versions()
    gpus, driver = find_gpus(torch), find_driver()
    wants_gpu = device == "cuda" or (device == "auto" and bool(gpus.names))
    picked, amp = _choices(device)
    return Report(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        cores=_count_cores(),
        packages=packages,
        extras=find_extras(),
        cuda_majors=majors,
        gpus=gpus.names,
        architectures=gpus.architectures,
        driver=driver,
        compiler=describe_compiler(on_gpu=picked.startswith("cuda"))[0],
        device=picked,
        amp=amp,
        bf16_speedup=_measure_bf16_speedup() if measure else None,
        loader=_loader(dali, packages),
        problems=[
            *find_device_problems(device, gpus, driver),
            *find_picture_problems(),
            *find_mixed_majors(majors, wants_gpu=wants_gpu),
            *find_library_problems(packages, dali, onnxruntime, wants_gpu=wants_gpu),
            *(_gpu_problems(gpus, torch, dali, onnxruntime) if wants_gpu and gpus.names else []),
        ],
    )


def _gpu_problems(
    gpus: Gpus, torch: ModuleType, dali: Library, onnxruntime: Library
) -> list[Problem]:
    """Return what does not work on GPUs that torch has found."""
    return [
        *find_architecture_problems(torch, gpus),
        *find_gpu_problems(torch, dali, onnxruntime),
        *find_compiler_problems(),
        *check_triton(),
    ]


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _choices(requested: Literal["auto", "cpu", "cuda"]) -> tuple[str, str]:
    from faceae.device import choose_amp, resolve_device

    try:
        device = resolve_device(requested)
        return str(device), choose_amp(device, requested=True).reason
    except (FaceaeError, RuntimeError):  # RuntimeError: from the driver, and a problem already
        return "none", "none"


def _measure_bf16_speedup() -> float:
    from faceae.device import measure_bf16_speedup

    return measure_bf16_speedup()


def _loader(dali: Library, packages: dict[str, str | None]) -> str | None:
    if isinstance(dali, ModuleType):
        return "dali"
    return "webdataset" if packages["webdataset"] else None
