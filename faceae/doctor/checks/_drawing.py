"""Checks of exported files and of drawing new faces.

Imports of faceae_export are inside the checks, since it needs ONNX Runtime.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.latent import latent_noise

from ._bench import CPU, Bench
from ._outcome import NotRunError, compare, require

if TYPE_CHECKING:
    from faceae_export import FormatName, Kind, Precision

_NUM_FACES = 9
_MAX_SHARE_OFF = 0.01
"""Largest share of pixels that may round to the next level."""


def check_torch_session(bench: Bench) -> str:
    """Compare decoded faces on the GPU with those on the CPU, both by torch."""
    bench.need_gpu()
    from faceae_export import open_model

    z_NZ = latent_noise(0, 0, _NUM_FACES, bench.small.model.config.latent_size)
    found, expected = (
        open_model(bench.small, "decoder", device).run(z_NZ) for device in (bench.device, CPU)
    )
    return compare(found, expected, limit=1e-4)


def check_new_faces(bench: Bench) -> str:
    """Compare new faces drawn by torch on the device with those of ONNX Runtime on the CPU."""
    from faceae_export import generate_faces, open_model

    sessions = (
        open_model(bench.small, "generator", bench.device),
        open_model(bench.small, "generator", CPU, "onnxruntime"),
    )
    # More faces than a GPU computes at once.
    found, expected = (
        np.concatenate(list(generate_faces(session, seed=1, start=5, count=300)))
        for session in sessions
    )
    return compare_levels(found, expected)


def compare_levels(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> str:
    """Return how uint8 pictures differ; at most one level in one of a hundred values.

    Raises:
        DifferenceError: they differ more.
    """
    text = compare(found, expected, limit=1)
    share = float((found != expected).mean())
    require(share <= _MAX_SHARE_OFF, f"{share:.1%} of the pixels differ")
    return f"{text}, in {share:.2%} of the pixels"


def check_export(bench: Bench, format_name: FormatName, kind: Kind, precision: Precision) -> str:
    """Export, which compares the file on the device with the model on the CPU, and open it."""
    from faceae_export import export_model, open_session

    if format_name == "openvino":
        _need_module("openvino")
    suffix = {"onnx": ".onnx", "torchscript": ".ts", "pt2": ".pt2", "openvino": ".xml"}[format_name]
    path = bench.folder / f"{kind}_{precision}{suffix}"
    report = export_model(bench.small, format_name, kind, path, bench.device, precision=precision)
    session = open_session(path, bench.device)
    where = "cuda" if bench.on_gpu else "cpu"
    require(where in session.engine.lower(), f"it runs in {session.engine}")
    psnr = report.parity.psnr_db
    return f"{session.engine}: {'equal' if psnr is None else f'{psnr:.0f} dB'}"


def check_onnx_placement(bench: Bench) -> str:
    """Check by ONNX Runtime's profile that the GPU computes every operator on pictures."""
    bench.need_gpu()
    import onnxruntime

    need_provider("CUDAExecutionProvider")
    path = write_onnx(bench)
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(path, sess_options=options, providers=providers)
        z_NZ = latent_noise(0, 0, _NUM_FACES, bench.small.model.config.latent_size)
        session.run(None, {session.get_inputs()[0].name: z_NZ})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    placed = count_placed(events)
    on_cpu = [name for name, provider in placed if provider == "CPUExecutionProvider"]
    heavy = sorted({"Conv", "ConvTranspose", "Gemm", "MatMul"} & set(on_cpu))
    require(not heavy, f"computed on the CPU: {', '.join(heavy)}")
    require(len(on_cpu) < len(placed), "the profile has no operator on the GPU")
    counts = Counter(provider for _, provider in placed)
    return ", ".join(f"{count} on {provider}" for provider, count in counts.items())


def count_placed(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return operator and provider of each node in ONNX Runtime's profile."""
    nodes = [event.get("args", {}) for event in events if event.get("cat") == "Node"]
    return [(args["op_name"], args["provider"]) for args in nodes if "provider" in args]


def check_io_binding(bench: Bench) -> str:
    """Compare large batches in ONNX Runtime, through bound memory, with those of the CPU."""
    from faceae_export import GPU_MICRO_BATCH, open_model, open_session

    if bench.on_gpu:
        need_provider("CUDAExecutionProvider")
    z_NZ = latent_noise(0, 0, 2 * GPU_MICRO_BATCH + 1, bench.small.model.config.latent_size)
    session = open_session(write_onnx(bench), bench.device)
    found = [session.run(z_NZ) for _ in range(2)]
    compare(found[0], found[1], limit=0)
    return compare(found[0], open_model(bench.small, "decoder", CPU).run(z_NZ), limit=1e-4)


def check_tensorrt(bench: Bench) -> str:
    """Compare faces of TensorRT with those of the CPU."""
    bench.need_gpu()
    from faceae_export import open_model, open_session

    need_provider("TensorrtExecutionProvider")
    z_NZ = latent_noise(0, 0, _NUM_FACES, bench.small.model.config.latent_size)
    try:
        session = open_session(write_onnx(bench), bench.device, "tensorrt")
    except FaceaeError as error:
        if "could not load" not in str(error):
            raise
        raise NotRunError(f"TensorRT is not installed ({error})") from error
    expected = open_model(bench.small, "decoder", CPU).run(z_NZ)
    # TensorRT multiplies in TF32, with 10 bits of mantissa.
    return compare(session.run(z_NZ), expected, limit=2e-2)


def need_provider(provider: str) -> None:
    """Raise NotRunError unless the installed ONNX Runtime has this provider."""
    import onnxruntime

    if provider not in onnxruntime.get_available_providers():
        raise NotRunError(f"ONNX Runtime {onnxruntime.__version__} is built without {provider}")


def write_onnx(bench: Bench) -> Path:
    """Write the small model's decoder, checked on the CPU."""
    from faceae_export import export_model

    path = bench.folder / "placed.onnx"
    if not path.exists():
        export_model(bench.small, "onnx", "decoder", path, CPU)
    return path


def _need_module(name: str) -> None:
    import importlib.util

    if importlib.util.find_spec(name) is None:
        raise NotRunError(f"{name} is not installed")
