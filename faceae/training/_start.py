"""The first weights of a run."""

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch

from faceae.data import LoaderConfig, make_loader
from faceae.device import count_decode_threads, full_float32
from faceae.errors import FaceaeError
from faceae.model import load_initial_weights, start_from_components
from faceae_shards import Location, open_dataset

from ._context import TrainContext
from .step import noise_variance

log = logging.getLogger(__name__)

_NUM_FACES = 8192
"""Largest number of faces to compute components of. More cost time and change little."""
_BATCH = 256


def initialize_weights(context: TrainContext, data: Location) -> None:
    """Give the model the first weights that `init` names, the same in all processes.

    Args:
        data: the dataset of the run, which may have been moved.

    Raises:
        FaceaeError, ShardsError: the dataset or the file of weights cannot be read, the weights
            are those of another architecture, or the faces have no components.
    """
    init, ranks, model = context.run.config.init, context.ranks, context.train_state.model
    if init == "components":
        ranks.run_on_first(lambda: _start_from_components(context, data))
        ranks.share_state(model)
    elif isinstance(init, Path):
        ranks.run_on_all(lambda: load_initial_weights(model, init))


def _start_from_components(context: TrainContext, data: Location) -> None:
    run, train_state = context.run, context.train_state
    num_faces = min(run.num_train_images, _NUM_FACES)
    config = LoaderConfig(
        split="train",
        batch_size=_BATCH,
        image_size=run.model.image_size,
        training=False,
        num_threads=count_decode_threads(),
    )
    loader = make_loader(run.config.loader, open_dataset(data), config, train_state.device)
    log.debug("computing principal components of %s faces", f"{num_faces:,}")

    def faces() -> Iterator[torch.Tensor]:
        # In stored order, which packing shuffled.
        for batch in islice(loader, _NUM_FACES // _BATCH):
            yield batch.images[: batch.num_valid]

    # The convolutions of faces with their components must be as exact as on a CPU.
    with closing(loader), full_float32():
        count = start_from_components(
            train_state.model, faces(), noise_variance=noise_variance(run.config)
        )
    if count == 0:
        raise FaceaeError(
            "there are no principal components to start from: the faces do not differ, or "
            f"`width={run.model.width}` is too narrow; give `init='random'`, a larger `width` or "
            "other faces"
        )
    log.info("starting from %s principal components of %s faces", f"{count:,}", f"{num_faces:,}")
