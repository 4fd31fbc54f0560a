"""Errors of the software that runs models."""

from onnxruntime.capi import onnxruntime_pybind11_state as ort

from faceae.errors import FaceaeError

ENGINE_ERRORS: tuple[type[Exception], ...] = (
    MemoryError,
    RuntimeError,
    ort.EPFail,
    ort.EngineError,
    ort.Fail,
    ort.InvalidArgument,
    ort.NotImplemented,
    ort.RuntimeException,
)
"""Errors that torch, OpenVINO and ONNX Runtime raise when they cannot compute. torch's
OutOfMemoryError is a RuntimeError; ONNX Runtime's errors are not."""

_GPU_MARKS = ("CUBLAS", "CUDA", "CUDNN", "cuBLAS", "cuDNN", "TensorRT", "allocate memory")
"""Parts of the messages of errors that come from a GPU, not from a file."""
_SCRIPT_ERROR = "The following operation failed in the TorchScript interpreter"
"""First line of TorchScript's errors. The reason is in the last one."""


def summarise(error: Exception) -> str:
    """Return the line of an error's message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1] if lines[0].startswith(_SCRIPT_ERROR) else lines[0]


def is_gpu_failure(error: Exception) -> bool:
    """Return whether a GPU, its driver or its memory caused the error."""
    return any(mark in str(error) for mark in _GPU_MARKS)


def explain_gpu_failure(what: object, engine: str, error: Exception) -> FaceaeError:
    """Return an error for a file or model that an engine cannot run on this GPU."""
    return FaceaeError(
        f"{what}: {engine} failed on the GPU ({summarise(error)}); use `device='cpu'` or another "
        "`engine`"
    )
