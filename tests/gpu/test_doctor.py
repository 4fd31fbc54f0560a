"""Doctor on a machine with a GPU that works."""

import pytest
import torch

from faceae import doctor
from faceae.doctor import _probes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def test_names_the_gpu_and_what_torch_has_kernels_for() -> None:
    report = doctor.diagnose("cuda")
    assert report.gpus[0] == torch.cuda.get_device_name(0)
    assert report.architectures == torch.cuda.get_arch_list()
    assert report.device == "cuda:0"
    assert report.driver is not None
    assert not any("kernels" in problem.what for problem in report.problems)


def test_torch_computes_the_convolution_of_the_probe() -> None:
    assert not _probes._report("PyTorch", lambda: _probes.probe_torch(torch, "cuda"))


def test_onnxruntime_computes_the_convolution_of_the_probe() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime is built without CUDA")
    assert not _probes._report(
        "ONNX Runtime", lambda: _probes.probe_onnxruntime(onnxruntime, "CUDAExecutionProvider")
    )


def test_dali_decodes_the_picture_of_the_probe() -> None:
    pytest.importorskip("nvidia.dali")
    assert not _probes._report("DALI", lambda: _probes.probe_dali(device_id=0))
