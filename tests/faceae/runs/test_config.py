"""Options of a training that are out of range or contradict each other."""

from dataclasses import replace

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("accumulate", 0, "`accumulate` must be at least 1, got 0"),
        ("accumulate", 3, "`batch_size=8` cannot be divided among .* x `accumulate=3`"),
        ("clip_norm", 0.0, "`clip_norm` must be a positive number, got 0"),
        ("clip_norm", float("nan"), "`clip_norm` must be a positive number, got nan"),
        ("epochs", 0, "`epochs` must be at least 1, got 0"),
        ("batch_size", 0, "`batch_size` must be at least 1, got 0"),
        ("batch_size", 1, "`batch_size` must be at least 2"),
        ("lr", 0.0, "`lr` must be a positive number, got 0"),
        ("lr", float("nan"), "`lr` must be a positive number, got nan"),
        ("lr", float("inf"), "`lr` must be a positive number, got inf"),
        ("seed", -1, "`seed` must be in 0"),
        ("log_steps", 0, "`log_steps` must be at least 1"),
        ("image_size", 48, "`image_size` must be one of"),
        ("latent_size", 0, "`latent_size` must be"),
        ("width", 0, "`width` must be"),
        ("checkpoint_minutes", 0.0, "`checkpoint_minutes` must be above 0"),
    ],
)
def test_options_out_of_range(config: TrainConfig, name: str, value: float, message: str) -> None:
    with pytest.raises(FaceaeError, match=message):
        replace(config, **{name: value})


def test_components_have_no_statistics_to_synchronise(config: TrainConfig) -> None:
    with pytest.raises(FaceaeError, match="`sync_batchnorm` works with `init='random'`"):
        replace(config, sync_batchnorm=True, init="components")


@pytest.mark.parametrize(
    ("batch_size", "world_size", "message"),
    [
        (10, 3, "`batch_size=10` cannot be divided among 3 processes x `accumulate=1`; give a"),
        (4, 4, "`batch_size` must be at least 8"),
    ],
)
def test_batch_that_processes_cannot_share(
    config: TrainConfig, batch_size: int, world_size: int, message: str
) -> None:
    with pytest.raises(FaceaeError, match=message):
        replace(config, batch_size=batch_size).count_faces_per_rank(world_size)
