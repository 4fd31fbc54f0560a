"""How does cost grow with the number of images, the batch and the size of an image?

Peers: none; a slope of 1 in a log-log plot means that cost is proportional to size.

Work: packing, and an epoch of loading, of 2,000 to 200,000 JPEGs, each in a process of its own
(2,000 faces are drawn, and packed under many names); decoding batches of 1 to 256 latents, and
training steps on images of 32 to 128 pixels, with the default model in PyTorch. Sizes are measured
in turns, several rounds; a slope is a regression on logarithms over all rounds, with its standard
error.

The second part is a prediction, not a measurement: nodes of eight H100 GPUs by their datasheets
(`benchmarks/shared/node.py` names every figure and its source).
"""

import argparse
import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import runner
from benchmarks.pack import draw, list_images
from benchmarks.shared import isolated, node, packing
from benchmarks.shared.epoch import prepare_epoch
from benchmarks.shared.limits import measure_limits
from benchmarks.shared.steps import count_step
from benchmarks.tables import TABLES
from faceae.model import FaceAutoEncoder, ModelConfig

log = logging.getLogger(__name__)

COUNTS = (2_000, 20_000, 200_000)
BATCHES = (1, 4, 16, 64, 256)
SIZES = (32, 64, 128)
_STEP_BATCH = 16
_EPOCHS = 30
_SETS = {"CelebA": 202_599, "100 million faces": 100_000_000}
Seconds = dict[int, list[float]]


def main() -> None:
    """Measure, write results/scaling.json and scaling.svg, and print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="images")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pixels, powers of 2")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument("--drawn", type=int, default=2_000, help="faces to draw; names repeat")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_counts(Path(folder), options.counts, options.drawn, options.rounds)
    config = {"width": options.width}
    measured["decoding, by batch"] = in_turns(options.batches, options.rounds, decoder(config))
    measured["training step, by pixels"] = in_turns(options.sizes, options.rounds, stepper(config))
    findings = {
        "seconds": {name: {str(n): s for n, s in each.items()} for name, each in measured.items()},
        "slopes": {name: slope(each) for name, each in measured.items()},
        "prediction": predict(),
    }
    settings = dict(vars(options))
    runner.save("scaling", [], settings, findings)
    _plot(measured)
    print(TABLES["scaling"](findings))


def measure_counts(
    folder: Path, counts: Sequence[int], drawn: int, rounds: int
) -> dict[str, Seconds]:
    """Return the seconds of packing and of an epoch, by the number of images."""
    faces = sorted((draw(folder / "faces", drawn) / "img_align_celeba").iterdir())
    names = folder / "names"
    names.mkdir()
    for number in range(max(counts)):
        os.link(faces[number % len(faces)], names / f"{number:07}.jpg")
    images = sorted(names.iterdir())
    seconds: dict[str, Seconds] = {"packing, by images": defaultdict(list)}
    seconds["epoch of loading, by images"] = defaultdict(list)
    for number in range(rounds):
        for count in counts:
            log.info("round %d of %d, %d images", number + 1, rounds, count)
            out = folder / f"packed-{number}-{count}"
            listed = str(list_images(folder, images, count))
            # One split, so that an epoch reads every image.
            run = isolated.run(
                packing.prepare_whole, listed=listed, out=str(out), mode=packing.MODES[0]
            )
            seconds["packing, by images"][count].append(run.seconds)
            run = isolated.run(prepare_epoch, dataset=str(out), cache="none")
            seconds["epoch of loading, by images"][count].append(run.seconds)
    return seconds


def in_turns(
    sizes: Sequence[int], rounds: int, make: Callable[[int], Callable[[], object]]
) -> Seconds:
    """Return the seconds of work of several sizes, after a warm-up of each."""
    works = {size: make(size) for size in sizes}
    for work in works.values():
        work()
    seconds: Seconds = defaultdict(list)
    for _ in range(rounds):
        for size, work in works.items():
            start = time.perf_counter()
            work()
            seconds[size].append(time.perf_counter() - start)
    return seconds


def decoder(config: dict[str, int]) -> Callable[[int], Callable[[], object]]:
    """Return what makes the work of decoding one batch of a size."""
    model = FaceAutoEncoder(ModelConfig(**config)).eval()

    def make(batch_size: int) -> Callable[[], object]:
        z_NZ = torch.randn(batch_size, model.config.latent_size)

        @torch.inference_mode()
        def work() -> object:
            return model.decode(z_NZ)

        return work

    return make


def stepper(config: dict[str, int]) -> Callable[[int], Callable[[], object]]:
    """Return what makes the work of one training step at an image size."""

    def make(image_size: int) -> Callable[[], object]:
        model = FaceAutoEncoder(ModelConfig(image_size=image_size, **config)).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        images = torch.rand(_STEP_BATCH, 3, image_size, image_size) * 2 - 1

        def work() -> None:
            nn.functional.mse_loss(model(images), images).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return work

    return make


def slope(seconds: Seconds) -> dict[str, float]:
    """Return the slope of log time over log size, and its standard error."""
    pairs = [(size, value) for size, values in seconds.items() for value in values]
    x, y = np.log(np.array(pairs, dtype=np.float64)).T
    x = x - x.mean()
    spread = float((x**2).sum())
    if spread == 0:
        return {"slope": float("nan"), "error": float("nan")}
    found = float((x * y).sum() / spread)
    rest = y - y.mean() - found * x
    error = float(np.sqrt((rest**2).sum() / max(len(x) - 2, 1) / spread))
    return {"slope": found, "error": error}


def predict() -> dict[str, Any]:
    """Return the prediction for H100 nodes, with its figures and sources."""
    cost = count_step(ModelConfig(), "plain")
    model = FaceAutoEncoder(ModelConfig())
    work = node.Work(
        flops=cost.flops,
        operations=cost.operations,
        weight_bytes=4 * sum(p.numel() for p in model.parameters()),
        jpegs_per_core_s=measure_limits()["jpegs_per_s"] / packing.NUM_WORKERS,
    )
    kinds = {"JPEG 178x218": True, "arrays 64x64": False}
    return {
        "is_a_prediction": True,
        "figures": node.describe(),
        "flops_per_face": cost.flops,
        "operations": cost.operations,
        "batch_size": work.batch_size,
        "epochs": _EPOCHS,
        "stages": {
            kind: {str(n): node.predict(work, n, jpegs=jpegs) for n in node.GPUS}
            for kind, jpegs in kinds.items()
        },
        "trainings": {
            name: {
                kind: {str(n): node.price(work, faces, _EPOCHS, n, jpegs=jpegs) for n in node.GPUS}
                for kind, jpegs in kinds.items()
            }
            for name, faces in _SETS.items()
        },
    }


def _plot(measured: dict[str, Seconds]) -> None:
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(8, 6))
    for panel, (name, seconds) in zip(panels.flat, measured.items(), strict=False):
        for size, values in seconds.items():
            panel.plot([size] * len(values), values, ".", color="tab:blue")
        panel.set(title=name, xscale="log", yscale="log", ylabel="seconds")
    runner.save_figure("scaling", figure)


if __name__ == "__main__":
    main()
