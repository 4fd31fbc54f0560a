"""torchcodec's decoder of images, which is to follow torchvision's."""

from pathlib import Path

import torch
from torchcodec.decoders import decode_image

from benchmarks.shared.reading import fit


def read_torchcodec(path: Path) -> torch.Tensor:
    """Decode a file; 3 x S x S uint8."""
    pixels: torch.Tensor = fit(decode_image(str(path), mode="RGB"))
    return pixels
