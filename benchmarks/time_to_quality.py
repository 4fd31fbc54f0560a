"""Held-out PSNR by wall time: the usual tutorial script, our first weights and a long run of ours.

PHOTOS is a folder of real faces with one folder for each person. We train on arrays of 64x64. The
tutorial script trains as tutorials on face autoencoders do: it reads the photographs of the same
training split through torch's DataLoader with Pillow and two workers, and trains three epochs from
torch's default weights with SGD (learning rate 0.01, momentum 0.9), batches of 64 and float32.

Our time includes everything after the call: reading, first weights, the choice of the dtype, steps
and checkpoints. The tutorial script's time excludes its evaluation. PCA fitted on the training
split shows what a linear code can reach.
"""

import argparse
import itertools
import json
import logging
import statistics
import tarfile
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from torch import nn
from torch.utils.data import DataLoader

import faceae_shards
from benchmarks import runner
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.photographs import Photographs
from faceae.data import Loader, LoaderConfig, make_loader
from faceae.evaluation import fit_pca
from faceae.model import FaceAutoEncoder, ModelConfig, psnr_db, start_from_components, to_float
from faceae.runs import EpochMetrics
from faceae.training import Observer, TrainConfig, train, validate
from faceae_shards import PackConfig, open_dataset, pack

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
IMAGE_SIZE = 64
BATCH_SIZE = 64
TUTORIAL_EPOCHS = 3
START_ROUNDS = 3
PCA_SIZES = (256, 1024)
"""Numbers of principal components."""
Curve = list[tuple[float, float]]
"""Points of seconds and decibels."""


def open_loader(dataset: faceae_shards.Dataset, split: str) -> Loader:
    """Return a loader of faces in stored order."""
    config = LoaderConfig(split=split, batch_size=100, image_size=IMAGE_SIZE, training=False)
    return make_loader("auto", dataset, config, CPU)


def list_training_photographs(dataset: faceae_shards.Dataset, photos: Path) -> list[Path]:
    """Return the photographs that the training split was packed from."""
    samples = []
    for shard in dataset.shard_paths("train"):
        with tarfile.open(shard) as tar:
            members = (tar.extractfile(name) for name in tar.getnames() if name.endswith(".json"))
            samples += [json.load(member) for member in members if member is not None]
    return [photos / sample["name"] for sample in samples]


def train_tutorial(
    dataset: faceae_shards.Dataset, photos: Path, crop: int, config: ModelConfig
) -> Curve:
    """Train as the usual tutorial script does."""
    torch.manual_seed(0)
    model = FaceAutoEncoder(config)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.reset_parameters()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    faces = Photographs(list_training_photographs(dataset, photos), crop, IMAGE_SIZE)
    loader = DataLoader(
        faces,
        batch_size=BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=NUM_WORKERS,
        persistent_workers=True,
    )
    curve: Curve = []
    seconds = 0.0
    for _ in range(TUTORIAL_EPOCHS):
        start = time.perf_counter()
        for images in loader:
            loss = nn.functional.mse_loss(model(images), images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        seconds += time.perf_counter() - start
        with closing(open_loader(dataset, "valid")) as held_out:
            curve.append((seconds, validate(model, held_out, CPU).psnr_db))
        log.info("tutorial script: %.0f s, %.2f dB", *curve[-1])
    return curve


def make_start(dataset: faceae_shards.Dataset, config: ModelConfig) -> tuple[float, float]:
    """Compute our first weights."""
    start = time.perf_counter()
    torch.manual_seed(0)
    model = FaceAutoEncoder(config)
    with closing(open_loader(dataset, "train")) as loader:
        start_from_components(model, (batch.images[: batch.num_valid] for batch in loader))
    seconds = time.perf_counter() - start
    with closing(open_loader(dataset, "valid")) as held_out:
        return seconds, validate(model, held_out, CPU).psnr_db


class _Epochs(Observer):
    """Records the time and the quality at the end of each epoch."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.curve: Curve = []

    def on_epoch(self, metrics: EpochMetrics) -> None:
        self.curve.append((time.perf_counter() - self.start, metrics.valid_psnr_db))
        log.info("ours: %.0f s, %.2f dB", *self.curve[-1])


def measure_pca(dataset: faceae_shards.Dataset, sizes: Sequence[int]) -> dict[int, float]:
    """Return the held-out PSNR of PCA by its number of components, of which faces are more."""
    faces = {}
    for split in ("train", "valid"):
        with closing(open_loader(dataset, split)) as loader:
            faces[split] = torch.cat([batch.images[: batch.num_valid] for batch in loader])
    held_out = to_float(faces["valid"]).contiguous()
    pca = fit_pca(faces["train"].contiguous(), max(sizes))
    found = {}
    for size in sizes:
        kept = replace(pca, components=pca.components[:, :size])
        found[size] = psnr_db((kept.reconstruct(held_out) - held_out).square().mean().item())
    return found


def draw_pca(axes: Axes, pca: dict[int, float], *, at: float) -> None:
    """Draw PCA's quality as grey lines, with their names at time `at`."""
    for size, decibels in pca.items():
        axes.axhline(decibels, color="0.6", linewidth=0.8)
        axes.annotate(f"PCA of {size}", (at, decibels), fontsize=7, va="bottom")


def plot(curves: dict[str, Curve], pca: dict[int, float]) -> None:
    """Draw results/time_to_quality.svg."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, curve in curves.items():
        seconds, decibels = zip(*curve, strict=True)
        axes.plot(seconds, decibels, marker=".", label=f"{name}: {decibels[-1]:.2f} dB")
    draw_pca(axes, pca, at=1)
    axes.set(xlabel="seconds", ylabel="held-out PSNR, dB", xscale="log")
    axes.legend(fontsize=8)
    runner.save_figure("time_to_quality", figure)


def main() -> None:
    """Measure, write results/time_to_quality.json and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "photos", type=Path, help="folder of photographs, with a folder for each person"
    )
    parser.add_argument("--crop", type=int, default=144, help="side of the centre square, pixels")
    parser.add_argument("--epochs", type=int, default=45, help="epochs of the long run")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument(
        "--components", type=int, nargs="+", default=PCA_SIZES, help="numbers of components of PCA"
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger(__name__).setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "packed")
        fitted = {"crop": options.crop, "size": IMAGE_SIZE}
        pack(PackConfig(source=options.photos, out=packed, encoding="npy", **fitted))
        dataset = open_dataset(packed)
        model = ModelConfig(width=options.width)
        pca = measure_pca(dataset, options.components)
        starts = [make_start(dataset, model) for _ in range(START_ROUNDS)]
        tutorial = train_tutorial(dataset, options.photos, options.crop, model)
        epochs = _Epochs()
        learn = {"epochs": options.epochs, "width": options.width}
        train(TrainConfig(data=packed, run=Path(folder, "run"), **learn), epochs)
    curves = {"tutorial script": tutorial, "ours": [starts[-1], *epochs.curve]}
    findings: dict[str, Any] = {
        "curves": curves,
        "pca_psnr_db": {str(size): decibels for size, decibels in pca.items()},
        "start_seconds_and_psnr_db": starts,
        "start_time_as_share_of_the_tutorial_script": [
            seconds / tutorial[-1][0] for seconds, _ in starts
        ],
        "our_epoch_as_share_of_the_tutorial_scripts": _epoch_seconds(epochs.curve)
        / _epoch_seconds(tutorial),
    }
    settings = {
        "num_train_images": dataset.num_samples("train"),
        "num_held_out_images": dataset.num_samples("valid"),
        "crop": options.crop,
        "epochs": options.epochs,
        "width": options.width,
        "threads": torch.get_num_threads(),
    }
    runner.save("time_to_quality", [], settings, findings)
    plot(curves, pca)
    print(findings)


def _epoch_seconds(curve: Curve) -> float:
    """Return the median time between two measurements."""
    times = [seconds for seconds, _ in curve]
    return statistics.median(later - earlier for earlier, later in itertools.pairwise(times))


if __name__ == "__main__":
    main()
