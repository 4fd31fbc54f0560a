"""The choice of device, dtype and cache, each with its reason. Nothing here falls back silently.

The CUDA code is tested with stand-ins and has not yet run on a GPU.
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

_CPU_BF16 = {"_is_avx512_bf16_supported": "AVX512_BF16", "_is_amx_tile_supported": "AMX"}
"""Functions of torch.cpu, and the instructions with bfloat16 arithmetic that each finds."""

_CACHE_SHARE = 0.5
"""Largest share of the free memory that `auto` gives to a cache."""

_CGROUP = Path("/sys/fs/cgroup")

_MAX_DECODE_THREADS = 8
"""More threads decode faster than one device trains."""


@dataclass(frozen=True, kw_only=True)
class AmpChoice:
    """The dtype of autocast, and why."""

    dtype: torch.dtype | None
    """None: float32 without autocast. float16 needs loss scaling."""
    reason: str
    """One line for the log."""


@dataclass(frozen=True, kw_only=True)
class CacheChoice:
    """The memory that holds a training split, and why."""

    place: CachePlace
    reason: str
    """One line for the log."""


def resolve_device(requested: DeviceName) -> torch.device:
    """Return the requested device; `auto` takes the GPU if there is one.

    If a launcher such as torchrun has started several processes, each gets the GPU of its
    LOCAL_RANK, which becomes torch's current one.

    Raises:
        FaceaeError: `cuda` was requested and torch cannot use it, or this machine runs more
            processes than it has GPUs.
    """
    if requested == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return _take_gpu()
    if requested == "cuda":
        raise FaceaeError("`device='cuda'`: " + "; ".join(why_no_cuda()))
    return torch.device("cpu")


def _take_gpu() -> torch.device:
    index = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    if index >= torch.cuda.device_count():
        raise FaceaeError(
            f"process {index} of this machine has no GPU of its own: torch sees "
            f"{torch.cuda.device_count()}; start no more processes than that"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def choose_backend() -> str:
    """Return torch's backend for several processes: NCCL between GPUs, gloo between CPUs."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


@contextmanager
def full_float32() -> Iterator[None]:
    """Context in which float32 convolutions on CUDA have full precision, as on a CPU.

    By default cuDNN rounds their inputs to TF32, with 10 bits of mantissa, on GPUs that have it.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def measured_kernels() -> Iterator[None]:
    """Context in which cuDNN measures its algorithms at the first convolution of each shape.

    Suits work on a few shapes that come again and again. Has no effect on a CPU.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def count_decode_threads() -> int:
    """Return the number of threads that decode images: the cores of this process, at most 8.

    Processes that a launcher started on this machine share its cores.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    cores //= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(cores, _MAX_DECODE_THREADS))


def use_threads(count: int | None) -> None:
    """Set the number of CPU threads of torch and of the engines that run exported files.

    None keeps the default: one per core, or OMP_NUM_THREADS.
    """
    if count is not None:
        torch.set_num_threads(count)


def why_no_cuda() -> tuple[str, str]:
    """Return why torch sees no GPU, and the remedy."""
    if torch.version.cuda is None:
        reason = f"torch {torch.__version__} is built without CUDA"
        return reason, "install the CUDA 12 build of torch, or use `device='cpu'`"
    reason = "torch sees no NVIDIA GPU"
    return reason, f"check nvidia-smi (CUDA {torch.version.cuda}), or use `device='cpu'`"


def choose_amp(device: torch.device, requested: bool) -> AmpChoice:
    """Choose the dtype of training on `device`.

    CUDA takes bfloat16 from compute capability 8.0 on, and float16 below. A CPU takes bfloat16 if
    it has AVX512_BF16 or AMX. Nothing is measured, so a machine always gets the same dtype.
    """
    if not requested:
        return AmpChoice(dtype=None, reason="float32, as requested")
    if device.type == "cuda":
        return _choose_cuda_amp(device)
    found = [name for check, name in _CPU_BF16.items() if _has_instructions(check)]
    if found:
        reason = f"bfloat16: this CPU has {' and '.join(found)}"
        return AmpChoice(dtype=torch.bfloat16, reason=reason)
    reason = (
        f"float32: this CPU has no {' or '.join(_CPU_BF16.values())}, so bfloat16 gains nothing"
    )
    return AmpChoice(dtype=None, reason=reason)


def _has_instructions(check: str) -> bool:
    # The functions are torch's own and may move: without one the answer is the safe float32.
    function = getattr(torch.cpu, check, None)
    return function is not None and bool(function())


def _choose_cuda_amp(device: torch.device) -> AmpChoice:
    capability = torch.cuda.get_device_capability(device)
    name = torch.cuda.get_device_name(device)
    if capability >= _BF16_MIN_CAPABILITY:
        return AmpChoice(dtype=torch.bfloat16, reason=f"bfloat16 on {name}")
    reason = f"float16 with loss scaling: {name} has no bfloat16 tensor cores"
    return AmpChoice(dtype=torch.float16, reason=reason)


def measure_bf16_speedup() -> float:
    """Return the time of a convolution step in float32 divided by its time in bfloat16 on this CPU.

    The convolution is of the network's costliest kind (4x4, stride 2, channels-last). The fastest
    of several interleaved runs counts, so that other load affects both dtypes alike. Takes about
    half a second, and restores the random state.
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
    """Choose the memory that holds the images of an epoch.

    `auto` takes the GPU's memory if the images fit into half of what is free there, otherwise the
    host's memory on the same condition, otherwise none. With several processes each GPU holds its
    share of the images, and the host must hold all of them.

    Args:
        num_bytes: size of all images.

    Raises:
        FaceaeError: the requested memory does not exist here, or is too small.
    """
    if requested == "none":
        return CacheChoice(place="none", reason="no cache, as requested")
    if requested == "vram" and device.type != "cuda":
        raise FaceaeError(
            "`cache='vram'` needs a GPU, and this run is on the CPU; use `cache='ram'`"
        )
    places: list[_CachePlan] = [_CachePlan("ram", num_bytes, measure_free_memory())]
    if device.type == "cuda":
        world_size = int(os.environ.get("WORLD_SIZE", "1"))
        num_free = torch.cuda.mem_get_info(device)[0]
        places.insert(0, _CachePlan("vram", -(-num_bytes // world_size), num_free))
    if requested != "auto":
        (plan,) = (plan for plan in places if plan.place == requested)
        if plan.num_bytes > plan.num_free:
            raise FaceaeError(
                f"`cache='{requested}'`: {plan.describe('more than')}; use `cache='none'` or "
                "`cache='auto'`"
            )
        return CacheChoice(place=requested, reason=f"as requested; {plan.describe('of')}")
    for plan in places:
        if plan.num_bytes <= _CACHE_SHARE * plan.num_free:
            return CacheChoice(place=plan.place, reason=plan.describe("at most half of"))
    plans = "; ".join(plan.describe("more than half of") for plan in places)
    return CacheChoice(place="none", reason=plans)


class _CachePlan(NamedTuple):
    place: CachePlace
    num_bytes: int
    num_free: int

    def describe(self, share: str) -> str:
        """Return the size of the images and which share of the free memory it is."""
        memory = "GPU memory" if self.place == "vram" else "memory"
        taken, free = _format_bytes(self.num_bytes), _format_bytes(self.num_free)
        return f"the images take {taken}, {share} {free} of free {memory}"


def _format_bytes(num_bytes: int) -> str:
    amount, unit = (num_bytes / 2**30, "GiB") if num_bytes >= 2**30 else (num_bytes / 2**20, "MiB")
    return f"{round(amount, 0 if amount >= 10 else 1):g} {unit}"


def measure_free_memory() -> int:
    """Return the bytes that this process can allocate without swapping, within the limits of its
    container."""
    free: int = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text()
        used = (_CGROUP / "memory.current").read_text()
    except OSError:
        return free  # no limits: not Linux, or no container
    return free if limit.strip() == "max" else min(free, max(0, int(limit) - int(used)))
