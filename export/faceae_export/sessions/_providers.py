"""Choose ONNX Runtime's execution providers, and explain why one did not load.

The GPU providers have not run on a GPU yet.
"""

import ctypes
import sys
from collections.abc import Mapping
from pathlib import Path

import onnxruntime
import torch

from faceae.errors import FaceaeError

from .._metadata import Precision

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Providers = list[tuple[str, dict[str, str]]]

_LIBRARIES = {CUDA: "onnxruntime_providers_cuda", TENSORRT: "onnxruntime_providers_tensorrt"}
_SHARED = "onnxruntime_providers_shared"
"""Library that the others need. ONNX Runtime loads it first."""
_NAMES = {"linux": "lib{}.so", "win32": "{}.dll"}
_REMEDIES = {
    CUDA: "it needs CUDA 12 and cuDNN 9",
    TENSORRT: "it needs CUDA 12, cuDNN 9 and TensorRT 10, which is not installed with faceae",
}


def choose_providers(
    device: torch.device,
    available: list[str],
    *,
    precision: Precision = "fp32",
    tensorrt: Mapping[str, str] | None = None,
    stream: int | None = None,
) -> Providers:
    """Return execution providers and their options, in order of preference.

    ONNX Runtime must load the first one. It uses the others for operators that the first lacks.

    Args:
        available: providers in this build of ONNX Runtime.
        precision: precision of the file.
        tensorrt: options of TensorRT, which is then preferred. None: without TensorRT.
        stream: address of the CUDA stream to compute on.

    Raises:
        FaceaeError: this build of ONNX Runtime has no provider for `device`.
    """
    if device.type == "cpu" and tensorrt is None:
        return [(CPU, {})]
    needed = CUDA if tensorrt is None else TENSORRT
    if device.type != "cuda" or needed not in available:
        other = "`device='cpu'`" if tensorrt is None else "another `engine`"
        raise FaceaeError(
            f"`device={device.type!r}`: the installed ONNX Runtime has no {needed} for it; "
            f"install onnxruntime-gpu 1.26 in place of onnxruntime, or use {other}"
        )
    place = {"device_id": str(device.index or 0)}
    if stream is not None:
        place["user_compute_stream"] = str(stream)
    # Full float32 as on the CPU. ONNX Runtime has no such option for TensorRT. Without TF32, ONNX
    # Runtime takes no cuDNN plan with tensor cores, which fp16 convolutions need.
    use_tf32 = "0" if precision == "fp32" else "1"
    providers: Providers = [(CUDA, {**place, "use_tf32": use_tf32}), (CPU, {})]
    return providers if tensorrt is None else [(TENSORRT, {**place, **tensorrt}), *providers]


def explain_not_loaded(provider: str) -> FaceaeError:
    """Return an error that says why ONNX Runtime did not load `provider`.

    ONNX Runtime only logs the reason. So this loads the provider's library once more, and the
    system's error names the library that is missing.
    """
    return FaceaeError(
        f"ONNX Runtime could not load {provider}: {_find_problem(provider)}; "
        f"{_REMEDIES[provider]}; `faceae doctor` says more, or use another `engine` or "
        "`device='cpu'`"
    )


def _find_problem(provider: str, folder: Path | None = None) -> str:
    """Return the reason why a provider does not load.

    Args:
        folder: folder of the libraries. None: ONNX Runtime's own.
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
