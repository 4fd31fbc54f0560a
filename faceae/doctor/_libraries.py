"""Installed libraries: versions, CUDA majors, and those that do not load or conflict."""

import importlib
import importlib.metadata
from types import ModuleType

from ._report import PINNED, Problem

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
_PICTURE_LIBRARIES = {
    "cv2": ("OpenCV", "opencv-python-headless", "imdecode"),
    "PIL.Image": ("Pillow", "pillow", "open"),
}
"""Name, distribution and a function of each library that pictures need, by its module."""
_REINSTALL = f"pip uninstall -y onnxruntime onnxruntime-gpu, then {PINNED}"

Library = ModuleType | Exception
"""A library, or the reason why it cannot be imported."""


def import_library(name: str) -> Library:
    """Import a library as the commands do, since an installed library may fail to load.

    Besides ImportError, torch raises OSError or ValueError where one of the nvidia wheels is
    missing.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:
        return error


def find_versions() -> dict[str, str | None]:
    """Return the version of each distribution, None where it is not installed."""
    return {name: find_version(name) for name in PACKAGES}


def find_version(distribution: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe_error(error: BaseException) -> str:
    """Return an exception as one line."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


def find_cuda_majors(
    torch: ModuleType, dali: Library, onnxruntime: Library
) -> dict[str, int | None]:
    """Return the CUDA major version that each library was built for."""
    return {
        "torch": int(torch.version.cuda.split(".")[0]) if torch.version.cuda else None,
        "dali": _dali_cuda_major(dali),
        "onnxruntime": _onnxruntime_cuda_major(onnxruntime),
    }


def _dali_cuda_major(dali: Library) -> int | None:
    # DALI gives the version without dots: 12986 is 12.9.86.
    return None if isinstance(dali, Exception) else int(str(dali.__cuda_version__)[:2])


def _onnxruntime_cuda_major(onnxruntime: Library) -> int | None:
    if isinstance(onnxruntime, Exception):
        return None
    info = importlib.import_module("onnxruntime.capi.build_and_package_info")
    cuda_version = getattr(info, "cuda_version", "")
    return int(cuda_version.split(".")[0]) if cuda_version else None


def find_mixed_majors(majors: dict[str, int | None], *, wants_gpu: bool) -> list[Problem]:
    """Return a problem if libraries are built for different CUDA majors.

    They conflict then, and some of them run on the CPU.
    """
    known = {name: major for name, major in majors.items() if major is not None}
    if len(set(known.values())) <= 1:
        return []
    listed = ", ".join(f"{name} {major}" for name, major in known.items())
    return [
        Problem(
            severity="error" if wants_gpu else "warning",
            what=f"the libraries are built for different CUDA majors: {listed}",
            remedy=f"install the tested set, CUDA 12 throughout: {PINNED}",
        )
    ]


def find_library_problems(
    packages: dict[str, str | None], dali: Library, onnxruntime: Library, *, wants_gpu: bool
) -> list[Problem]:
    """Return what is wrong with the installation of ONNX Runtime and DALI."""
    problems = _onnxruntime_problems(packages, onnxruntime, wants_gpu=wants_gpu)
    if isinstance(dali, Exception):
        problems.append(
            Problem(
                severity="warning",
                what=f"DALI cannot be imported ({describe_error(dali)}): `loader='dali'` is not "
                "available",
                remedy=f"on Linux x86-64: {PINNED}; elsewhere use `loader='webdataset'`",
            )
        )
    return problems


def find_picture_problems() -> list[Problem]:
    """Return a problem for each library that pictures need and that does not load.

    `pip uninstall opencv-python` deletes the files of opencv-python-headless, too, and leaves a
    folder that can be imported and holds nothing.
    """
    problems = []
    for module, (name, distribution, function) in _PICTURE_LIBRARIES.items():
        library = import_library(module)
        if isinstance(library, Exception):
            what = f"{name} cannot be imported ({describe_error(library)})"
        elif not hasattr(library, function):
            what = f"{name} is damaged: it has no {function}"
        else:
            continue
        remedy = f"pip install --force-reinstall --no-deps {distribution}"
        problems.append(
            Problem(severity="error", what=f"{what}; faceae cannot run without it", remedy=remedy)
        )
    return problems


def _onnxruntime_problems(
    packages: dict[str, str | None], onnxruntime: Library, *, wants_gpu: bool
) -> list[Problem]:
    plain, with_cuda = packages["onnxruntime"], packages["onnxruntime-gpu"]
    problems = []
    if plain and with_cuda:
        what = (
            f"onnxruntime {plain} and onnxruntime-gpu {with_cuda} are both installed and overwrite "
            "each other's files"
        )
        problems.append(Problem(severity="error", what=what, remedy=_REINSTALL))
    elif plain and wants_gpu:
        what = (
            f"onnxruntime {plain} is installed in place of onnxruntime-gpu: it is built without "
            "CUDA, so ONNX files run on the CPU only"
        )
        problems.append(Problem(severity="error", what=what, remedy=_REINSTALL))
    if isinstance(onnxruntime, Exception):
        what = (
            f"onnxruntime cannot be imported ({describe_error(onnxruntime)}): no ONNX file can be "
            "run"
        )
        problems.append(Problem(severity="error", what=what, remedy=PINNED))
    return problems
