"""Loose photographs as the tutorial's and the article's scripts read them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms import v2


class Photographs(Dataset[torch.Tensor]):
    """Photographs in random mirror images, 3 x S x S float in [-1, 1] each.

    Args:
        crop: side of the centre square to keep.
        size: S, side of the pictures.
    """

    def __init__(self, paths: Sequence[str | Path], crop: int, size: int) -> None:
        self.paths = paths
        steps = [v2.CenterCrop(crop), v2.Resize(size), v2.RandomHorizontalFlip()]
        self.fit = v2.Compose([*steps, v2.PILToTensor()])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            pixels: torch.Tensor = self.fit(image.convert("RGB"))
            return pixels.float() / 127.5 - 1
