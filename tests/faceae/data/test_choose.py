"""Which loader is taken, and what is said of it."""

import logging
import sys

import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, make_loader
from faceae.errors import FaceaeError

CPU = torch.device("cpu")


def make_config(image_size: int = 32) -> LoaderConfig:
    return LoaderConfig(split="train", batch_size=8, image_size=image_size, training=True)


@pytest.fixture
def without_dali(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "faceae.data._dali", raising=False)
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)


def test_auto_takes_dali_where_it_is_installed(
    dataset_npy: faceae_shards.Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("nvidia.dali")
    with caplog.at_level(logging.INFO):
        loader = make_loader("auto", dataset_npy, make_config(), CPU)
    assert str(loader.state_dict()["reader"]).startswith("dali ")
    assert "train: DALI loader on cpu, since it is installed" in caplog.text
    loader.close()


@pytest.mark.usefixtures("without_dali")
def test_auto_without_dali_takes_webdataset_and_says_why(
    dataset_npy: faceae_shards.Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        loader = make_loader("auto", dataset_npy, make_config(), CPU)
    assert str(loader.state_dict()["reader"]).startswith("webdataset ")
    assert "webdataset loader, since DALI cannot be imported" in caplog.text
    assert len(list(loader)) == 3
    loader.close()


@pytest.mark.usefixtures("without_dali")
def test_dali_asked_for_and_missing_is_an_error_with_the_remedy(
    dataset_npy: faceae_shards.Dataset,
) -> None:
    with pytest.raises(
        FaceaeError, match=r"`loader='dali'`.*nvidia-dali-cuda120.*`loader='webdataset'`"
    ):
        make_loader("dali", dataset_npy, make_config(), CPU)


def test_enlarging_is_said(
    dataset_npy: faceae_shards.Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    make_loader("webdataset", dataset_npy, make_config(), CPU).close()
    assert not caplog.records
    make_loader("webdataset", dataset_npy, make_config(image_size=64), CPU).close()
    assert "holds images of 32x32 pixels; image size 64 enlarges them" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"image_size": 0}, "`image_size` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"num_threads": 0}, "`num_threads` must be at least 1"),
        ({"world_size": 0}, "`world_size` must be at least 1"),
        ({"rank": 2, "world_size": 2}, r"`rank` must be in 0\.\.1, got 2"),
    ],
)
def test_config_refuses_what_makes_no_sense(options: dict[str, int], message: str) -> None:
    defaults = {"batch_size": 8, "image_size": 32}
    with pytest.raises(FaceaeError, match=message):
        LoaderConfig(split="train", training=True, **{**defaults, **options})
