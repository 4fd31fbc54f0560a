"""The usual article's system: plain PyTorch from loose JPEGs to new faces.

A `DataLoader` over loose JPEGs with Pillow and two workers; a float32 loop with SGD (learning rate
0.01, momentum 0.9), torch's default weights, batches of 64 and the loss read at every step; the
weights pickled after the last epoch; the covariance of latents as the mean of the batches'
covariances, which drops the spread between batches; eager sampling from a normal distribution.

Each `prepare_…` does its imports and returns the work. Paths and numbers only, so that
`benchmarks.shared.isolated` can run it in a process of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.shared.photographs import Photographs
from faceae.model import FaceAutoEncoder, ModelConfig

BATCH_SIZE = 64
NUM_WORKERS = 2


def _open(listed: str, crop: int, size: int) -> DataLoader[torch.Tensor]:
    faces = Photographs(Path(listed).read_text().splitlines(), crop, size)
    return DataLoader(
        faces, batch_size=BATCH_SIZE, shuffle=True, num_workers=NUM_WORKERS, drop_last=True
    )


def make_model(width: int) -> FaceAutoEncoder:
    """Return the article's network, which is faceae's plain one, with torch's own weights."""
    model = FaceAutoEncoder(ModelConfig(width=width))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.reset_parameters()
    return model


def prepare_load(listed: str, crop: int, size: int) -> Callable[[], int]:
    """Read one epoch of batches."""
    loader = _open(listed, crop, size)
    return lambda: sum(len(batch) for batch in loader)


def prepare_train(
    listed: str, crop: int, size: int, width: int, epochs: int, out: str
) -> Callable[[], float]:
    """Train and pickle the weights; the work returns the last loss."""
    torch.manual_seed(0)
    model = make_model(width)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loader = _open(listed, crop, size)

    def work() -> float:
        last = float("nan")
        for _ in range(epochs):
            for images in loader:
                loss = nn.functional.mse_loss(model(images), images)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                last = loss.item()
        torch.save(model.state_dict(), out)
        return last

    return work


def load_model(weights: str, width: int) -> FaceAutoEncoder:
    """Return the trained model."""
    model = make_model(width)
    model.load_state_dict(torch.load(weights))
    return model.eval()


def prepare_fit(
    listed: str, crop: int, size: int, width: int, weights: str, out: str
) -> Callable[[], int]:
    """Average means and covariances of batches, and pickle them; returns the number of faces."""
    model, loader = load_model(weights, width), _open(listed, crop, size)

    @torch.no_grad()
    def work() -> int:
        means, covariances = [], []
        for images in loader:
            z_NZ = model.encode(images)
            means.append(z_NZ.mean(0))
            covariances.append(torch.cov(z_NZ.T))
        moments = {
            "mean": torch.stack(means).mean(0),
            "covariance": torch.stack(covariances).mean(0),
        }
        torch.save(moments, out)
        return len(means) * BATCH_SIZE

    return work


def prepare_sample(
    width: int, weights: str, moments: str, count: int, out: str
) -> Callable[[], int]:
    """Draw new faces in batches and write them as one array, N x S x S x 3 uint8."""
    torch.manual_seed(0)
    model, fitted = load_model(weights, width), torch.load(moments)

    @torch.no_grad()
    def work() -> int:
        values, vectors = torch.linalg.eigh(fitted["covariance"].double())
        factor = (vectors * values.clamp(min=0).sqrt()).float()
        faces: list[Any] = []
        for start in range(0, count, BATCH_SIZE):
            noise = torch.randn(min(BATCH_SIZE, count - start), len(factor))
            images = model.decode(fitted["mean"] + noise @ factor.T)
            pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte()
            faces.append(pixels.permute(0, 2, 3, 1).numpy())
        np.save(out, np.concatenate(faces))
        return count

    return work
