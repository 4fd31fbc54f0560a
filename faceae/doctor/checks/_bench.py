"""What the checks share: a device, packed pictures, and models.

Everything is drawn from fixed seeds, so that all machines check the same numbers.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from faceae.latent import LatentMoments, NormalSampler
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_shards import Dataset, PackConfig, open_dataset, pack

from ._outcome import NotRunError, Speed, measure_speed

_NUM_PICTURES = 512
_PICTURE_SIZE = 64

SMALL = ModelConfig(image_size=32, latent_size=16, width=8)
"""The model whose numbers are compared."""
CPU = torch.device("cpu")


class Bench:
    """A device, and data that is made when a check first needs it."""

    def __init__(self, device: torch.device, folder: Path) -> None:
        """Check `device`.

        Args:
            folder: an empty folder.
        """
        self.device = device
        self.folder = folder

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"

    def need_gpu(self) -> None:
        """Raise NotRunError unless the device is a GPU."""
        if not self.on_gpu:
            raise NotRunError("needs a GPU")

    def wait(self) -> None:
        """Wait until the device has finished."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def measure(self, way: Callable[[], int], other: Callable[[], int]) -> Speed:
        """Measure two ways of the same work on the device; see `measure_speed`."""
        return measure_speed(way, other, self.wait)

    @cached_property
    def jpegs(self) -> Dataset:
        """512 pictures of 64x64 as JPEGs: 384 to train on, 64 to validate, 64 to test."""
        return self._pack("jpg")

    @cached_property
    def arrays(self) -> Dataset:
        """The same pictures as arrays."""
        return self._pack("npy")

    @cached_property
    def small(self) -> TrainedModel:
        """A model whose faces differ, as after training."""
        return make_trained(SMALL)

    @cached_property
    def full(self) -> TrainedModel:
        """A model of the size whose speed is measured."""
        return make_trained(self.full_config)

    @property
    def full_config(self) -> ModelConfig:
        """The default size; on a CPU, where the ratios are of less interest, a smaller one."""
        return ModelConfig() if self.on_gpu else ModelConfig(latent_size=128, width=16)

    def _pack(self, encoding: Literal["jpg", "npy"]) -> Dataset:
        out = self.folder / encoding
        config = PackConfig(
            source=self._pictures,
            out=out,
            size=_PICTURE_SIZE,
            encoding=encoding,
            samples_per_shard=64,
            split=(0.75, 0.125, 0.125),
            workers=1,
        )
        pack(config)
        return open_dataset(out)

    @cached_property
    def _pictures(self) -> Path:
        from PIL import Image

        folder = self.folder / "pictures"
        folder.mkdir()
        rng = np.random.default_rng(0)
        side = (_PICTURE_SIZE, _PICTURE_SIZE)
        for number in range(_NUM_PICTURES):
            coarse = rng.integers(0, 256, size=(6, 5, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize(side, Image.Resampling.BICUBIC)
            picture.save(folder / f"{number:04}.jpg", quality=90)
        return folder


def make_images(count: int, size: int, device: torch.device) -> torch.Tensor:
    """Return smooth random pictures, N x 3 x size x size uint8, channels-last, on `device`."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    images = nn.functional.interpolate(coarse, size, mode="bilinear").mul(255).to(torch.uint8)
    return images.contiguous(memory_format=torch.channels_last).to(device)


def make_trained(config: ModelConfig) -> TrainedModel:
    """Return a model with random weights whose faces differ, and a sampler of its latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FaceAutoEncoder(config).eval()
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05 * (8 / config.width) ** 0.5)
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_var is not None
                nn.init.uniform_(layer.running_var, 0.05, 0.1)
                nn.init.normal_(layer.bias, std=0.2)
    moments = LatentMoments(config.latent_size)
    rng = np.random.default_rng(0)
    moments.update(rng.normal(size=(2 * config.latent_size, config.latent_size)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    return TrainedModel(model=model, dataset_hash="", crop=None, sampler=sampler)
