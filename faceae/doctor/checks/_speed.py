"""Measurements: the speed of one way of working relative to another.

Most of them predict nothing on a CPU, so they need a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import CachePlace, choose_amp, count_decode_threads
from faceae.latent import latent_noise
from faceae.model import ModelConfig
from faceae.training.step import train_step

from ._bench import CPU, Bench, make_images
from ._drawing import need_provider
from ._loading import need_dali
from ._outcome import NotRunError, Speed, measure_speed
from ._training import make_learner, need_compiler

if TYPE_CHECKING:
    from faceae_export import Session
    from faceae_export.graph import Network

_STEPS = {"cuda": 20, "cpu": 1}
"""Training steps per measurement."""
_BATCH = {"cuda": 256, "cpu": 16}
"""Faces per training step."""
_DRAWN = {"cuda": 4096, "cpu": 64}
"""New faces per measurement."""
_TRUNCATION = np.array(1.0, np.float32)


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


def measure_drawing_device(bench: Bench) -> Speed:
    """Drawing in float32 with torch, GPU against CPU."""
    bench.need_gpu()
    from faceae_export import open_model

    gpu, cpu = (open_model(bench.full, "generator", device) for device in (bench.device, CPU))
    return bench.measure(_draws(gpu, "cuda"), _draws(cpu, "cpu"))


def measure_onnxruntime(bench: Bench) -> Speed:
    """Drawing with ONNX Runtime against torch."""
    from faceae_export import open_model

    if bench.on_gpu:
        need_provider("CUDAExecutionProvider")
    kind = bench.device.type
    onnx = open_model(bench.full, "generator", bench.device, "onnxruntime")
    return bench.measure(
        _draws(onnx, kind), _draws(open_model(bench.full, "generator", bench.device), kind)
    )


def measure_pipeline(bench: Bench) -> Speed:
    """Drawing with noise and the copy to the host against the network alone."""
    from faceae_export import generate_faces, open_model

    session = open_model(bench.full, "generator", bench.device)
    count = _DRAWN[bench.device.type]

    def generate() -> int:
        return sum(map(len, generate_faces(session, seed=0, start=0, count=count)))

    return bench.measure(generate, _draws(session, bench.device.type))


def measure_noise(bench: Bench) -> Speed:
    """Drawing noise in one thread against drawing faces from it on the device."""
    from faceae_export import open_model

    count, size = _DRAWN[bench.device.type], bench.full.model.config.latent_size

    def noise() -> int:
        return len(latent_noise(0, 0, count, size))

    session = open_model(bench.full, "generator", bench.device)
    return bench.measure(noise, _draws(session, bench.device.type))


def measure_rewrite(bench: Bench) -> Speed:
    """The decoder rewritten for speed against the plain one, in float32."""
    from faceae_export.graph import Network, rewrite_network

    plain = Network.of(bench.full.model)
    return _compare_networks(bench, rewrite_network(plain), plain)


def measure_float16(bench: Bench) -> Speed:
    """The rewritten decoder in float16 against float32."""
    bench.need_gpu()
    from faceae_export.graph import Network, lower, rewrite_network

    full = rewrite_network(Network.of(bench.full.model))
    return _compare_networks(bench, lower(full, "fp16"), full)


def measure_float16_rewrite(bench: Bench) -> Speed:
    """The decoder rewritten for speed against the plain one, in float16."""
    bench.need_gpu()
    from faceae_export.graph import Network, lower, rewrite_network

    plain = Network.of(bench.full.model)
    return _compare_networks(bench, lower(rewrite_network(plain), "fp16"), lower(plain, "fp16"))


def measure_nhwc(bench: Bench) -> Speed:
    """ONNX Runtime's CUDA provider with `prefer_nhwc` against without."""
    return _compare_cuda_option(bench, "prefer_nhwc")


def measure_fused_bias(bench: Bench) -> Speed:
    """ONNX Runtime's CUDA provider with `fuse_conv_bias` against without."""
    return _compare_cuda_option(bench, "fuse_conv_bias")


def _compare_cuda_option(bench: Bench, option: str) -> Speed:
    bench.need_gpu()
    import onnxruntime

    from faceae_export import export_model

    need_provider("CUDAExecutionProvider")
    path = bench.folder / "full.onnx"
    if not path.exists():
        export_model(bench.full, "onnx", "decoder", path, CPU)
    z_NZ = latent_noise(0, 0, 256, bench.full.model.config.latent_size)

    def make(value: str) -> Callable[[], int]:
        options = {"use_tf32": "0", option: value}
        providers = [("CUDAExecutionProvider", options)]
        session = onnxruntime.InferenceSession(path, providers=providers)
        name = session.get_inputs()[0].name
        return lambda: sum(len(session.run(None, {name: z_NZ})[0]) for _ in range(8))

    return bench.measure(make("1"), make("0"))


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


def _draws(session: Session, device: str) -> Callable[[], int]:
    """Return a function that draws faces from noise in memory."""
    count = _DRAWN[device]
    noise_NZ = latent_noise(0, 0, count, session.info.model.latent_size)
    return lambda: len(session.run(noise_NZ, _TRUNCATION))


def _compare_networks(bench: Bench, left: Network, right: Network) -> Speed:
    """Compare the speed of decoders on latents in the device's memory."""
    from faceae_export.graph import build_module

    batch_size = {"cuda": 256, "cpu": 32}[bench.device.type]
    z_NZ = torch.from_numpy(latent_noise(0, 0, batch_size, bench.full.model.config.latent_size))
    z_NZ = z_NZ.to(bench.device)
    num_runs = _STEPS[bench.device.type]

    def make(network: Network) -> Callable[[], int]:
        module: nn.Module = build_module(bench.full, "decoder", network)
        module.to(bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

        @torch.inference_mode()
        def run() -> int:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                for _ in range(num_runs):
                    module(z_NZ)
            return num_runs * batch_size

        return run

    return bench.measure(make(left), make(right))
