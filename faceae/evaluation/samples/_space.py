"""Feature spaces: what turns faces into the numbers that sets of faces are compared by."""

from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True, kw_only=True)
class SpaceName:
    """The name of a feature space. Only figures of equal names can be compared."""

    name: str
    version: str
    """Changes whenever the features of any face change."""
    size: int
    """Features of a face."""


class FeatureSpace(Protocol):
    """Maps faces to features."""

    @property
    def name(self) -> SpaceName:
        """Name, version and size of the space."""

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of faces, N x D float32, on the device of the faces.

        Args:
            images: N x 3 x H x W uint8, RGB.
        """
