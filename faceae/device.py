"""Every choice of device and number type, with its reason. Nothing here falls back silently.

What concerns CUDA is written from the documentation and tested with a stand-in; it has not run on a
GPU.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from faceae.errors import FaceaeError

DeviceName = Literal["auto", "cpu", "cuda"]

_BF16_MIN_CAPABILITY = (8, 0)
"""Compute capability of the first GPUs with bfloat16 tensor cores (Ampere)."""

_MIN_SPEEDUP = 1.1
"""Below this ratio of step times a lower precision is not worth its rounding."""


_MAX_DECODE_THREADS = 8
"""More of them decode faster than one device trains."""


@dataclass(frozen=True, kw_only=True)
class AmpChoice:
    """The number type autocast uses, and why."""

    dtype: torch.dtype | None
    """None: float32 without autocast."""
    scaler: bool
    """Whether gradients need loss scaling (float16 only)."""
    reason: str
    """One line for the log."""


def resolve_device(requested: DeviceName) -> torch.device:
    """Return the device asked for; `auto` takes the GPU where there is one.

    Where a launcher such as torchrun has started several processes, each gets the GPU of its
    LOCAL_RANK, as torch's current one.

    Raises:
        FaceaeError: `cuda` was asked for and torch cannot use it, or there are more processes on
            this machine than GPUs.
    """
    if requested == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return _take_gpu()
    if requested == "cuda":
        raise FaceaeError("--device cuda: " + "; ".join(why_no_cuda()))
    return torch.device("cpu")


def _take_gpu() -> torch.device:
    index = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    if index >= torch.cuda.device_count():
        raise FaceaeError(
            f"process {index} of this machine has no GPU of its own: torch sees "
            f"{torch.cuda.device_count()}; start no more with --nproc-per-node"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def choose_backend() -> str:
    """Return what several processes exchange tensors by: NCCL between GPUs, gloo between CPUs."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


@contextmanager
def full_float32() -> Iterator[None]:
    """Let float32 convolutions on CUDA be float32, as on a CPU.

    By default cuDNN rounds what they multiply to TF32, of 10 bits, on GPUs that have it.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def count_decode_threads() -> int:
    """Return how many threads are to decode pictures: the cores this process may use, up to 8.

    Processes that a launcher started on this machine share its cores.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    cores //= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(cores, _MAX_DECODE_THREADS))


def why_no_cuda() -> tuple[str, str]:
    """Say why torch sees no GPU, and what to do about it."""
    if torch.version.cuda is None:
        what = f"torch {torch.__version__} is built without CUDA"
        return what, "install the CUDA 12 build of torch, or use --device cpu"
    what = "torch sees no NVIDIA GPU"
    return what, f"check nvidia-smi (CUDA {torch.version.cuda}), or use --device cpu"


def choose_amp(device: torch.device, requested: bool) -> AmpChoice:
    """Choose the number type of training on `device`.

    On CUDA bfloat16 from compute capability 8.0 on, else float16 with a loss scaler. On a CPU
    bfloat16 where a short measurement of a convolution step shows it faster than float32.
    """
    if not requested:
        return AmpChoice(dtype=None, scaler=False, reason="float32 (no --amp)")
    if device.type == "cuda":
        return _choose_cuda_amp(device)
    speedup = measure_bf16_speedup()
    if speedup >= _MIN_SPEEDUP:
        reason = f"bfloat16: a convolution step is {speedup:.1f} times as fast as in float32 here"
        return AmpChoice(dtype=torch.bfloat16, scaler=False, reason=reason)
    reason = f"float32: bfloat16 brings {speedup:.1f} times its speed on this CPU, not worth it"
    return AmpChoice(dtype=None, scaler=False, reason=reason)


def _choose_cuda_amp(device: torch.device) -> AmpChoice:
    capability = torch.cuda.get_device_capability(device)
    name = torch.cuda.get_device_name(device)
    if capability >= _BF16_MIN_CAPABILITY:
        return AmpChoice(dtype=torch.bfloat16, scaler=False, reason=f"bfloat16 on {name}")
    reason = f"float16 with loss scaling: {name} has no bfloat16 tensor cores"
    return AmpChoice(dtype=torch.float16, scaler=True, reason=reason)


def measure_bf16_speedup() -> float:
    """Return the time of a float32 convolution step over that of a bfloat16 one on this CPU.

    The convolution is the network's costliest kind (4x4, stride 2, channels-last); the best of
    several interleaved runs counts, so that a busy machine disturbs both alike. Takes about half a
    second; leaves the random state as it was.
    """
    with torch.random.fork_rng(devices=[]):
        conv = nn.Conv2d(128, 256, 4, stride=2, padding=1, bias=False)
        conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x_NCHW = torch.rand(32, 128, 16, 16).to(memory_format=torch.channels_last)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(8):
        for bf16, runs in seconds.items():
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y_NCHW = conv(x_NCHW)
            y_NCHW.float().sum().backward()
            runs.append(time.perf_counter() - start)
    return min(seconds[False]) / min(seconds[True])
