"""The modules that are exported.

Shapes: N faces, S image size, Z latent size, K attributes. Each module computes in the dtype of its
weights. Its inputs and its output always have the dtypes of `ExportInfo.inputs` and
`ExportInfo.output`.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceae.latent import NormalSampler, Sampler
from faceae.model import to_float, to_uint8

from ._network import Network


class Decoder(nn.Module):
    """Latents, N x Z float32, to faces, N x 3 x S x S float32 in [-1, 1], RGB."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.decoder = network.decoder

    def forward(self, latents: Tensor) -> Tensor:
        return _decode(self.decoder, latents)


class Generator(nn.Module):
    """Standard normal noise, N x Z float32, to pictures, N x S x S x 3 uint8, RGB.

    Computes `NormalSampler.latents`, decodes them, and converts the faces to pixels. The truncation
    is a float32 number of shape (), or one number per face, N x 1.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, network: Network, sampler: NormalSampler) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(sampler.mean))
        self.register_buffer("factor", torch.from_numpy(sampler.factor.T.copy()))
        self.decoder = network.decoder

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        z_NZ = torch.addmm(self.mean, noise * truncation, self.factor)
        return _to_pictures(_decode(self.decoder, z_NZ))


class PriorGenerator(nn.Module):
    """A `Generator` whose latents come from a prior that is not normal. Same inputs and output."""

    def __init__(self, network: Network, sampler: Sampler) -> None:
        super().__init__()
        # A copy, since a module is moved to a device in place.
        self.prior = copy.deepcopy(sampler.module)
        self.decoder = network.decoder

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        return _to_pictures(_decode(self.decoder, self.prior(noise, truncation)))


class NormalLatents(nn.Module):
    """Standard normal noise, N x Z float32, to the latents that `Generator` decodes, N x Z."""

    mean: Tensor
    factor: Tensor

    def __init__(self, sampler: NormalSampler) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(sampler.mean))
        self.register_buffer("factor", torch.from_numpy(sampler.factor.T.copy()))

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        return torch.addmm(self.mean, noise * truncation, self.factor)


class PriorLatents(nn.Module):
    """Standard normal noise to the latents that `PriorGenerator` decodes; see `NormalLatents`."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        # A copy, since a module is moved to a device in place.
        self.prior = copy.deepcopy(sampler.module)

    def forward(self, noise: Tensor, truncation: Tensor) -> Tensor:
        z_NZ: Tensor = self.prior(noise, truncation)
        return z_NZ


class Encoder(nn.Module):
    """Pictures, N x S x S x 3 uint8, RGB, to latents, N x Z float32."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(self, images: Tensor) -> Tensor:
        return _encode(self.encoder, images)


class AutoEncoder(nn.Module):
    """Pictures, N x S x S x 3 uint8, RGB, to their reconstructions, of the same shape and dtype."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.decoder = network.decoder

    def forward(self, images: Tensor) -> Tensor:
        return _to_pictures(_decode(self.decoder, _encode(self.encoder, images)))


class Morph(nn.Module):
    """Two pictures, 2 x S x S x 3 uint8, RGB, to `steps` frames from one face to the other.

    The latents of the frames are evenly spaced on the line between the two faces' latents. The
    first frame is the first picture's reconstruction, and the last frame is the second's; with one
    step there is only the first. `steps` is an int64 number of shape () or (1,).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.decoder = network.decoder

    def forward(self, images: Tensor, steps: Tensor) -> Tensor:
        start_1Z, end_1Z = _encode(self.encoder, images).chunk(2)
        steps = steps.reshape(())
        share_N1 = (_count(steps, start_1Z) / (steps - 1).clamp(min=1)).float()[:, None]
        z_NZ = (1 - share_N1) * start_1Z + share_N1 * end_1Z
        return _to_pictures(_decode(self.decoder, z_NZ))


class LatentEditor(nn.Module):
    """Latents, N x Z float32, and strengths, N x K float32, to pictures, N x S x S x 3 uint8, RGB.

    Adds each direction, times its strength, to the latents.
    """

    vectors: Tensor

    def __init__(self, network: Network, vectors_KZ: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.from_numpy(vectors_KZ.copy()))
        self.decoder = network.decoder

    def forward(self, latents: Tensor, strengths: Tensor) -> Tensor:
        return _to_pictures(_decode(self.decoder, latents + strengths @ self.vectors))


class Editor(LatentEditor):
    """A `LatentEditor` that takes pictures, N x S x S x 3 uint8, RGB, instead of latents."""

    def __init__(self, network: Network, vectors_KZ: NDArray[np.float32]) -> None:
        super().__init__(network, vectors_KZ)
        self.encoder = network.encoder

    def forward(self, images: Tensor, strengths: Tensor) -> Tensor:
        return super().forward(_encode(self.encoder, images), strengths)


def _count(steps: Tensor, like: Tensor) -> Tensor:
    """Return the numbers from 0 to `steps` - 1, on the device of `like`."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        # A trace would store the device of `arange`, and the file would run nowhere else.
        ones_N: Tensor = steps.clamp(1, 1).expand(steps)  # type: ignore[call-overload]
        return (ones_N.cumsum(0) - 1).type_as(like)
    return torch.arange(steps, device=like.device)  # type: ignore[call-overload, no-any-return]


def _encode(encoder: nn.Sequential, images_NHWC: Tensor) -> Tensor:
    faces_NCHW = to_float(images_NHWC.permute(0, 3, 1, 2)).to(_dtype(encoder))
    z_NZ: Tensor = encoder(faces_NCHW).flatten(1).float()
    return z_NZ


def _decode(decoder: nn.Sequential, z_NZ: Tensor) -> Tensor:
    faces_NCHW: Tensor = decoder(z_NZ.to(_dtype(decoder))[:, :, None, None]).float()
    return faces_NCHW


def _to_pictures(faces_NCHW: Tensor) -> Tensor:
    return to_uint8(faces_NCHW).permute(0, 2, 3, 1)


def _dtype(part: nn.Sequential) -> torch.dtype:
    return next(part.parameters()).dtype
