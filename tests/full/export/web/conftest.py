"""A small model, its page and its server, and a Chromium to visit them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from selenium import webdriver
from torch import nn
from visitor import ATTRIBUTES, LATENT_SIZE, Page, serve_folder, serve_model

from faceae.editing import Direction, Directions
from faceae.latent import LatentMoments, NormalSampler
from faceae.model import FaceAutoEncoder, ModelConfig, weights_hash
from faceae.runs import TrainedModel
from faceae.serving import ServeConfig
from faceae_export import export_web

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--window-size=1000,1100",
)


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """A small model whose faces differ, with two directions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(image_size=32, latent_size=LATENT_SIZE, width=16)
        model = FaceAutoEncoder(config).eval()
        for layer in model.decoder.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_var, 0.01, 0.1)
    moments = LatentMoments(LATENT_SIZE)
    moments.update(np.random.default_rng(0).normal(0.5, 1, (500, LATENT_SIZE)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    return TrainedModel(
        model=model,
        dataset_hash="",
        crop=None,
        sampler=sampler,
        directions=make_directions(weights_hash(model)),
    )


def make_directions(weights: str) -> Directions:
    fields = {"classifier": "ridge", "accuracy": 1, "auc": 1, "num_positive": 9, "num_negative": 9}
    size = (len(ATTRIBUTES), LATENT_SIZE)
    return Directions(
        found=tuple(Direction(name=name, **fields) for name in ATTRIBUTES),
        refused=(),
        vectors=np.random.default_rng(1).normal(0, 0.5, size).astype(np.float32),
        normals=np.ones(size, np.float32),
        offsets=np.zeros(len(ATTRIBUTES), np.float32),
        limits=np.ones(len(ATTRIBUTES), np.float32),
        weights_hash=weights,
        dataset_hash="",
    )


@pytest.fixture(scope="module")
def folder(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the model, with the runtime that npm fetched."""
    return export_web(trained, tmp_path_factory.mktemp("web") / "page", force=True).path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two smooth pictures of the model's size, without loss."""
    folder = tmp_path_factory.mktemp("photographs")
    rows, columns = np.mgrid[0:32, 0:32] * 8
    for number, planes in enumerate([(rows, columns, 255 - rows), (columns, columns, rows)]):
        Image.fromarray(np.stack(planes, axis=2).astype(np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serve_folder(folder) as address:
        yield address


@pytest.fixture(scope="module")
def served(trained: TrainedModel) -> Iterator[str]:
    """The address of `faceae serve` without a folder: the page computes on the server only."""
    with serve_model(trained, ServeConfig()) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[webdriver.Chrome]:
    driver_path, browser_path = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver_path, "install chromedriver (Debian: chromium-driver)"
    assert browser_path, "install chromium"
    options = webdriver.ChromeOptions()
    options.binary_location = browser_path
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: webdriver.Chrome, address: str) -> Page:
    return Page(chromium, address)
