"""The loss that training minimises, for each kind of model.

Shapes: N faces, C channels, H and W pixels, Z latent size.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from faceae.model import FaceAutoEncoder
from faceae.runs import TrainConfig


class Losses(NamedTuple):
    """Scalars of one batch, on its device."""

    loss: torch.Tensor
    """Mean squared error of the pixels in [-1, 1], plus the penalty."""
    penalty: torch.Tensor
    """Term that the kind of model adds, without gradient. 0 for the plain model."""


class Drawn(NamedTuple):
    """Faces of one step."""

    faces_NCHW: torch.Tensor
    """Float32: reconstructions of all faces, then as many new faces."""
    error: torch.Tensor
    """Mean squared error of the reconstructions."""
    penalty: torch.Tensor
    """The weighted KL divergence."""


_NOISE_STD = 0.1
_KL_WEIGHT = 1.0
_LATENT_PENALTY = 0.01
_MEAN_SHARE = 0.01
"""Share of the mean of the latents that one batch contributes."""


def noise_variance(config: TrainConfig) -> float:
    """Return the variance of the Gaussian decoder that the KL weight implies: `_Variational`."""
    return _or_default(config.kl_weight, _KL_WEIGHT) / 2.0


def make_objective(model: FaceAutoEncoder, config: TrainConfig) -> "Objective":
    """Return the objective of `config.model`, as a module around `model`."""
    kinds = {
        "plain": Objective,
        "denoising": _Denoising,
        "variational": _Variational,
        "adversarial": Drawing,
        "regularised": _Regularised,
    }
    return kinds[config.model](model, config)


class Objective(nn.Module):
    """The plain autoencoder: the mean squared error of the reconstruction."""

    def __init__(self, model: FaceAutoEncoder, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self._config = config

    def forward(self, images_NCHW: torch.Tensor) -> Losses:
        """Return the losses of faces, N x 3 x H x W float32 in [-1, 1]."""
        z_NZ, penalty = self._encode(images_NCHW)
        return self._compare(images_NCHW, self.model.decode(z_NZ), penalty)

    def _compare(
        self, images_NCHW: torch.Tensor, faces_NCHW: torch.Tensor, penalty: torch.Tensor
    ) -> Losses:
        error = functional.mse_loss(faces_NCHW.float(), images_NCHW)
        return Losses(error + penalty, penalty.detach())

    def _encode(self, images_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents to decode, and the penalty."""
        return self.model.encode(images_NCHW), images_NCHW.new_zeros(())


class _Denoising(Objective):
    """Reconstructs faces from their noisy versions (Vincent et al., 2008)."""

    def _encode(self, images_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        std = _or_default(self._config.noise_std, _NOISE_STD)
        noisy_NCHW = images_NCHW + std * torch.randn_like(images_NCHW)
        return super()._encode(noisy_NCHW)


class _Variational(Objective):
    """Decodes samples of the latent distribution (Kingma and Welling, 2014), with a weighted KL
    divergence (Higgins et al., 2017) and free bits (Kingma et al., 2016).

    With KL weight w the loss is the negative evidence lower bound of a Gaussian decoder of variance
    w / 2, up to a factor and a constant.
    """

    def _encode(self, images_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean_NZ, log_var_NZ = (part.float() for part in self.model.encode_distribution(images_NCHW))
        z_NZ = mean_NZ + torch.randn_like(mean_NZ) * (0.5 * log_var_NZ).exp()
        divergence_NZ = 0.5 * (mean_NZ.square() + log_var_NZ.exp() - 1.0 - log_var_NZ)
        free_bits = _or_default(self._config.free_bits, 0.0)
        divergence_Z = divergence_NZ.mean(0).clamp_min(free_bits)
        weight = _or_default(self._config.kl_weight, _KL_WEIGHT)
        return z_NZ, weight * divergence_Z.sum() / images_NCHW[0].numel()


class Drawing(_Variational):
    """The variational objective, which also draws new faces, each from the latents of two faces.

    The sum of two latents' distances to the mean, over the square root of 2, has the mean and
    covariance of all latents, and is nearer to their distribution than a normal one is.
    """

    def __init__(self, model: FaceAutoEncoder, config: TrainConfig) -> None:
        super().__init__(model, config)
        self.mean_Z: torch.Tensor
        self.register_buffer("mean_Z", torch.zeros(model.config.latent_size))

    def forward(self, images_NCHW: torch.Tensor, *, draw: bool = False) -> Losses | Drawn:  # type: ignore[override]
        """Return the losses of faces, N x 3 x H x W float32 in [-1, 1], or the faces to judge."""
        z_NZ, penalty = self._encode(images_NCHW)
        with torch.no_grad():
            self.mean_Z.lerp_(z_NZ.mean(0), _MEAN_SHARE)
        if not draw:
            return self._compare(images_NCHW, self.model.decode(z_NZ), penalty)
        faces_NCHW = self.model.decode(torch.cat([z_NZ, self.pair(z_NZ.detach())])).float()
        error = functional.mse_loss(faces_NCHW[: len(z_NZ)], images_NCHW)
        return Drawn(faces_NCHW, error, penalty)

    def pair(self, z_NZ: torch.Tensor) -> torch.Tensor:
        """Return new latents, N x Z: each of `z_NZ`, N x Z, mixed with the one before it."""
        centred_NZ = z_NZ - self.mean_Z
        return self.mean_Z + (centred_NZ + centred_NZ.roll(1, 0)) / math.sqrt(2.0)


class _Regularised(Objective):
    """Penalises the length of latents, as the regularised autoencoder of Ghosh et al. (2020)."""

    def _encode(self, images_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z_NZ = self.model.encode(images_NCHW)
        half_squared_length = 0.5 * z_NZ.float().square().sum(1).mean()
        weight = _or_default(self._config.latent_penalty, _LATENT_PENALTY)
        return z_NZ, weight * half_squared_length / images_NCHW[0].numel()


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value
