"""Devices, dtypes and caches are chosen with a reason, or refused."""

import os
from pathlib import Path

import pytest
import torch

from faceae import device
from faceae.errors import FaceaeError


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Stand-in")


def test_cuda_asked_for_and_missing_is_an_error(no_gpu: None) -> None:
    with pytest.raises(FaceaeError, match=r"`device='cuda'`: .*`device='cpu'`"):
        device.resolve_device("cuda")


def test_auto_without_gpu_is_the_cpu(no_gpu: None) -> None:
    assert device.resolve_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("requested", "expected"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cpu", "cpu")]
)
def test_device_with_gpu(requested: device.DeviceName, expected: str) -> None:
    assert device.resolve_device(requested) == torch.device(expected)


@pytest.mark.usefixtures("one_gpu")
def test_each_process_of_a_launcher_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device.resolve_device("auto") == torch.device("cuda:3")
    assert current == [3]
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(FaceaeError, match=r"process 4 .* has no GPU of its own: torch sees 4"):
        device.resolve_device("cuda")


def test_backend_is_nccl_for_gpus_and_gloo_for_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_backend() == "cpu:gloo,cuda:nccl"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_backend() == "gloo"


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_amp_on_cuda_follows_the_compute_capability(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    choice = device.choose_amp(torch.device("cuda", 0), requested=True)
    assert choice.dtype is dtype


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "dtype"),
    [
        (False, False, None),
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (True, True, torch.bfloat16),
    ],
)
def test_amp_on_a_cpu_follows_its_instructions(
    monkeypatch: pytest.MonkeyPatch, avx512_bf16: bool, amx: bool, dtype: torch.dtype | None
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    choice = device.choose_amp(torch.device("cpu"), requested=True)
    assert choice.dtype is dtype
    # The reason names the instructions that were found, or both that were missed.
    assert ("AVX512_BF16" in choice.reason) is (avx512_bf16 or not amx)
    assert ("AMX" in choice.reason) is (amx or not avx512_bf16)


def test_amp_on_a_cpu_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "measure_bf16_speedup", lambda: pytest.fail("measured"))
    cpu = torch.device("cpu")
    assert device.choose_amp(cpu, requested=True) == device.choose_amp(cpu, requested=True)


def test_amp_with_a_torch_that_cannot_ask_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert device.choose_amp(torch.device("cpu"), requested=True).dtype is None


def test_amp_not_requested_is_float32() -> None:
    assert device.choose_amp(torch.device("cuda", 0), requested=False).dtype is None


def test_the_measurement_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    assert device.measure_bf16_speedup() > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_full_float32_comes_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)

    def fail() -> None:
        assert not torch.backends.cudnn.allow_tf32
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), device.full_float32():
        fail()
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (3, 3), (64, 8)])
def test_decode_threads_are_the_usable_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert device.count_decode_threads() == threads


@pytest.mark.parametrize(("num_processes", "threads"), [(2, 3), (4, 1), (16, 1)])
def test_processes_on_one_machine_share_its_cores(
    monkeypatch: pytest.MonkeyPatch, num_processes: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(num_processes))
    assert device.count_decode_threads() == threads


def test_decode_threads_where_the_system_tells_only_the_number_of_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert device.count_decode_threads() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert device.count_decode_threads() == 1


GIB = 2**30


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 10 GiB free, its GPU with 4."""
    monkeypatch.setattr(device, "measure_free_memory", lambda: 10 * GIB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * GIB, 8 * GIB))
    monkeypatch.delenv("WORLD_SIZE", raising=False)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("kind", "gib", "place"),
    [
        ("cpu", 5, "ram"),
        ("cpu", 6, "none"),
        ("cuda", 2, "vram"),
        ("cuda", 3, "ram"),
        ("cuda", 6, "none"),
    ],
)
def test_auto_caches_in_half_of_the_free_memory(kind: str, gib: int, place: str) -> None:
    choice = device.choose_cache(torch.device(kind), "auto", gib * GIB)
    assert choice.place == place
    half = "more than half" if place == "none" else "at most half"
    free = "4 GiB of free GPU memory" if place == "vram" else "10 GiB of free memory"
    assert f"the images take {gib} GiB, {half} of {free}" in choice.reason


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [(16_621_568, "16 MiB"), (400_000, "0.4 MiB"), (GIB * 3 // 2, "1.5 GiB")],
)
def test_the_size_of_a_cache_has_a_unit_that_fits(num_bytes: int, shown: str) -> None:
    choice = device.choose_cache(torch.device("cpu"), "auto", num_bytes)
    assert choice.reason.startswith(f"the images take {shown}, ")


@pytest.mark.usefixtures("memory")
def test_each_gpu_caches_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert device.choose_cache(torch.device("cuda"), "auto", 8 * GIB).place == "vram"


@pytest.mark.usefixtures("memory")
def test_a_cache_that_cannot_be_is_an_error() -> None:
    with pytest.raises(FaceaeError, match="`cache='vram'` needs a GPU"):
        device.choose_cache(torch.device("cpu"), "vram", 1)
    with pytest.raises(
        FaceaeError, match=r"`cache='ram'`: .*11 GiB, more than 10 GiB.*`cache='none'`"
    ):
        device.choose_cache(torch.device("cpu"), "ram", 11 * GIB)
    assert device.choose_cache(torch.device("cpu"), "ram", 9 * GIB).place == "ram"
    assert device.choose_cache(torch.device("cpu"), "none", 1).place == "none"


def test_free_memory_knows_the_limit_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_CGROUP", tmp_path)
    unlimited = device.measure_free_memory()
    assert unlimited > 2**20
    (tmp_path / "memory.current").write_text(f"{3 * 2**20}\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert device.measure_free_memory() > 2**20
    (tmp_path / "memory.max").write_text(f"{4 * 2**20}\n")
    assert device.measure_free_memory() == 2**20


def test_cudnn_measures_its_kernels_only_inside_of_the_context() -> None:
    before = torch.backends.cudnn.benchmark
    with device.measured_kernels():
        assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.benchmark == before
