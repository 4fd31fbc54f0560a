"""Ways to compute faces from latents on the CPU: what a user would otherwise run, and ours."""

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import peers
from benchmarks.exact import Decode
from benchmarks.shared.models import make_model, make_sampler
from faceae.latent import latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import CPU_MICRO_BATCH, export_model, open_model, open_session

log = logging.getLogger(__name__)

CPU = torch.device("cpu")


class PlainDecoder(nn.Module):
    """The decoder as users pass it to torch.onnx.export."""

    def __init__(self, model: FaceAutoEncoder) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.decoder(latents[:, :, None, None])


def in_torch(module: nn.Module) -> Decode:
    """Run a module in eager or compiled PyTorch."""

    @torch.inference_mode()
    def decode(z: NDArray[np.float32]) -> NDArray[np.float32]:
        return module(torch.from_numpy(z)).numpy()

    return decode


def _in_onnxruntime(path: Path) -> Decode:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda z: session.run(None, {"latents": z})[0]


def _side_by_side(path: Path) -> Decode:
    """Compute one micro-batch on each thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    num_threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(num_threads)

    def decode(z: NDArray[np.float32]) -> NDArray[np.float32]:
        size = min(CPU_MICRO_BATCH, -(-len(z) // num_threads))
        micro_batches = [z[start : start + size] for start in range(0, len(z), size)]
        faces = pool.map(lambda z: session.run(None, {"latents": z})[0], micro_batches)
        return np.concatenate(list(faces))

    return decode


def _freeze(plain: nn.Module) -> torch.jit.ScriptModule:
    example = torch.zeros(2, ModelConfig().latent_size)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.freeze(torch.jit.trace(plain, example))


def _export_plain(plain: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.onnx.export(
            plain,
            (torch.zeros(2, ModelConfig().latent_size),),
            path,
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: "batch"},),
            input_names=["latents"],
            verbose=False,
        )
    return path


def make_peers(
    model: FaceAutoEncoder, folder: Path, batch_sizes: tuple[int, ...]
) -> dict[str, Decode]:
    """Return what a user would otherwise run, by name."""
    plain = PlainDecoder(model).eval()
    copy = make_model(model.config.width)
    channels_last = PlainDecoder(copy).eval().to(memory_format=torch.channels_last)
    path = _export_plain(plain, folder / "plain.onnx")
    ways = {
        "PyTorch": in_torch(plain),
        "PyTorch, channels last": in_torch(channels_last),
        "torch.compile": in_torch(torch.compile(plain, dynamic=False)),
        "frozen TorchScript": in_torch(_freeze(plain)),
        "ONNX Runtime": _in_onnxruntime(path),
    }
    if aot_inductor := peers.load("aot_inductor"):
        ways["torch.export, AOTInductor"] = _in_pieces(
            aot_inductor.compile_decoder(plain, model.config.latent_size, batch_sizes, folder),
            batch_sizes,
        )
    if openvino := peers.load("openvino"):
        num_threads = torch.get_num_threads()
        ways["OpenVINO"] = openvino.open_float32(path, num_threads)
        try:
            z = latent_noise(1, 0, 300, model.config.latent_size)
            ways["OpenVINO, int8"] = openvino.quantise(path, num_threads, z)
        except ImportError as error:
            peers.miss("OpenVINO, int8", error)
    return ways


def _in_pieces(decode: Decode, sizes: Sequence[int]) -> Decode:
    """Compute batches of other sizes in pieces of the given sizes."""

    def decode_any(z: NDArray[np.float32]) -> NDArray[np.float32]:
        faces, start = [], 0
        while start < len(z):
            size = max(each for each in sizes if each <= len(z) - start)
            faces.append(decode(z[start : start + size]))
            start += size
        return faces[0] if len(faces) == 1 else np.concatenate(faces)

    return decode_any


def make_ours(model: FaceAutoEncoder, folder: Path) -> dict[str, Decode]:
    """Return the rewritten decoder in each engine, by name."""
    trained = TrainedModel(model=model, dataset_hash="", crop=None, sampler=make_sampler())
    onnx = export_model(trained, "onnx", "decoder", folder / "ours.onnx", CPU).path
    int8 = folder / "int8.onnx"
    report = export_model(trained, "onnx", "decoder", int8, CPU, precision="int8")
    log.info("int8: %.1f dB PSNR against float32", report.parity.psnr_db)
    script = export_model(trained, "torchscript", "decoder", folder / "ours.ts", CPU).path
    ours: dict[str, Decode] = {
        "rewritten, PyTorch": open_model(trained, "decoder", CPU).run,
        "rewritten, TorchScript": open_session(script, CPU).run,
        "rewritten, ONNX Runtime": open_session(onnx, CPU).run,
        "rewritten, ONNX Runtime, a thread per micro-batch": _side_by_side(onnx),
        "rewritten, int8, ONNX Runtime": open_session(int8, CPU).run,
        "rewritten, int8, ONNX Runtime, a thread per micro-batch": _side_by_side(int8),
    }
    if openvino := peers.load("openvino"):
        ours["rewritten, its ONNX file in OpenVINO"] = openvino.open_float32(
            onnx, torch.get_num_threads()
        )
    return ours
