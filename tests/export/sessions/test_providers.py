"""ONNX Runtime's providers: their order, and the library that a missing one lacks."""

import ctypes
from pathlib import Path
from typing import Any

import pytest
import torch

from faceae.errors import FaceaeError
from faceae_export.sessions._providers import (
    CPU,
    CUDA,
    TENSORRT,
    choose_providers,
    explain_not_loaded,
)

ALL = [TENSORRT, CUDA, CPU]
GPU = torch.device("cuda", 1)


def test_cpu_loads_nothing_else() -> None:
    assert choose_providers(torch.device("cpu"), ALL) == [(CPU, {})]


def test_cuda_comes_first_in_full_float32() -> None:
    assert choose_providers(GPU, ALL) == [(CUDA, {"device_id": "1", "use_tf32": "0"}), (CPU, {})]


def test_fp16_may_use_tensor_cores() -> None:
    """Without TF32 ONNX Runtime takes no cuDNN plan with tensor cores, for fp16 neither."""
    (_, options), _ = choose_providers(GPU, ALL, precision="fp16")
    assert options["use_tf32"] == "1"


def test_tensorrt_comes_before_cuda_and_all_use_the_stream() -> None:
    place = {"device_id": "1", "user_compute_stream": "4711"}
    assert choose_providers(GPU, ALL, tensorrt={"trt_fp16_enable": "0"}, stream=4711) == [
        (TENSORRT, {**place, "trt_fp16_enable": "0"}),
        (CUDA, {**place, "use_tf32": "0"}),
        (CPU, {}),
    ]


@pytest.mark.parametrize(
    ("device", "available", "tensorrt", "message"),
    [
        (
            GPU,
            [CPU],
            None,
            r"`device='cuda'`: .*has no CUDA.*install onnxruntime-gpu.*`device='cpu'`",
        ),
        (GPU, [CUDA, CPU], {}, r"`device='cuda'`: .*has no Tensorrt.*or use another `engine`"),
        (torch.device("cpu"), ALL, {}, "`device='cpu'`: .*has no Tensorrt"),
    ],
)
def test_provider_that_this_build_lacks(
    device: torch.device, available: list[str], tensorrt: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(FaceaeError, match=message):
        choose_providers(device, available, tensorrt=tensorrt)


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_missing_library_is_named(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared part loads, the provider itself lacks what it was linked to."""
    loaded: list[str] = []

    def load(path: str, mode: int) -> None:
        loaded.append(Path(path).name)
        if len(loaded) == 2:
            raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    message = str(explain_not_loaded(provider))
    assert f"could not load {provider}: libnvinfer.so.10: cannot open" in message
    assert "shared" in loaded[0]
    assert provider.removesuffix("ExecutionProvider").lower() in loaded[1]


def test_libraries_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert "all there, but no GPU that it can use" in str(explain_not_loaded(CUDA))
