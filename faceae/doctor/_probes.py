"""Small computations on the device that show whether each library really uses it.

Every probe raises an exception if the library fails or returns wrong numbers. They run on a CPU,
too, so that they are tested where there is no GPU.

Shapes: N images, C channels, H and W pixels.
"""

import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._libraries import Library, describe_error
from ._report import PINNED, Problem

_LARGEST_ERROR = 1e-3
"""Largest error of the convolution's values, which are about 1."""
_LARGEST_PIXEL_ERROR = 8
"""Largest error of a decoded pixel: decoders round differently."""


def find_gpu_problems(torch: ModuleType, dali: Library, onnxruntime: Library) -> list[Problem]:
    """Compute with each library on the first GPU, and return what failed.

    Libraries that cannot be imported are left to `find_library_problems`.
    """
    problems = _report("torch", lambda: probe_torch(torch, "cuda"))
    if isinstance(onnxruntime, ModuleType):
        problems += _report(
            "ONNX Runtime", lambda: probe_onnxruntime(onnxruntime, "CUDAExecutionProvider")
        )
    if isinstance(dali, ModuleType):
        problems += _report("DALI", lambda: probe_dali(device_id=0))
    return problems


def _report(library: str, probe: Callable[[], None]) -> list[Problem]:
    try:
        probe()
    except Exception as error:
        what = f"{library} does not work on the GPU ({describe_error(error)})"
        return [Problem(severity="error", what=what, remedy=PINNED)]
    return []


def probe_torch(torch: ModuleType, device: str) -> None:
    """Compute a convolution with torch.

    Raises:
        Exception: torch cannot, or its values are wrong.
    """
    x_NCHW, weight = _convolution_inputs()
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        tensors = [torch.from_numpy(array).to(device) for array in (x_NCHW, weight)]
        found = torch.nn.functional.conv2d(*tensors, stride=2, padding=1).cpu().numpy()
    _compare(found)


def probe_onnxruntime(onnxruntime: ModuleType, provider: str) -> None:
    """Compute a convolution with ONNX Runtime.

    The list of its providers only shows what was compiled in.

    Raises:
        Exception: ONNX Runtime cannot, uses another provider, or its values are wrong.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    x_NCHW, weight = _convolution_inputs()
    named = (provider, {"use_tf32": "0"} if provider.startswith("CUDA") else {})
    session = onnxruntime.InferenceSession(
        make_convolution(weight), sess_options=options, providers=[named]
    )
    if provider not in session.get_providers():
        raise RuntimeError(
            f"{provider} was not loaded: a CUDA or cuDNN library is missing or of another version"
        )
    (found,) = session.run(None, {"x": x_NCHW})
    _compare(found)


def probe_dali(device_id: int | None) -> None:
    """Decode one JPEG with DALI, on a GPU as the loader does, or on the CPU without `device_id`.

    Raises:
        Exception: DALI cannot, or its pixels are wrong.
    """
    from nvidia.dali import fn, types
    from nvidia.dali.pipeline import Pipeline

    expected, jpeg = _make_jpeg()
    pipeline = Pipeline(batch_size=1, num_threads=1, device_id=device_id)
    with pipeline:
        stored = fn.external_source(source=lambda: [np.frombuffer(jpeg, np.uint8)], batch=True)
        place = "cpu" if device_id is None else "mixed"
        image = fn.decoders.image(
            stored, device=place, output_type=types.RGB, jpeg_fancy_upsampling=True
        )
        pipeline.set_outputs(image)
    pipeline.build()
    (images,) = pipeline.run()
    found = np.asarray(images[0] if device_id is None else images.as_cpu()[0])
    error = np.abs(found.astype(int) - expected.astype(int)).max()
    if error > _LARGEST_PIXEL_ERROR:
        raise RuntimeError(f"it decodes a JPEG with errors up to {error} of 255")


def _make_jpeg() -> tuple[NDArray[np.uint8], bytes]:
    """Return the pixels that Pillow decodes, 32 x 48 x 3, and the JPEG."""
    from PIL import Image

    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    image = np.stack([np.tile(ramp, (32, 1))] * 3, axis=2)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return np.asarray(Image.open(file).convert("RGB")), file.getvalue()


def _convolution_inputs() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return images, 2 x 8 x 16 x 16, and the weights of a 4x4 convolution of stride 2."""
    rng = np.random.default_rng(0)
    x_NCHW = rng.standard_normal((2, 8, 16, 16), np.float32)
    return x_NCHW, rng.standard_normal((16, 8, 4, 4), np.float32) / np.float32(128**0.5)


def _compare(found: NDArray[Any]) -> None:
    """Raise RuntimeError unless `found` is the convolution that NumPy computes."""
    x_NCHW, weight = _convolution_inputs()
    padded = np.pad(x_NCHW, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(2, 3))[:, :, ::2, ::2]
    expected = np.einsum("nchwyx,ocyx->nohw", windows, weight)
    if found.shape != expected.shape:
        raise RuntimeError(f"a convolution returns {found.shape} instead of {expected.shape}")
    error = float(np.abs(found - expected).max())
    if not error <= _LARGEST_ERROR:
        raise RuntimeError(f"a convolution has an error of {error:.3g}")


def make_convolution(weight: NDArray[np.float32]) -> bytes:
    """Return an ONNX model of a convolution of stride 2 and padding 1."""
    from onnx import TensorProto, helper, numpy_helper

    num_out, num_in = weight.shape[:2]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", num_in, "H", "W"])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", num_out, None, None])
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node], "probe", [value], [result], [numpy_helper.from_array(weight, "w")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data
