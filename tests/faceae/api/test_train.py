"""Training from Python."""

from pathlib import Path
from typing import Any

import pytest

import faceae
from faceae.errors import FaceaeError
from faceae_shards import Dataset


def test_an_interrupted_run_goes_on(
    dataset_npy: Dataset, tmp_path: Path, options: dict[str, Any]
) -> None:
    data, run = str(dataset_npy.path), str(tmp_path / "run")
    faceae.train(data, run, **options)
    assert faceae.train(data, run, resume=True).position.epoch == 1


def test_a_folder_that_is_taken(
    dataset_npy: Dataset, api_run: str, options: dict[str, Any]
) -> None:
    with pytest.raises(FaceaeError, match="run"):
        faceae.train(str(dataset_npy.path), api_run, **options)


def test_an_option_that_does_not_exist(dataset_npy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="epoch_count"):
        faceae.train(str(dataset_npy.path), tmp_path / "run", epoch_count=3)
    assert not (tmp_path / "run").exists()


def test_fit_of_a_split_that_is_not_there(dataset_npy: Dataset, api_run: str) -> None:
    with pytest.raises(Exception, match="'holdout'"):
        faceae.fit(api_run, dataset_npy.path, split="holdout", device="cpu")
