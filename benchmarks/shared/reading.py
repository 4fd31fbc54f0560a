"""What loaders share: the size of faces and batches, and how an image is fitted and decoded."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image, decode_jpeg
from torchvision.transforms import v2

IMAGE_SIZE = 64
BATCH_SIZE = 128

fit = v2.Compose(
    [v2.Resize(IMAGE_SIZE), v2.CenterCrop(IMAGE_SIZE), v2.RandomHorizontalFlip()],
)
"""Scales the shorter side, cuts the centre and mirrors at random."""
to_tensor = v2.PILToTensor()


def read_pillow(path: Path) -> torch.Tensor:
    """Decode a file with Pillow; 3 x S x S uint8."""
    with Image.open(path) as image:
        pixels: torch.Tensor = to_tensor(fit(image.convert("RGB")))
        return pixels


def read_pillow_draft(path: Path) -> torch.Tensor:
    """Decode a file with Pillow at the smallest size that suffices; 3 x S x S uint8."""
    with Image.open(path) as image:
        image.draft("RGB", (IMAGE_SIZE, IMAGE_SIZE))
        pixels: torch.Tensor = to_tensor(fit(image.convert("RGB")))
        return pixels


def read_torchvision(path: Path) -> torch.Tensor:
    """Decode a file with torchvision's newest function; 3 x S x S uint8."""
    pixels: torch.Tensor = fit(decode_image(str(path), mode=ImageReadMode.RGB))
    return pixels


def decode_torchvision(data: Any) -> torch.Tensor:
    """Decode the bytes of a JPEG with torchvision; 3 x S x S uint8."""
    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    pixels: torch.Tensor = fit(decode_jpeg(encoded, mode=ImageReadMode.RGB))
    return pixels


def mirror_one(pixels: Any) -> torch.Tensor:
    """Return an image, H x W x C uint8, mirrored at random."""
    face = torch.from_numpy(np.array(pixels))
    return face.flip(1) if torch.rand(()) < 0.5 else face


def mirror_some(batch: torch.Tensor) -> torch.Tensor:
    """Mirror half of the images of a batch, N x H x W x C, at random and in place; return it."""
    chosen = torch.rand(len(batch)) < 0.5
    batch[chosen] = batch[chosen].flip(2)
    return batch
