"""The first weights of a run."""

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch

from faceae.data import LoaderConfig, make_loader
from faceae.device import count_decode_threads
from faceae.errors import FaceaeError
from faceae.model import load_initial_weights, start_from_components
from faceae_shards import Location, open_dataset

from ._job import Session
from ._objective import noise_variance

log = logging.getLogger(__name__)

_NUM_FACES = 8192
"""Most faces to find components of; more change little, and take their time."""
_BATCH = 256


def start_learner(session: Session, data: Location) -> None:
    """Give the model the first weights that were asked for, the same in all processes.

    Args:
        data: the run's dataset, wherever it lies now.

    Raises:
        FaceaeError, ShardsError: the dataset or the file of weights cannot be read, or the
            weights are those of another architecture, or there are no components.
    """
    init, ranks, model = session.run.config.init, session.ranks, session.learner.model
    if init == "components":
        ranks.on_first(lambda: _start_from_components(session, data))
        ranks.share_state(model)
    elif isinstance(init, Path):
        ranks.together(lambda: load_initial_weights(model, init))


def _start_from_components(session: Session, data: Location) -> None:
    run, learner = session.run, session.learner
    config = LoaderConfig(
        split="train",
        batch_size=_BATCH,
        image_size=run.model.image_size,
        training=False,
        num_threads=count_decode_threads(),
    )
    loader = make_loader(run.config.loader, open_dataset(data), config, learner.device)

    def faces() -> Iterator[torch.Tensor]:
        # In stored order, which packing has shuffled.
        for batch in islice(loader, _NUM_FACES // _BATCH):
            yield batch.images[: batch.num_valid]

    with closing(loader):
        count = start_from_components(
            learner.model, faces(), noise_variance=noise_variance(run.config)
        )
    if count == 0:
        raise FaceaeError(
            "there are no principal components to start from: the faces do not differ, or --width "
            f"{run.model.width} is too narrow; add --init random, and another --width or faces"
        )
    log.info(
        "starting from %d principal components of %d faces",
        count,
        min(run.num_train_images, _NUM_FACES),
    )
