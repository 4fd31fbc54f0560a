"""Held-out PSNR by faces seen, in short runs of several ways to train.

DATA is a packed dataset of real faces with a held-out split. The default model trains in the dtype
that `--amp` chooses, on faces held in memory, half of them mirrored. Every trial sees the same
faces in the same order and completes its learning-rate schedule (a rise, then half a cosine to
zero). The result shows what learns fastest; `benchmarks.long_runs` shows where a long run ends.

Step times are relative to the first trial. Trials that results/recipe.json already holds with the
same settings are not run again.
"""

import argparse
import json
import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import faceae_shards
from benchmarks import runner
from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import choose_amp
from faceae.distributed import keep_statistics
from faceae.model import FaceAutoEncoder, ModelConfig, start_from_components, to_float
from faceae.training import validate
from faceae.training.step import learning_rate

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
Optimizers = list[torch.optim.Optimizer]


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al., 2024): orthogonalised momentum, for convolutions read as matrices.

    torch's own Muon accepts matrices only. Uses five Newton-Schulz steps in bfloat16, as published.
    """

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update the weights once."""
        for group in self.param_groups:
            for weight in group["params"]:
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 0.05)
                matrix = weight.grad.lerp(momentum, 0.95).flatten(1)
                scale = 0.2 * math.sqrt(max(matrix.shape))
                weight.sub_(_orthogonal(matrix).view_as(weight), alpha=group["lr"] * scale)


def _orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    wide = matrix.bfloat16() if matrix.shape[0] <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    return (wide if matrix.shape[0] <= matrix.shape[1] else wide.T).float()


def adamw(model: nn.Module, lr: float) -> Optimizers:
    """AdamW, as in `faceae train`."""
    return [torch.optim.AdamW(model.parameters(), lr=lr, fused=True)]


def sgd(model: nn.Module, lr: float) -> Optimizers:
    """SGD with momentum, as in the usual tutorial script."""
    return [torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)]


_FEWEST_LATENT_WEIGHTS = 2**22
"""Weights of the smallest convolution to or from the latents; all others have fewer."""


def muon(model: nn.Module, lr: float) -> Optimizers:
    """Muon for the convolutions between feature maps, AdamW for the rest.

    Orthogonalising the two convolutions to and from the latents would take longer than a step.
    """
    matrices = [
        weight
        for weight in model.parameters()
        if weight.dim() == 4 and weight.numel() < _FEWEST_LATENT_WEIGHTS
    ]
    chosen = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in chosen]
    return [Muon(matrices, lr), torch.optim.AdamW(rest, lr=lr)]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way to train."""

    name: str
    components: bool
    """Whether to start from the faces' principal components."""
    optimizers: Callable[[nn.Module, float], Optimizers] = adamw
    lr: float
    batch_size: int = 64
    amp: bool = True
    constant_lr: bool = False
    batch_statistics: bool = False
    """Whether BatchNorm takes its statistics from each batch. `faceae train` does so from random
    weights; from components it keeps the statistics of the first weights."""
    ema: float | None = None
    """Decay of a moving average of the weights, which is evaluated in their place."""


TRIALS = (
    Trial(name="components, AdamW 2e-4", components=True, lr=2e-4),
    Trial(name="components, AdamW 1e-4", components=True, lr=1e-4),
    Trial(name="components, AdamW 4e-4", components=True, lr=4e-4),
    Trial(
        name="components, AdamW 2e-4, batch statistics",
        components=True,
        lr=2e-4,
        batch_statistics=True,
    ),
    Trial(name="components, Muon 1e-4", components=True, optimizers=muon, lr=1e-4),
    Trial(name="components, AdamW 2e-4, batch 32", components=True, lr=2e-4, batch_size=32),
    Trial(name="random, AdamW 2e-3", components=False, lr=2e-3, batch_statistics=True),
    Trial(
        name="random, Muon 2e-3",
        components=False,
        optimizers=muon,
        lr=2e-3,
        batch_statistics=True,
    ),
    Trial(name="components, AdamW 2e-4, average 0.98", components=True, lr=2e-4, ema=0.98),
    Trial(
        name="tutorial script: random, SGD 1e-2, float32",
        components=False,
        optimizers=sgd,
        lr=1e-2,
        amp=False,
        constant_lr=True,
        batch_statistics=True,
    ),
    Trial(
        name="random, AdamW 2e-3, batch 32",
        components=False,
        lr=2e-3,
        batch_size=32,
        batch_statistics=True,
    ),
)


def open_loader(
    dataset: faceae_shards.Dataset, split: str, batch_size: int, *, training: bool
) -> Loader:
    """Return the project's loader; training faces are held in memory."""
    config = LoaderConfig(split=split, batch_size=batch_size, image_size=64, training=training)
    return make_loader("auto", dataset, config, CPU, "ram" if training else "none")


def run(
    trial: Trial, dataset: faceae_shards.Dataset, options: argparse.Namespace
) -> dict[str, Any]:
    """Train, and return the curve and the median time of a step."""
    torch.manual_seed(0)
    model = FaceAutoEncoder(ModelConfig(width=options.width))
    if not trial.batch_statistics:
        keep_statistics(model)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if trial.components:
        first = open_loader(dataset, "train", 256, training=False)
        start_from_components(model, (batch.images[: batch.num_valid] for batch in first))
    optimizers = trial.optimizers(model, trial.lr)
    average = None
    if trial.ema is not None:
        average = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(trial.ema), use_buffers=True
        )
    dtype = choose_amp(CPU, trial.amp).dtype
    held_out = open_loader(dataset, "valid", 100, training=False)
    total_steps = options.faces // trial.batch_size
    curve, seconds = [(0, validate(model, held_out, CPU).psnr_db)], []
    for step, images in zip(range(total_steps), _endless(dataset, trial.batch_size), strict=False):
        start = time.perf_counter()
        lr = trial.lr if trial.constant_lr else learning_rate(step, total_steps, trial.lr)
        _train_step(model, optimizers, images, lr, dtype)
        if average is not None:
            average.update_parameters(model)
        seconds.append(time.perf_counter() - start)
        num_seen = (step + 1) * trial.batch_size
        if num_seen % options.measure_every == 0:
            measured = model if average is None else average.module
            curve.append((num_seen, validate(measured, held_out, CPU).psnr_db))
            log.info("%s: %d faces, %.2f dB", trial.name, *curve[-1])
    return {
        "curve": curve,
        "seconds_a_face": statistics.median(seconds) / trial.batch_size,
    }


def _train_step(
    model: nn.Module,
    optimizers: Optimizers,
    images: torch.Tensor,
    lr: float,
    dtype: torch.dtype | None,
) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr
    x_NCHW = to_float(images)
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        faces_NCHW = model(x_NCHW)
    nn.functional.mse_loss(faces_NCHW.float(), x_NCHW).backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _endless(dataset: faceae_shards.Dataset, batch_size: int) -> Iterator[torch.Tensor]:
    loader = open_loader(dataset, "train", batch_size, training=True)
    while True:
        for batch in loader:
            yield batch.images


def read_trials(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the earlier trials with these settings; results without a width had the default."""
    path = runner.RESULTS / "recipe.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = {"width": ModelConfig.width, **before.get("settings", {})}
    return dict(before["trials"]) if known == settings else {}


def plot(trials: dict[str, Any]) -> None:
    """Draw the curves to results/recipe.svg."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, trial in trials.items():
        faces, psnr_db = zip(*trial["curve"], strict=True)
        axes.plot(faces, psnr_db, label=f"{name}: {psnr_db[-1]:.2f} dB")
    axes.set(xlabel="faces seen", ylabel="held-out PSNR, dB")
    axes.legend(fontsize=7)
    runner.save_figure("recipe", figure)


def main() -> None:
    """Run the trials and add each to results/recipe.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset packed by `faceae shard`")
    parser.add_argument("--faces", type=int, default=12_800, help="faces that a trial sees")
    parser.add_argument(
        "--measure-every", type=int, default=1600, help="faces between two measurements"
    )
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger(__name__).setLevel(logging.INFO)
    dataset = faceae_shards.open_dataset(options.data)
    settings = {
        "num_train_images": dataset.num_samples("train"),
        "num_held_out_images": dataset.num_samples("valid"),
        "faces": options.faces,
        "width": options.width,
        "threads": torch.get_num_threads(),
        "dtype": str(choose_amp(CPU, True).dtype or torch.float32),
    }
    trials = read_trials(settings)
    for trial in TRIALS:
        if trial.name in trials:
            continue
        trials[trial.name] = run(trial, dataset, options)
        first = next(iter(trials.values()))["seconds_a_face"]
        trials[trial.name]["time_against_the_first"] = trials[trial.name]["seconds_a_face"] / first
        runner.save("recipe", [], settings, {"trials": trials})
        plot(trials)


if __name__ == "__main__":
    main()
