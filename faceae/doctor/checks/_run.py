"""The list of all checks, their run, and the table of the results."""

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from . import _drawing, _drawing_speed, _loading, _training, _training_speed
from ._bench import Bench
from ._outcome import NotRunError, Outcome, Speed, Status

log = logging.getLogger(__name__)

Check = Callable[[Bench], str | Speed]
"""Returns what was compared, or a measurement. Raises NotRunError or any other exception."""

_OWN_PACKAGES = ("faceae", "faceae_export", "faceae_shards")
_MAX_DETAIL = 300
"""Characters of an exception's text in the table."""


def list_exports() -> dict[str, Check]:
    """Return the checks of exported files: each format in all precisions and of all kinds."""
    floats: tuple[Literal["fp32", "fp16", "bf16"], ...] = ("fp32", "fp16", "bf16")
    formats: dict[Literal["torchscript", "pt2", "onnx", "openvino"], int] = {
        "torchscript": 3,
        "pt2": 3,
        "onnx": 2,  # ONNX files have no bf16
        "openvino": 1,
    }
    kinds: tuple[Literal["decoder", "encoder", "autoencoder", "morph"], ...] = (
        "decoder",
        "encoder",
        "autoencoder",
        "morph",
    )
    checks: dict[str, Check] = {}
    for name, num_precisions in formats.items():
        for precision in floats[:num_precisions]:
            checks[f"export {name}, generator in {precision}"] = partial(
                _drawing.check_export, format_name=name, kind="generator", precision=precision
            )
        for kind in kinds:
            checks[f"export {name}, {kind}"] = partial(
                _drawing.check_export, format_name=name, kind=kind, precision="fp32"
            )
    return checks


CHECKS: dict[str, Check] = {
    "load JPEGs with DALI": _loading.check_dali_jpegs,
    "load arrays with DALI": _loading.check_dali_arrays,
    "DALI keeps batches in use": _loading.check_dali_release,
    "cached epoch": _loading.check_cache,
    "train in float32 as on the CPU": _training.check_float32,
    "train in bfloat16": _training.check_bfloat16,
    "train in float16 with loss scaling": _training.check_float16,
    "CUDA graph": _training.check_graph,
    "CUDA graph, denoising": _training.check_denoising_graph,
    "CUDA graph, variational": _training.check_variational_graph,
    "torch.compile": _training.check_compile,
    "train against a discriminator": _training.check_adversarial,
    "first weights from components": _training.check_components,
    "DistributedDataParallel": _training.check_processes,
    "train a run and extend it": _training.check_run,
    "decode with torch": _drawing.check_torch_session,
    "draw new faces": _drawing.check_new_faces,
    **list_exports(),
    "ONNX Runtime's operators on the GPU": _drawing.check_onnx_placement,
    "ONNX Runtime, large batches": _drawing.check_io_binding,
    "TensorRT": _drawing.check_tensorrt,
    "speed: training, GPU : CPU": _training_speed.measure_training_device,
    "speed: training, amp : float32": _training_speed.measure_amp,
    "speed: training, CUDA graph : eager": _training_speed.measure_graph,
    "speed: training, CUDA graph : eager, batch 64": _training_speed.measure_small_graph,
    "speed: training, torch.compile : eager": _training_speed.measure_compile,
    "speed: training, cudnn.benchmark : without": _training_speed.measure_cudnn_benchmark,
    "speed: training, loader : batch in memory": _training_speed.measure_epoch,
    "speed: first weights, GPU : CPU": _training_speed.measure_components,
    "speed: loading, DALI : webdataset": _training_speed.measure_dali,
    "speed: cache, GPU memory : host memory": _training_speed.measure_cache,
    "speed: drawing, GPU : CPU": _drawing_speed.measure_drawing_device,
    "speed: drawing, ONNX Runtime : torch": _drawing_speed.measure_onnxruntime,
    "speed: drawing, with noise : network alone": _drawing_speed.measure_pipeline,
    "speed: noise in one thread : drawing": _drawing_speed.measure_noise,
    "speed: decoder, rewritten : plain": _drawing_speed.measure_rewrite,
    "speed: decoder, rewritten : plain, float16": _drawing_speed.measure_float16_rewrite,
    "speed: decoder, float16 : float32": _drawing_speed.measure_float16,
    "speed: ONNX Runtime, prefer_nhwc : without": _drawing_speed.measure_nhwc,
    "speed: ONNX Runtime, fuse_conv_bias : without": _drawing_speed.measure_fused_bias,
}
"""Every check by its name, in the order of the table."""


def list_checks(words: Sequence[str]) -> dict[str, Check]:
    """Return the checks whose names contain one of `words`; all without words."""
    return {
        name: check
        for name, check in CHECKS.items()
        if not words or any(word.lower() in name.lower() for word in words)
    }


def run_checks(
    device: torch.device,
    checks: dict[str, Check] = CHECKS,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run checks one after another, in a temporary folder. None of them ends the others.

    Args:
        on_outcome: is called after each check.
    """
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="faceae-") as folder:
        bench = Bench(device, Path(folder))
        for name, check in checks.items():
            outcomes.append(_run(name, check, bench))
            on_outcome(outcomes[-1])
    return outcomes


def _run(name: str, check: Check, bench: Bench) -> Outcome:
    began = time.perf_counter()
    status, detail = _judge(check, bench)
    return Outcome(name=name, status=status, detail=detail, seconds=time.perf_counter() - began)


def _judge(check: Check, bench: Bench) -> tuple[Status, str]:
    """Run a check, and return its status and the text for the table."""
    try:
        result = check(bench)
    except NotRunError as reason:
        return "not run", str(reason)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _OWN_PACKAGES:
            return "not run", f"{package} is not installed"
        return "FAILED", str(error)
    except Exception as error:
        log.info("the check failed", exc_info=True)
        return "FAILED", f"{type(error).__name__}: {error}"
    return ("measured" if isinstance(result, Speed) else "ok"), str(result)


def make_table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    rows = [
        f"| {each.name} | {each.status} | {_one_line(each.detail)} | {each.seconds:.1f} s |"
        for each in outcomes
    ]
    return "\n".join(["| Check | Result | Detail | Time |", "|-|-|-|-|", *rows])


def _one_line(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= _MAX_DETAIL else f"{line[:_MAX_DETAIL]} ..."
