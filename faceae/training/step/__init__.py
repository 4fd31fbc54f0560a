"""One optimisation step: objectives, learning rate, mixed precision, compilation."""

from ._adversary import STAGES_SHARE, Adversary
from ._objective import Losses, noise_variance
from ._speed import check_speed_options
from ._step import TrainState, learning_rate, make_train_state, train_step

__all__ = [
    "STAGES_SHARE",
    "Adversary",
    "Losses",
    "TrainState",
    "check_speed_options",
    "learning_rate",
    "make_train_state",
    "noise_variance",
    "train_step",
]
