"""A small fitted run."""

from pathlib import Path

import pytest

import faceae
import faceae_shards


@pytest.fixture(scope="session")
def small_run(dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 32x32 pictures with 16 latent numbers, and its latents fitted. To be read only."""
    path = tmp_path_factory.mktemp("small") / "run"
    data = str(dataset_npy.path)
    faceae.train(
        data,
        path,
        epochs=1,
        batch_size=8,
        latent_size=16,
        width=8,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
    )
    faceae.fit(path, data, device="cpu")
    return path
