"""Options of ONNX Runtime's TensorRT provider for an exported file.

They follow ONNX Runtime's documentation and have not run on a GPU yet.
"""

import contextlib
import hashlib
import importlib
from pathlib import Path

from faceae_shards.storage import find_cache

from .._metadata import FREE, ExportInfo
from ..sessions import GPU_MICRO_BATCH


def make_tensorrt_options(path: Path, info: ExportInfo) -> dict[str, str]:
    """Return the options for a file, and make the folders of the caches that they name.

    One engine serves every batch up to `GPU_MICRO_BATCH`, for which it is optimised. Engines are
    kept, because building one takes minutes.

    Raises:
        OSError: the cache folder cannot be written.
    """
    timings = find_cache() / "tensorrt"
    # ONNX Runtime names an engine after the file's name and its operators. The weights are part of
    # an engine, too, so each content has a folder of its own.
    engines = timings / hashlib.sha256(path.read_bytes()).hexdigest()
    engines.mkdir(parents=True, exist_ok=True)
    return {
        # Without it TensorRT computes fp16 files in float32.
        "trt_fp16_enable": str(int(info.precision == "fp16")),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(timings),
        **_make_profile(info),
    }


def load_tensorrt() -> None:
    """Load the libraries of TensorRT's wheel, which are not on the loader's path.

    Does nothing if the wheel is not installed; the system may have the libraries.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("tensorrt")


def _make_profile(info: ExportInfo) -> dict[str, str]:
    """Return the smallest, the best and the largest shapes of the inputs. {}: all are fixed."""
    free = [port for port in info.inputs if FREE in port.shape]
    if not free:
        return {}
    counts = {"min": 1, "opt": GPU_MICRO_BATCH, "max": GPU_MICRO_BATCH}
    return {
        f"trt_profile_{name}_shapes": ",".join(
            f"{port.name}:" + "x".join(str(count if size == FREE else size) for size in port.shape)
            for port in free
        )
        for name, count in counts.items()
    }
