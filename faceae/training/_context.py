"""Everything that one process needs to train a run."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import NamedTuple

import torch

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import count_decode_threads, measured_kernels
from faceae.distributed import Ranks
from faceae.runs import Run
from faceae_shards import Dataset, Location, open_dataset

from ._plan import check_dataset, find_device
from .step import TrainState, check_speed_options, make_train_state


@dataclass(frozen=True, kw_only=True)
class TrainContext:
    """The run, processes, model and batches that one process works with."""

    run: Run
    ranks: Ranks
    train_state: TrainState
    train: Loader
    """Batches to train on."""
    held_out: Loader
    """Batches to validate on."""


def open_context(stack: ExitStack, ranks: Ranks, run: Run, data: Location) -> TrainContext:
    """Open the loaders, and make a train state at step 0. Closing `stack` closes the loaders."""
    # All batches have one shape.
    stack.enter_context(measured_kernels())
    inputs = ranks.run_on_all(lambda: _open_inputs(stack, ranks, run, data))
    torch.manual_seed(run.config.seed)
    train_state = make_train_state(
        run.model,
        run.config,
        device=inputs.device,
        amp_dtype=run.amp_dtype,
        total_steps=run.config.epochs * inputs.train.steps_per_epoch,
        first_step=run.first_epoch * inputs.train.steps_per_epoch,
        ranks=ranks,
    )
    # The first weights are the same in all processes; later random numbers need not be.
    torch.manual_seed(run.config.seed + ranks.rank)
    return TrainContext(
        run=run, ranks=ranks, train_state=train_state, train=inputs.train, held_out=inputs.held_out
    )


class _Inputs(NamedTuple):
    device: torch.device
    train: Loader
    held_out: Loader


def _open_inputs(stack: ExitStack, ranks: Ranks, run: Run, data: Location) -> _Inputs:
    """Do what may fail in one process only. Nothing here waits for other processes."""
    dataset = open_dataset(data)
    check_dataset(run, dataset)
    device = find_device(run)
    check_speed_options(run.config, device, ranks.world_size)
    return _Inputs(
        device=device,
        train=_open_loader(stack, ranks, run, dataset, device, split="train"),
        held_out=_open_loader(stack, ranks, run, dataset, device, split=run.held_out_split),
    )


def _open_loader(
    stack: ExitStack, ranks: Ranks, run: Run, dataset: Dataset, device: torch.device, *, split: str
) -> Loader:
    config = LoaderConfig(
        split=split,
        batch_size=run.config.count_faces_per_rank(ranks.world_size),
        image_size=run.model.image_size,
        training=split == "train",
        seed=run.config.seed,
        rank=ranks.rank,
        world_size=ranks.world_size,
        num_threads=count_decode_threads(),
    )
    loader = make_loader(run.config.loader, dataset, config, device, run.cache)
    return stack.enter_context(closing(loader))
