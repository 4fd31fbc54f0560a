"""What torch can do with this machine's GPUs, and why it cannot."""

import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple

from ._libraries import describe_error, import_library
from ._report import PINNED, Problem

_C_COMPILERS = ("gcc", "clang", "cc")
_CXX_COMPILERS = ("clang++",) if sys.platform == "darwin" else ("g++",)
"""What torch.compile calls on a CPU where CXX names no other."""


class Gpus(NamedTuple):
    """GPUs that torch can use."""

    names: list[str]
    architectures: list[str]
    """Architectures that torch has kernels for, as `torch.cuda.get_arch_list` names them."""
    error: str | None
    """What torch says where it cannot use a GPU."""


def find_gpus(torch: ModuleType) -> Gpus:
    """Return the GPUs that torch can use.

    `device_count` asks the driver, and counts GPUs of a driver that is too old for torch.
    `is_available` is therefore asked first.
    """
    try:
        with warnings.catch_warnings():
            # The text of this warning is that of the exception of `init`.
            warnings.simplefilter("ignore")
            if not torch.cuda.is_available():
                return Gpus([], [], _why_not(torch))
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Gpus(names, torch.cuda.get_arch_list(), None)
    except Exception as error:
        return Gpus([], [], describe_error(error))


def _why_not(torch: ModuleType) -> str | None:
    try:
        torch.cuda.init()
    except Exception as error:
        return describe_error(error)
    return None


def find_driver() -> str | None:
    """Return the version of the NVIDIA driver, or None without one."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None


def find_device_problems(
    device: Literal["auto", "cpu", "cuda"], gpus: Gpus, driver: str | None
) -> list[Problem]:
    """Return a problem if `device` wants a GPU that torch cannot use."""
    from faceae.device import why_no_cuda

    if gpus.names or device == "cpu":
        return []
    what, remedy = why_no_cuda()
    if gpus.error is not None:
        what = f"{what} ({gpus.error})"
    if device == "cuda":
        return [Problem(severity="error", what=f"`device='cuda'`: {what}", remedy=remedy)]
    if driver is not None:
        what = f"there is an NVIDIA driver ({driver}), but {what}: `device='auto'` takes the CPU"
        return [Problem(severity="warning", what=what, remedy=remedy)]
    return []


def find_architecture_problems(torch: ModuleType, gpus: Gpus) -> list[Problem]:
    """Return a problem for each GPU that torch has no kernels for."""
    problems = []
    for index, name in enumerate(gpus.names):
        capability = torch.cuda.get_device_capability(index)
        if not has_kernels(capability, gpus.architectures):
            what = (
                f"torch {torch.__version__} has no kernels for {name} (sm_{capability[0]}"
                f"{capability[1]}), only for {', '.join(gpus.architectures)}"
            )
            remedy = "use a build of torch for this GPU, or `device='cpu'`"
            problems.append(Problem(severity="error", what=what, remedy=remedy))
    return problems


def has_kernels(capability: tuple[int, int], architectures: list[str]) -> bool:
    """Return whether code for one of `architectures` runs on a GPU of this compute capability.

    Machine code (sm_) runs on GPUs of the same major version whose minor version is not lower. PTX
    (compute_) is translated for every later GPU. A letter at the end means code for one GPU only.
    """
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = number.rstrip("af")
        if not digits.isdigit():
            continue
        built_for = int(digits[:-1]), int(digits[-1])
        if number.endswith("a"):
            runs = capability == built_for
        elif kind == "compute":
            runs = capability >= built_for
        else:
            runs = capability[0] == built_for[0] and capability >= built_for
        if runs:
            return True
    return False


def describe_compiler(*, on_gpu: bool) -> tuple[str, bool]:
    """Return what `compile` finds here, and whether that is enough.

    torch.compile builds C++ kernels on a CPU. On a GPU, Triton builds its launcher in C. Both need
    the headers of Python.
    """
    language, variable, names = (
        ("C", "CC", _C_COMPILERS) if on_gpu else ("C++", "CXX", _CXX_COMPILERS)
    )
    compiler = _find_compiler(variable, names)
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    found = [compiler or f"no {language} compiler ({', '.join(names)} or {variable})"]
    found.append("Python.h" if header.is_file() else f"no {header} (python3-dev)")
    return ", ".join(found), compiler is not None and header.is_file()


def _find_compiler(variable: str, names: tuple[str, ...]) -> str | None:
    if asked := os.environ.get(variable):
        names = (asked,)
    return next((found for name in names if (found := shutil.which(name))), None)


def find_compiler_problems() -> list[Problem]:
    """Return a problem if Triton cannot build its launcher."""
    found, enough = describe_compiler(on_gpu=True)
    if enough:
        return []
    return [
        Problem(
            severity="warning",
            what=f"`compile` does not work on a GPU: {found}",
            remedy="install a C compiler and Python's headers (gcc, python3-dev), or leave "
            "`compile` out",
        )
    ]


def check_triton() -> list[Problem]:
    """Return a problem if Triton, which `compile` needs on a GPU, cannot be imported."""
    triton = import_library("triton")
    if not isinstance(triton, Exception):
        return []
    what = f"`compile` does not work on a GPU: Triton cannot be imported ({describe_error(triton)})"
    return [Problem(severity="warning", what=what, remedy=PINNED)]
