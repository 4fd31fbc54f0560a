"""The modules that are exported.

Shapes: N faces, S image size, Z latent size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from faceae.errors import FaceaeError
from faceae.latent import Sampler
from faceae.model import FaceAutoEncoder, to_uint8, weights_hash

from ._info import ExportInfo, Kind


class Decoder(nn.Module):
    """Latents, N x Z float32, to faces, N x 3 x S x S float32 in [-1, 1], RGB."""

    def __init__(self, decoder: nn.Sequential) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, latents: Tensor) -> Tensor:
        faces_NCHW: Tensor = self.decoder(latents[:, :, None, None])
        return faces_NCHW


class Generator(nn.Module):
    """Standard normal noise, N x Z float32, to pictures, N x S x S x 3 uint8, RGB.

    `Sampler.latents`, the decoder and the way back to pixels in one. Noise scaled by a truncation
    gives truncated faces.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, decoder: nn.Sequential, sampler: Sampler) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(sampler.mean))
        self.register_buffer("factor", torch.from_numpy(sampler.factor.T.copy()))
        self.decoder = decoder

    def forward(self, noise: Tensor) -> Tensor:
        z_NZ = torch.addmm(self.mean, noise, self.factor)
        faces_NCHW = self.decoder(z_NZ[:, :, None, None])
        return to_uint8(faces_NCHW).permute(0, 2, 3, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportSource:
    """What exported files are made from."""

    model: FaceAutoEncoder
    """In evaluation mode, on the CPU."""
    dataset_hash: str
    """Of the faces it was trained on."""
    sampler: Sampler | None
    """Of its fitted latents; a generator needs it."""

    def describe(self, kind: Kind) -> ExportInfo:
        """Return what a file of this kind will say about itself."""
        return ExportInfo(
            kind=kind,
            model=self.model.config,
            weights_hash=weights_hash(self.model),
            dataset_hash=self.dataset_hash,
        )

    def build(self, kind: Kind, decoder: nn.Sequential) -> nn.Module:
        """Return the module of this kind around `decoder`: the model's own, or a rewritten one.

        Raises:
            FaceaeError: a generator of latents that were not fitted.
        """
        if kind == "decoder":
            return Decoder(decoder).eval()
        if self.sampler is None:
            raise FaceaeError("a generator needs fitted latents; run `faceae fit` first")
        return Generator(decoder, self.sampler).eval()
