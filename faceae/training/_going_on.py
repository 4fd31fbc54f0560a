"""What a run that goes on may change: more epochs, when to stop, which checkpoints to keep."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig
from faceae_shards import count_of

from .records import Position, list_checkpoints, read_position
from .step import STAGES_SHARE

log = logging.getLogger(__name__)


def is_finished(run: Run, position: Position) -> bool:
    """Return whether all epochs are done, or `early_stop` epochs in a row brought nothing."""
    return position.epoch >= run.config.epochs or is_stalled(run, position)


def is_stalled(run: Run, position: Position) -> bool:
    """Return whether the last `early_stop` epochs were all no better than one before them."""
    patience = run.config.early_stop
    best_epoch = max(position.best_epoch, run.first_epoch)
    return patience is not None and position.epoch - best_epoch >= patience


def extend_run(run: Run, asked: Mapping[str, Any]) -> Run:
    """Return a finished run with the larger number of epochs in `asked`, or any other as it is.

    The schedule of the learning rate begins again where the run ended.

    Raises:
        FaceaeError: `asked` has more epochs for a run that is not finished, or for an
            adversarial run whose first stages would come again.
    """
    epochs = asked.get("epochs", run.config.epochs)
    ends = list_checkpoints(run.checkpoints_path, epochs_only=True)
    if epochs <= run.config.epochs or not ends:
        return run
    position = read_position(ends[-1])
    if not is_finished(run, position):
        raise FaceaeError(
            f"{run.path}: `epochs` is {epochs} where the run has {run.config.epochs}, of which "
            f"{position.epoch} are done; leave it out until the run is finished, which can then be "
            "extended"
        )
    if run.model.variant == "adversarial" and position.epoch < STAGES_SHARE * epochs:
        raise FaceaeError(
            f"{run.path}: an adversarial run of {count_of(position.epoch, 'epoch')} cannot be "
            f"extended to {epochs}, because its first stages are {STAGES_SHARE:.0%} of all its "
            "epochs; extend it less, or start a new `run` with `epochs={epochs}`"
        )
    log.info(
        "%s: extended from %d to %d epochs; the learning rate rises again to %g and falls to zero "
        "over the new ones",
        *(run.path, position.epoch, epochs, run.config.peak_lr),
    )
    config = dataclasses.replace(run.config, epochs=epochs)
    return dataclasses.replace(run, config=config, first_epoch=position.epoch)


def fit_batch(config: TrainConfig, num_images: int, world_size: int) -> TrainConfig:
    """Return `config` with a smaller batch where the training split does not fill one.

    A split that is too small for any batch is left to the loader, which refuses it.
    """
    step = world_size * config.accumulate
    batch_size = num_images // step * step
    if batch_size >= config.batch_size or batch_size < 2 * step:
        return config
    log.warning(
        "the training split has %d images, fewer than a batch of %d: training with batches of %d",
        *(num_images, config.batch_size, batch_size),
    )
    return dataclasses.replace(config, batch_size=batch_size)


def drop_large_batch(run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return `asked` without a batch size that the run, too, would have made smaller."""
    kept = dict(asked)
    if kept.get("batch_size", 0) > run.num_train_images:
        del kept["batch_size"]
    return kept
