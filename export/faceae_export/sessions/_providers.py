"""What ONNX Runtime computes in: the providers to ask for, and why one of them did not load.

What concerns GPUs has not run on one.
"""

import ctypes
import sys
from pathlib import Path

import onnxruntime
import torch

from faceae.errors import FaceaeError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Providers = list[tuple[str, dict[str, str]]]

_LIBRARIES = {CUDA: "onnxruntime_providers_cuda", TENSORRT: "onnxruntime_providers_tensorrt"}
_SHARED = "onnxruntime_providers_shared"
"""Which the others need, and ONNX Runtime loads before them."""
_NAMES = {"linux": "lib{}.so", "win32": "{}.dll"}
_REMEDIES = {
    CUDA: "it needs CUDA 12 and cuDNN 9",
    TENSORRT: "it needs CUDA 12, cuDNN 9 and TensorRT 10, which is not installed with faceae",
}


def choose_providers(
    device: torch.device,
    available: list[str],
    *,
    with_tensorrt: bool = False,
    stream: int | None = None,
) -> Providers:
    """Return the providers to ask ONNX Runtime for, the one that must load first, with options.

    Args:
        available: in this build of ONNX Runtime.
        with_tensorrt: let TensorRT compute what it can.
        stream: address of the CUDA stream to compute on.

    Raises:
        FaceaeError: this build of ONNX Runtime has none for `device`.
    """
    if device.type == "cpu" and not with_tensorrt:
        return [(CPU, {})]
    needed = TENSORRT if with_tensorrt else CUDA
    if device.type != "cuda" or needed not in available:
        raise FaceaeError(
            f"--device {device.type}: the installed ONNX Runtime has no {needed} for it; "
            "install onnxruntime-gpu 1.26 in place of onnxruntime, or use "
            f"{'another --engine' if with_tensorrt else '--device cpu'}"
        )
    place = {"device_id": str(device.index or 0)}
    if stream is not None:
        place["user_compute_stream"] = str(stream)
    # float32 is to mean float32, as on the CPU. TensorRT has no such option in ONNX Runtime.
    asked: Providers = [(CUDA, {**place, "use_tf32": "0"}), (CPU, {})]
    return [(TENSORRT, place), *asked] if with_tensorrt else asked


def explain_not_loaded(provider: str) -> FaceaeError:
    """Return the error that says why ONNX Runtime did not load `provider`.

    It only logs the reason, so the system is asked to load the provider's library again, and what
    it answers names the library that is missing.
    """
    return FaceaeError(
        f"ONNX Runtime could not load {provider}: {_find_problem(provider)}; "
        f"{_REMEDIES[provider]}; `faceae doctor` says more, or use another --engine or --device cpu"
    )


def _find_problem(provider: str, folder: Path | None = None) -> str:
    """Say what keeps a provider from being loaded.

    Args:
        folder: of the libraries; by default ONNX Runtime's own.
    """
    name = _NAMES.get(sys.platform)
    if name is None:
        return "there is none for this system"
    folder = folder or Path(onnxruntime.__file__).parent / "capi"
    try:
        for library in (_SHARED, _LIBRARIES[provider]):
            ctypes.CDLL(str(folder / name.format(library)), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return str(error)
    return "its libraries are all there, but no GPU that it can use"
