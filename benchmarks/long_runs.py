"""Held-out PSNR of whole runs of `faceae train` by wall time, and PSNR of their training faces.

DATA is the packed dataset that the runs were trained on. Each RUN is a folder of `faceae train`
(`--model plain`); the result names it by its peak learning rate and epochs. PCA fitted on the
training split shows what a linear code can reach.

The PSNR of the training faces comes from the losses logged in an epoch, so it lags a little. If it
still rises while the held-out PSNR does not, more faces would help and more epochs would not.
"""

import argparse
from pathlib import Path
from typing import Any

from matplotlib import pyplot

import faceae_shards
from benchmarks import runner
from benchmarks.time_to_quality import PCA_SIZES, draw_pca, measure_pca
from faceae.model import psnr_db
from faceae.runs import read_history, read_run


def read_curves(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return a run's name and its curves."""
    run = read_run(folder)
    history = read_history(run)
    held_out = [(epoch.seconds, epoch.valid_psnr_db) for epoch in history.epochs]
    training = []
    for epoch in history.epochs:
        losses = [step.loss for step in history.steps if step.epoch == epoch.epoch]
        training.append((epoch.seconds, psnr_db(sum(losses) / len(losses))))
    name = f"lr {run.config.peak_lr:g}, {len(held_out)} epochs"
    return name, {
        "dtype": run.dtype,
        "batch_size": run.config.batch_size,
        "seconds_an_epoch": held_out[-1][0] / len(held_out),
        "held_out_psnr_db": held_out,
        "training_psnr_db": training,
    }


def plot(runs: dict[str, dict[str, Any]], pca: dict[int, float]) -> None:
    """Draw results/long_runs.svg."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, run in runs.items():
        minutes = [seconds / 60 for seconds, _ in run["held_out_psnr_db"]]
        held_out = [decibels for _, decibels in run["held_out_psnr_db"]]
        training = [decibels for _, decibels in run["training_psnr_db"]]
        (line,) = axes.plot(minutes, held_out, marker=".", label=f"{name}: {held_out[-1]:.2f} dB")
        axes.plot(minutes, training, ":", color=line.get_color(), label=f"{name}, training faces")
    draw_pca(axes, pca, at=0)
    axes.set(xlabel="minutes", ylabel="PSNR, dB")
    axes.legend(fontsize=8)
    runner.save_figure("long_runs", figure)


def main() -> None:
    """Write results/long_runs.json and print where each run ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the dataset the runs were trained on")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument(
        "--components", type=int, nargs="+", default=PCA_SIZES, help="numbers of components of PCA"
    )
    options = parser.parse_args()
    dataset = faceae_shards.open_dataset(options.data)
    pca = measure_pca(dataset, options.components)
    runs = dict(read_curves(folder) for folder in options.runs)
    settings = {
        "num_train_images": dataset.num_samples("train"),
        "num_held_out_images": dataset.num_samples("valid"),
    }
    pca_psnr_db = {str(size): decibels for size, decibels in pca.items()}
    runner.save("long_runs", [], settings, {"pca_psnr_db": pca_psnr_db, "runs": runs})
    plot(runs, pca)
    for name, run in runs.items():
        print(f"{name}: {run['held_out_psnr_db'][-1][1]:.2f} dB")
    print(f"PCA: {pca_psnr_db}")


if __name__ == "__main__":
    main()
