"""Faces a second from latents to float32 faces on the CPU, against what a user would otherwise run.

All contenders have the same weights, latents and number of threads. The model has the default size,
random weights, and BatchNorms that have seen latents, as after training. Peers run the plain
decoder: eager and compiled PyTorch, frozen TorchScript, `torch.export` with AOTInductor, and
`torch.onnx.export` in ONNX Runtime and in OpenVINO (float32, and int8 by NNCF). Ours is the
rewritten decoder in a `Session`, in float32 and in int8. Our ONNX file in OpenVINO is shown as
well. Ratios are against the best float32 peer. The int8 peer stands beside it, with the PSNR of
both and the ratio of their rates.

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
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks import runner
from benchmarks.exact import Decode, compare, psnr_db
from benchmarks.shared import ceilings
from benchmarks.shared.decoders import CPU, PlainDecoder, in_torch, make_ours, make_peers
from benchmarks.shared.models import make_model
from faceae.latent import latent_noise
from faceae_export import CPU_MICRO_BATCH
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


def compare_int8(rows: Sequence[runner.Row]) -> dict[str, float]:
    """Return our int8's rate divided by that of OpenVINO's int8; median over the rounds."""
    rates = {(row.group, row.name): row.items_per_s for row in rows}
    return {
        group: statistics.median(
            ours / theirs
            for ours, theirs in zip(
                rates[group, "rewritten, int8, ONNX Runtime"], theirs_a_round, strict=True
            )
        )
        for (group, name), theirs_a_round in rates.items()
        if name == "OpenVINO, int8"
    }


def main() -> None:
    """Measure, write results/generate.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCH_SIZES, help="batch sizes")
    parser.add_argument("--compared", type=int, default=FACES_TO_COMPARE, help="faces to compare")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    load = os.getloadavg()
    model = make_model(options.width)
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
        errors = compare(in_torch(PlainDecoder(model).eval()), others | ours, z[: options.compared])
        profiles = {
            f"{name}, batch {batch_size}": profile(Path(folder, f"{name}.onnx"), z[:batch_size])
            for name in ("plain", "ours", "int8")
            for batch_size in (1, CPU_MICRO_BATCH)
        }
    settings = {
        "width": options.width,
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
        "largest_errors": {name: max(largest) for name, (largest, _) in errors.items()},
        "int8_psnr_db": {
            name: psnr_db(squares) for name, (_, squares) in errors.items() if "int8" in name
        },
        "int8_against_the_int8_peer": compare_int8(rows),
        "profiles": profiles,
    }
    runner.save("generate", rows, settings, findings)
    runner.plot("generate", [row for row in rows if row.group.startswith("batch ")])
    print(runner.table(rows))


if __name__ == "__main__":
    main()
