"""Errors of exported decoders against the model, over 1,000 fresh latents.

Compared are the rewritten network, its ONNX file, fp16 and int8. The models have the default size:
one as built, one whose BatchNorms have seen latents, and trained ones (`--run`, after `faceae
fit`), whose latents are drawn as `faceae generate` draws them.

Ways to a more exact int8 were tried on a trained model (39.6 dB over 256 latents, one thread). The
first layer in float gives 41.8 dB at 0.82 of the speed, the last layer in float 40.1 dB at 0.88.
Weights of 8 bits give 40.4 dB at the same speed, but can overflow on processors without VNNI.
Ranges that leave out one value of 100,000 give 39.9 dB, one of 10,000 35.3 dB. Other strengths and
norms of SmoothQuant in the first layer give 39.0 to 39.7 dB.
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import runner
from benchmarks.shared.models import make_model, make_sampler
from faceae.latent import latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel, open_run
from faceae_export import Precision, export_model, open_model, open_session

CPU = torch.device("cpu")
NUM_FACES = 1000
FACES_AT_ONCE = 50
SEED = 77
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
Decode = Callable[[NDArray[np.float32]], Any]
"""Decodes latents, N x Z, to faces, N x 3 x S x S float32."""


def psnr_db(squares: Sequence[float]) -> float:
    """Return the PSNR of faces in [-1, 1] from the mean squared errors of batches."""
    return 10 * math.log10(4 / np.mean(squares))


def compare(
    reference: Decode, ways: dict[str, Decode], z: NDArray[np.float32]
) -> dict[str, tuple[list[float], list[float]]]:
    """Return each way's largest error and mean squared error for every batch."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for start in range(0, len(z), FACES_AT_ONCE):
        batch = z[start : start + FACES_AT_ONCE]
        expected = reference(batch)
        for name, decode in ways.items():
            difference = decode(batch) - expected
            found[name][0].append(float(np.abs(difference).max()))
            found[name][1].append(float(np.square(difference, dtype=np.float64).mean()))
    return found


def _make_models(runs: list[Path], width: int) -> dict[str, TrainedModel]:
    torch.manual_seed(0)
    models = {
        "as built": FaceAutoEncoder(ModelConfig(width=width)).eval(),
        "with used BatchNorms": make_model(width),
    }
    made = {
        name: TrainedModel(model=model, dataset_hash="", crop=None, sampler=make_sampler())
        for name, model in models.items()
    }
    return made | {f"trained, {path.name}": open_run(path, latents=True) for path in runs}


def measure(trained: TrainedModel, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Return the largest error and the PSNR of each exported form of a model's decoder."""
    ways = {"rewritten, PyTorch": open_model(trained, "decoder", CPU).run}
    sizes = {}
    for precision in PRECISIONS:
        path = folder / f"{precision}.onnx"
        report = export_model(
            trained, "onnx", "decoder", path, CPU, precision=precision, force=True
        )
        name = f"{precision}, ONNX Runtime"
        ways[name] = open_session(path, CPU).run
        sizes[name] = report.num_bytes

    @torch.inference_mode()
    def reference(z: NDArray[np.float32]) -> NDArray[np.float32]:
        return trained.model.decode(torch.from_numpy(z)).numpy()

    noise_NZ = latent_noise(SEED, 0, count, trained.model.config.latent_size)
    z = trained.sampler.latents(noise_NZ)
    return {
        name: {
            "max_error": max(errors),
            "psnr_db": psnr_db(squares),
            "bytes": sizes.get(name),
        }
        for name, (errors, squares) in compare(reference, ways, z).items()
    }


def main() -> None:
    """Measure, write results/exact.json and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=NUM_FACES, help="latents to compare")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument("--run", type=Path, action="append", default=[])
    options = parser.parse_args()
    findings = {}
    for name, trained in _make_models(options.run, options.width).items():
        with tempfile.TemporaryDirectory() as folder:
            findings[name] = measure(trained, Path(folder), options.faces)
        for way, found in findings[name].items():
            print(f"{name}: {way}: {found['max_error']:.2g}, {found['psnr_db']:.1f} dB")
    settings = {"faces": options.faces, "width": options.width}
    runner.save("exact", [], settings, {"models": findings})


if __name__ == "__main__":
    main()
