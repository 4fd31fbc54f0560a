"""Measurements of drawing and decoding: the speed of one way relative to another.

Most of them predict nothing on a CPU, so they need a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from faceae.latent import latent_noise

from ._bench import CPU, Bench
from ._drawing import need_provider
from ._outcome import Speed

if TYPE_CHECKING:
    from faceae_export import Session
    from faceae_export.graph import Network

_RUNS = {"cuda": 20, "cpu": 1}
"""Runs of a decoder per measurement."""
_DRAWN = {"cuda": 4096, "cpu": 64}
"""New faces per measurement."""
_TRUNCATION = np.array(1.0, np.float32)


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
    num_runs = _RUNS[bench.device.type]

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
