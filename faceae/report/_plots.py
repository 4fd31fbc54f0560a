"""Draws the curves of a run as SVG."""

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from faceae.runs import EpochMetrics, StepMetrics

SIZE_INCHES = (6.4, 3.0)
_DRIFT = 2.0
"""Drift with the deepest colour."""
BLUE, ORANGE = "#2b6cb0", "#dd6b20"

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#cbd5e0",
    "axes.grid": True,
    "axes.labelcolor": "#4a5568",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 10,
    "grid.color": "#edf2f7",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    # Keep text as text: every browser has a sans-serif font.
    "svg.fonttype": "none",
    # Derive element names from the content, so that the same run gives the same bytes.
    "svg.hashsalt": "faceae",
    "xtick.color": "#4a5568",
    "ytick.color": "#4a5568",
}


@style.context(STYLE)
def plot_loss(steps: Sequence[StepMetrics]) -> bytes:
    """Return the training loss over the steps on a log scale, with the penalty if there is one."""
    figure, axes = make_axes("step", "loss on training faces")
    x = [m.step for m in steps]
    axes.plot(x, [m.loss for m in steps], color=BLUE, label="loss")
    if any(m.penalty > 0 for m in steps):
        axes.plot(x, [m.penalty for m in steps], color=ORANGE, label="penalty in it")
        figure.legend(loc="outside upper right", ncols=2)
    axes.set_yscale("log")
    return to_svg(figure)


@style.context(STYLE)
def plot_psnr_by_epoch(epochs: Sequence[EpochMetrics], pca_psnr_db: float | None) -> bytes:
    """Return the held-out PSNR over the epochs, with a line for PCA's if given."""
    figure, axes = make_axes("epoch", "held-out PSNR, dB")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _add_psnr(figure, axes, [m.epoch for m in epochs], epochs, pca_psnr_db)
    return to_svg(figure)


@style.context(STYLE)
def plot_psnr_by_time(epochs: Sequence[EpochMetrics], pca_psnr_db: float | None) -> bytes:
    """Return the held-out PSNR over the minutes of training and evaluating."""
    figure, axes = make_axes("minutes", "held-out PSNR, dB")
    _add_psnr(figure, axes, [m.seconds / 60 for m in epochs], epochs, pca_psnr_db)
    return to_svg(figure)


@style.context(STYLE)
def plot_rate(steps: Sequence[StepMetrics]) -> bytes:
    """Return the learning rate over the steps."""
    figure, axes = make_axes("step", "learning rate")
    axes.plot([m.step for m in steps], [m.lr for m in steps], color=BLUE)
    axes.set_ylim(bottom=0)
    return to_svg(figure)


@style.context(STYLE)
def plot_throughput(steps: Sequence[StepMetrics]) -> bytes:
    """Return the images a second over the steps."""
    figure, axes = make_axes("step", "training images a second")
    axes.plot([m.step for m in steps], [m.images_per_s for m in steps], color=BLUE)
    axes.set_ylim(bottom=0)
    return to_svg(figure)


@style.context(STYLE)
def plot_time(steps: Sequence[StepMetrics]) -> bytes:
    """Return the time of an image over the steps, split into waiting for data and computing."""
    each_ms = [1000.0 / m.images_per_s for m in steps]
    wait_ms = [ms * m.data_wait_share for ms, m in zip(each_ms, steps, strict=True)]
    compute_ms = [ms - wait for ms, wait in zip(each_ms, wait_ms, strict=True)]
    figure, axes = make_axes("step", "milliseconds an image")
    axes.stackplot(
        [m.step for m in steps],
        wait_ms,
        compute_ms,
        labels=["waiting for data", "computing"],
        colors=[ORANGE, BLUE],
        alpha=0.8,
    )
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper right", ncols=2)
    return to_svg(figure)


@style.context({**STYLE, "axes.grid": False, "font.size": 7})
def plot_drifts(
    directions: Sequence[str], attributes: Sequence[str], drifts: Sequence[Sequence[float]]
) -> bytes:
    """Return the drift of each attribute (column) by each direction (row) as colours."""
    width, height = 2.2 + 0.26 * len(attributes), 1.6 + 0.2 * len(directions)
    figure = Figure(figsize=(max(width, SIZE_INCHES[0]), height))
    axes = figure.subplots()
    image = axes.imshow(drifts, cmap="RdBu_r", vmin=-_DRIFT, vmax=_DRIFT, aspect="auto")
    axes.set_xticks(range(len(attributes)), attributes, rotation=60, ha="right")
    axes.set_yticks(range(len(directions)), directions)
    figure.colorbar(image, label="drift", extend="both", fraction=0.02, pad=0.01)
    return to_svg(figure)


def make_axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Return a figure with one plot."""
    figure = Figure(figsize=SIZE_INCHES)
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _add_psnr(
    figure: Figure,
    axes: Axes,
    x: Sequence[float],
    epochs: Sequence[EpochMetrics],
    pca_psnr_db: float | None,
) -> None:
    psnrs_db = [m.valid_psnr_db for m in epochs]
    axes.plot(x, psnrs_db, color=BLUE, marker=".", label="model")
    if pca_psnr_db is not None:
        axes.axhline(pca_psnr_db, color=ORANGE, linestyle="--", label="PCA")
        figure.legend(loc="outside upper right", ncols=2)


def to_svg(figure: Figure) -> bytes:
    """Return a figure as SVG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
