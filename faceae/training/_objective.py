"""What training minimises, for each kind of model.

Shapes: N faces, C channels, H and W pixels, Z latent size.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from faceae.model import FaceAutoEncoder


class Losses(NamedTuple):
    """Scalars of one batch, on its device."""

    loss: torch.Tensor
    """What is minimised: mean squared error of the pixels in [-1, 1], and the penalty."""
    penalty: torch.Tensor
    """What the kind of model adds, without gradient; 0 for the plain one."""


class Objective(nn.Module):
    """The plain autoencoder: the mean squared error of the reconstruction."""

    def __init__(self, model: FaceAutoEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_NCHW: torch.Tensor) -> Losses:
        """Return the losses of faces, N x 3 x H x W float32 in [-1, 1]."""
        z_NZ, penalty = self._encode(images_NCHW)
        faces_NCHW = self.model.decode(z_NZ)
        error = functional.mse_loss(faces_NCHW.float(), images_NCHW)
        return Losses(error + penalty, penalty.detach())

    def _encode(self, images_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents to decode, and the penalty."""
        return self.model.encode(images_NCHW), images_NCHW.new_zeros(())
