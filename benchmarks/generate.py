"""Faces a second from latents to float32 faces on the CPU, against what a user would otherwise run.

All contenders have the same weights, latents and number of threads. The model has the default size,
random weights, and BatchNorms that have seen latents, as after training. Peers run the plain
decoder: eager and compiled PyTorch, frozen TorchScript, `torch.export` with AOTInductor, and
`torch.onnx.export` in ONNX Runtime and in OpenVINO (float32, and int8 by NNCF). Ours is the
rewritten decoder in a `Session`, in float32 and in int8. Our ONNX file in OpenVINO is shown as
well. Ratios are against the best float32 peer; an int8 peer stands beside it.

Rates are also reported as a share of what arithmetic and memory allow
(`benchmarks.shared.ceilings`). ONNX Runtime's profiler shows where its time goes.

At batch 16 the float32 decoder is bound by memory: its 45 MB of weights are read for 16 faces, and
at batch 64 for 32 (micro-batches). One micro-batch for each thread is no faster at batch 16 than
one for all threads.
"""

import argparse
import json
import logging
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import peers, runner
from benchmarks.exact import Decode, largest_errors
from benchmarks.shared import ceilings
from benchmarks.shared.models import make_model, make_sampler
from faceae.latent import latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import CPU_MICRO_BATCH, export_model, open_model, open_session
from faceae_export.formats import OnnxSession, open_torchscript

log = logging.getLogger(__name__)

BATCH_SIZES = (1, 16, 64, 256)
MICRO_BATCH_SIZES = (8, 16, 32, 64, 256)
"""Candidates for `CPU_MICRO_BATCH`; each computes a batch of 256."""
FACES_A_TURN = {1: 64}
"""Faces that a contender computes in its turn, by batch size."""
MOST_FACES_A_TURN = 256
"""Faces that a contender computes in its turn at any other batch size."""
FACES_TO_COMPARE = 1000

CPU = torch.device("cpu")


class _Plain(nn.Module):
    """The decoder as users pass it to torch.onnx.export."""

    def __init__(self, model: FaceAutoEncoder) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.decoder(latents[:, :, None, None])


def _in_torch(module: nn.Module) -> Decode:
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


def profile(path: Path, z: NDArray[np.float32]) -> dict[str, float]:
    """Return each kernel's share of ONNX Runtime's kernel time on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(path.with_suffix(""))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for _ in range(MOST_FACES_A_TURN // len(z)):
        session.run(None, {"latents": z})
    microseconds: Counter[str] = Counter()
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event["name"].endswith("_kernel_time"):
            microseconds[event["args"]["op_name"]] += event["dur"]
    total = microseconds.total()
    return {kernel: duration / total for kernel, duration in microseconds.most_common()}


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
    plain = _Plain(model).eval()
    channels_last = _Plain(make_model()).eval().to(memory_format=torch.channels_last)
    path = _export_plain(plain, folder / "plain.onnx")
    ways = {
        "PyTorch": _in_torch(plain),
        "PyTorch, channels last": _in_torch(channels_last),
        "torch.compile": _in_torch(torch.compile(plain, dynamic=False)),
        "frozen TorchScript": _in_torch(_freeze(plain)),
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


def _contender(
    group: str, name: str, decode: Decode, z: NDArray[np.float32], batch_size: int, peer: bool
) -> runner.Contender:
    def work() -> int:
        for start in range(0, len(z), batch_size):
            decode(z[start : start + batch_size])
        return len(z)

    return runner.Contender(group=group, name=name, peer=peer, rate=runner.timed(work))


def compare_batches(
    others: dict[str, Decode],
    ours: dict[str, Decode],
    z: NDArray[np.float32],
    batch_sizes: Sequence[int],
) -> list[runner.Contender]:
    """Return every way at every batch size."""
    return [
        _contender(
            f"batch {batch_size}",
            name,
            decode,
            z[: FACES_A_TURN.get(batch_size, MOST_FACES_A_TURN)],
            batch_size,
            name in others and "int8" not in name,
        )
        for batch_size in batch_sizes
        for name, decode in (others | ours).items()
    ]


def compare_micro_batches(folder: Path, z: NDArray[np.float32]) -> list[runner.Contender]:
    """Return the rewritten decoder computing a batch of 256 in micro-batches of several sizes."""
    engines = {
        "ONNX Runtime": OnnxSession(folder / "ours.onnx", CPU),
        "TorchScript": open_torchscript(folder / "ours.ts", CPU),
    }
    return [
        _contender(
            f"micro-batches, {name}",
            f"{size} at once",
            session.run,
            z[:256],
            size,
            size == MICRO_BATCH_SIZES[-1],
        )
        for name, session in engines.items()
        for size in MICRO_BATCH_SIZES
    ]


def main() -> None:
    """Measure, write results/generate.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCH_SIZES, help="batch sizes")
    parser.add_argument("--compared", type=int, default=FACES_TO_COMPARE, help="faces to compare")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    load = os.getloadavg()
    model = make_model()
    z = latent_noise(0, 0, max(options.compared, MOST_FACES_A_TURN), model.config.latent_size)
    with tempfile.TemporaryDirectory() as folder:
        others = make_peers(model, Path(folder), tuple(options.batches))
        ours = make_ours(model, Path(folder))
        contenders = [
            *compare_batches(others, ours, z, options.batches),
            *compare_micro_batches(Path(folder), z),
            *ceilings.contenders(model),
        ]
        rows = runner.measure(contenders, options.rounds)
        errors = largest_errors(
            _in_torch(_Plain(model).eval()), others | ours, z[: options.compared]
        )
        profiles = {
            f"{name}, batch {batch_size}": profile(Path(folder, f"{name}.onnx"), z[:batch_size])
            for name in ("plain", "ours", "int8")
            for batch_size in (1, CPU_MICRO_BATCH)
        }
    settings = {
        "threads": torch.get_num_threads(),
        "load_average_before": load,
        "load_average_after": os.getloadavg(),
        "flops_a_face": ceilings.count_flops(model),
        "weight_bytes": ceilings.count_weight_bytes(model),
        "faces_compared": options.compared,
    }
    findings = {
        "shares_of_sgemm": ceilings.shares(rows, options.batches, with_reading=False),
        "shares_of_reading_and_sgemm": ceilings.shares(rows, options.batches, with_reading=True),
        "largest_errors": errors,
        "profiles": profiles,
    }
    runner.save("generate", rows, settings, findings)
    runner.plot("generate", [row for row in rows if row.group.startswith("batch ")])
    print(runner.table(rows))


if __name__ == "__main__":
    main()
