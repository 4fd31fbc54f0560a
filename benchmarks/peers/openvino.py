"""OpenVINO: the plain decoder in float32, and in int8 by NNCF's post-training quantisation.

Settings are those of its documentation: `quantize` with a few hundred samples of the input, and a
compiled model with the same number of threads as everybody else. A static batch size, the hint
LATENCY, and THROUGHPUT with parts of a batch in parallel were tried; none was faster.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

Decode = Callable[[Any], Any]


def open_float32(path: Path, num_threads: int) -> Decode:
    """Open an ONNX file."""
    core = openvino.Core()
    return _compile(core, core.read_model(path), num_threads, precision="f32")


def quantise(path: Path, num_threads: int, z: NDArray[np.float32]) -> Decode:
    """Quantise an ONNX file to int8 with some latents, N x Z.

    Raises:
        ImportError: NNCF is not installed.
    """
    import nncf

    core = openvino.Core()
    dataset = nncf.Dataset([z[start : start + 1] for start in range(min(len(z), 300))])
    quantised = nncf.quantize(core.read_model(path), dataset, subset_size=300)
    return _compile(core, quantised, num_threads, precision="f32")


def _compile(core: Any, model: Any, num_threads: int, precision: str) -> Decode:
    options = {"INFERENCE_NUM_THREADS": num_threads, "INFERENCE_PRECISION_HINT": precision}
    compiled = core.compile_model(model, "CPU", options)
    return lambda z: compiled([z])[0]
