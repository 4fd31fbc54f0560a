"""Measurements of training and loading: the speed of one way relative to another.

Most of them predict nothing on a CPU, so they need a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import CachePlace, choose_amp, count_decode_threads
from faceae.model import ModelConfig
from faceae.training.step import train_step

from ._bench import CPU, Bench, make_images
from ._loading import need_dali
from ._outcome import NotRunError, Speed, measure_speed
from ._training import make_learner, need_compiler

if TYPE_CHECKING:
    pass

_STEPS = {"cuda": 20, "cpu": 1}
"""Training steps per measurement."""
_BATCH = {"cuda": 256, "cpu": 16}
"""Faces per training step."""


def measure_training_device(bench: Bench) -> Speed:
    """Training in float32, GPU against CPU."""
    bench.need_gpu()
    return measure_speed(
        _steps(bench.full_config, bench.device), _steps(bench.full_config, CPU), bench.wait
    )


def measure_amp(bench: Bench) -> Speed:
    """Training in the dtype that `amp` chooses against float32."""
    choice = choose_amp(bench.device, requested=True)
    if choice.dtype is None:
        raise NotRunError(choice.reason)
    return bench.measure(
        _steps(bench.full_config, bench.device, choice.dtype),
        _steps(bench.full_config, bench.device),
    )


def measure_graph(bench: Bench) -> Speed:
    """Training by CUDA graphs against eager, both in the dtype that `amp` chooses."""
    bench.need_gpu()
    dtype = choose_amp(bench.device, requested=True).dtype
    graphed = _steps(bench.full_config, bench.device, dtype, cuda_graph=True)
    return bench.measure(graphed, _steps(bench.full_config, bench.device, dtype))


def measure_small_graph(bench: Bench) -> Speed:
    """The same with 64 faces per step."""
    bench.need_gpu()
    dtype = choose_amp(bench.device, requested=True).dtype
    graphed = _steps(bench.full_config, bench.device, dtype, batch_size=64, cuda_graph=True)
    return bench.measure(graphed, _steps(bench.full_config, bench.device, dtype, batch_size=64))


def measure_compile(bench: Bench) -> Speed:
    """Training with torch.compile against eager, both in the dtype that `amp` chooses."""
    bench.need_gpu()
    need_compiler(bench.device)
    dtype = choose_amp(bench.device, requested=True).dtype
    return bench.measure(
        _steps(bench.full_config, bench.device, dtype, compile=True),
        _steps(bench.full_config, bench.device, dtype),
    )


def measure_cudnn_benchmark(bench: Bench) -> Speed:
    """Training with cuDNN's own measurement of its algorithms against its heuristic choice."""
    bench.need_gpu()
    dtype = choose_amp(bench.device, requested=True).dtype
    steps = _steps(bench.full_config, bench.device, dtype)

    def run(benchmark: bool) -> int:
        with torch.backends.cudnn.flags(enabled=True, benchmark=benchmark, allow_tf32=True):
            return steps()

    return bench.measure(lambda: run(True), lambda: run(False))


def measure_epoch(bench: Bench) -> Speed:
    """Training steps on batches of the loader against steps on one batch in memory."""
    dtype = choose_amp(bench.device, requested=True).dtype
    learner = make_learner(bench.full_config, bench.device, dtype, batch_size=64)
    images = make_images(64, 64, bench.device)
    place: CachePlace = "vram" if bench.on_gpu else "ram"
    loader = _loader(bench, "auto", batch_size=64, place=place)
    batches = _forever(loader)
    num_steps = _STEPS[bench.device.type]

    def run(draw: Callable[[], torch.Tensor]) -> int:
        for _ in range(num_steps):
            train_step(learner, 0, draw())
        return num_steps * 64

    with closing(loader):
        return bench.measure(lambda: run(lambda: next(batches)), lambda: run(lambda: images))


def measure_dali(bench: Bench) -> Speed:
    """Loading JPEGs with DALI on the device against the portable loader."""
    need_dali()
    return _compare_loaders(bench, _loader(bench, "dali"), _loader(bench, "webdataset"))


def measure_cache(bench: Bench) -> Speed:
    """Loading from a cache in the GPU's memory against one in host memory."""
    bench.need_gpu()
    vram, ram = (_loader(bench, "webdataset", place=place) for place in ("vram", "ram"))
    return _compare_loaders(bench, vram, ram)


def measure_components(bench: Bench) -> Speed:
    """First weights from components, GPU against CPU."""
    bench.need_gpu()
    from faceae.model import FaceAutoEncoder, start_from_components

    images = make_images(2048, 64, CPU)

    def make(device: torch.device) -> Callable[[], int]:
        model, moved = FaceAutoEncoder(ModelConfig()).to(device), images.to(device)

        def run() -> int:
            start_from_components(model, moved.split(256))  # type: ignore[no-untyped-call]
            return len(moved)

        return run

    return bench.measure(make(bench.device), make(CPU))


def _steps(
    config: ModelConfig,
    device: torch.device,
    dtype: torch.dtype | None = None,
    *,
    batch_size: int | None = None,
    **options: Any,
) -> Callable[[], int]:
    """Return a function that takes some training steps on one batch in memory."""
    size = batch_size or _BATCH[device.type]
    learner = make_learner(config, device, dtype, batch_size=size, **options)
    images = make_images(size, config.image_size, device)

    def run() -> int:
        for _ in range(_STEPS[device.type]):
            train_step(learner, 0, images)
        return _STEPS[device.type] * size

    return run


def _loader(bench: Bench, kind: Any, *, batch_size: int = 32, place: CachePlace = "none") -> Loader:
    config = LoaderConfig(
        split="train",
        batch_size=batch_size,
        image_size=64,
        training=True,
        num_threads=count_decode_threads(),
    )
    return make_loader(kind, bench.jpegs, config, bench.device, place)


def _forever(loader: Loader) -> Iterator[torch.Tensor]:
    while True:
        for images, _ in loader:
            yield images


def _compare_loaders(bench: Bench, left: Loader, right: Loader) -> Speed:
    """Compare the speed of one epoch, whose batches the device reads once."""
    total = torch.zeros((), dtype=torch.int64, device=bench.device)

    def run(loader: Loader) -> int:
        num_faces = 0
        for images, num_valid in islice(loader, loader.steps_per_epoch):
            total.add_(images.sum())
            num_faces += num_valid
        return num_faces

    with closing(left), closing(right):
        return bench.measure(lambda: run(left), lambda: run(right))
