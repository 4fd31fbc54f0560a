"""The file of a prior, and files that are none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from faceae.errors import FaceaeError
from faceae.latent import NormalPrior, load_prior, save_prior


def make_distribution() -> NormalPrior:
    return NormalPrior(
        mean=np.array([0.1, 1 / 3]),
        covariance=np.array([[2.0, 0.7], [0.7, 1 / 3]]),
        count=12,
        weights_hash="abc",
        dataset_hash="def",
    )


def test_save_and_load_keep_every_bit(tmp_path: Path) -> None:
    stored = make_distribution()
    save_prior(stored, tmp_path / "latents.safetensors")
    loaded = load_prior(tmp_path / "latents.safetensors")
    assert isinstance(loaded, NormalPrior)
    assert loaded.mean.dtype == loaded.covariance.dtype == np.float64
    assert np.array_equal(loaded.mean, stored.mean)
    assert np.array_equal(loaded.covariance, stored.covariance)
    assert (loaded.count, loaded.weights_hash, loaded.dataset_hash) == (12, "abc", "def")


def test_load_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: no such file; `faceae fit"):
        load_prior(tmp_path / "latents.safetensors")


@pytest.mark.parametrize("kept_bytes", [0, 4, 200, -1])
def test_load_truncated_file(tmp_path: Path, kept_bytes: int) -> None:
    path = tmp_path / "latents.safetensors"
    save_prior(make_distribution(), path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: damaged .*faceae fit"):
        load_prior(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not written by `faceae fit`"),
        ({"format": "faceae-model"}, "not written by `faceae fit`"),
        (
            {"format": "faceae-latents", "version": "9"},
            "version 9, where this faceae reads up to 2",
        ),
        ({"format": "faceae-latents", "version": "1"}, "damaged"),
    ],
)
def test_load_foreign_file(tmp_path: Path, metadata: dict[str, str] | None, message: str) -> None:
    path = tmp_path / "latents.safetensors"
    path.write_bytes(safetensors.numpy.save({"mean": np.zeros(2)}, metadata))
    with pytest.raises(FaceaeError, match=message):
        load_prior(path)


def test_check_weights_refuses_those_of_another_training() -> None:
    distribution = make_distribution()
    distribution.check_weights("abc", Path("latents.safetensors"))
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*run `faceae fit` again"):
        distribution.check_weights("abd", Path("latents.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "many"}, "'many'"),
        ({"count": 1}, "fitted on 1 face\\b"),
        ({"mean": np.zeros(2, np.float32)}, "type float32"),
        ({"mean": np.zeros((2, 1))}, "shape"),
        ({"covariance": np.eye(3)}, "shape"),
        ({"covariance": np.full((2, 2), np.nan)}, "not finite"),
    ],
)
def test_load_file_that_holds_something_else(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "latents.safetensors"
    save_prior(replace(make_distribution(), **change), path)
    with pytest.raises(FaceaeError, match=rf"damaged \(.*{message}.*faceae fit"):
        load_prior(path)


def test_load_version_1_which_names_no_kind(tmp_path: Path) -> None:
    path = tmp_path / "latents.safetensors"
    stored = make_distribution()
    metadata = {
        "format": "faceae-latents",
        "version": "1",
        "count": "12",
        "weights_hash": "abc",
        "dataset_hash": "def",
    }
    tensors = {"mean": stored.mean, "covariance": stored.covariance}
    path.write_bytes(safetensors.numpy.save(tensors, metadata))
    loaded = load_prior(path)
    assert isinstance(loaded, NormalPrior)
    assert np.array_equal(loaded.covariance, stored.covariance)


def test_load_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "latents.safetensors"
    metadata = {"format": "faceae-latents", "version": "2", "kind": "vine"}
    path.write_bytes(safetensors.numpy.save({"mean": np.zeros(2)}, metadata))
    with pytest.raises(FaceaeError, match=r"latents\.safetensors: .*'vine'.*`faceae fit`"):
        load_prior(path)
