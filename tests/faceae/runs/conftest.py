"""A run as training plans it."""

import pytest

from faceae.model import ModelConfig
from faceae.runs import Run, TrainConfig


@pytest.fixture
def run(config: TrainConfig) -> Run:
    return Run(
        config=config,
        model=ModelConfig(image_size=32, latent_size=16, width=4),
        dataset_hash="abc",
        crop=178,
        num_train_images=24,
        held_out_split="valid",
        device="cpu",
        dtype="bfloat16",
        dtype_reason="because",
        cache="ram",
        cache_reason="because",
        versions={"faceae": "0.1.0", "nvidia-dali-cuda120": None},
    )
