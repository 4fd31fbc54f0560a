"""Every choice of device and number type, with its reason. Nothing here falls back silently.

What concerns CUDA is written from the documentation and tested with a stand-in; it has not run on a
GPU.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch
from torch import nn

from faceae.errors import FaceaeError

DeviceName = Literal["auto", "cpu", "cuda"]
CachePlace = Literal["none", "ram", "vram"]
CacheMode = Literal["auto", "none", "ram", "vram"]

_BF16_MIN_CAPABILITY = (8, 0)
"""Compute capability of the first GPUs with bfloat16 tensor cores (Ampere)."""

_MIN_SPEEDUP = 1.1
"""Below this ratio of step times a lower precision is not worth its rounding."""


_CACHE_SHARE = 0.5
"""Of the memory that is free, the largest part that `auto` gives to a cache."""

_CGROUP = Path("/sys/fs/cgroup")

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


@dataclass(frozen=True, kw_only=True)
class CacheChoice:
    """Where a training split is held in memory, and why."""

    place: CachePlace
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


def use_threads(count: int | None) -> None:
    """Let torch, and every engine an exported file is run in, compute with so many threads on the
    CPU; None leaves it at one a core, or at what OMP_NUM_THREADS says."""
    if count is not None:
        torch.set_num_threads(count)


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


def choose_cache(device: torch.device, requested: CacheMode, num_bytes: int) -> CacheChoice:
    """Return where to hold the images of an epoch.

    `auto` takes the device's memory, else the host's, where the images fit into half of what is
    free there now. Of several processes that share the images each GPU holds a part; the host is
    taken to hold them all.

    Args:
        num_bytes: of all images.

    Raises:
        FaceaeError: what was asked for does not exist here, or does not fit into what is free.
    """
    if requested == "none":
        return CacheChoice(place="none", reason="no cache, as asked for")
    if requested == "vram" and device.type != "cuda":
        raise FaceaeError("--cache vram needs a GPU, this run is on the CPU; take --cache ram")
    places: list[_CachePlan] = [_CachePlan("ram", num_bytes, measure_free_memory())]
    if device.type == "cuda":
        world_size = int(os.environ.get("WORLD_SIZE", "1"))
        num_free = torch.cuda.mem_get_info(device)[0]
        places.insert(0, _CachePlan("vram", -(-num_bytes // world_size), num_free))
    if requested != "auto":
        (plan,) = (plan for plan in places if plan.place == requested)
        if plan.num_bytes > plan.num_free:
            raise FaceaeError(f"--cache {requested}: {plan}; take --cache none or auto")
        return CacheChoice(place=requested, reason=f"{plan}, as asked for")
    for plan in places:
        if plan.num_bytes <= _CACHE_SHARE * plan.num_free:
            return CacheChoice(place=plan.place, reason=f"{plan}, so they fit into half of it")
    plans = "; ".join(map(str, places))
    return CacheChoice(place="none", reason=f"{plans}: more than half of it")


class _CachePlan(NamedTuple):
    place: CachePlace
    num_bytes: int
    num_free: int

    def __str__(self) -> str:
        return (
            f"the images take {self.num_bytes / 2**30:.2g} GiB of "
            f"{self.num_free / 2**30:.2g} GiB free {self.place}"
        )


def measure_free_memory() -> int:
    """Return the bytes that this process may still take without swapping, limits of its container
    included."""
    free: int = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text()
        used = (_CGROUP / "memory.current").read_text()
    except OSError:
        return free  # no such limits: another system, or no container
    return free if limit.strip() == "max" else min(free, max(0, int(limit) - int(used)))
