"""A model as two lists of layers, to rewrite and to compare layer by layer."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from faceae.model import FaceAutoEncoder

from .._metadata import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The two halves of a model, each a list of layers.

    A layer is a convolution with its BatchNorm and activation, or modules that compute the same.
    """

    encoder: nn.Sequential
    """Computes latents, N x Z x 1 x 1, from faces, N x 3 x S x S."""
    decoder: nn.Sequential
    """Computes faces, N x 3 x S x S, from latents, N x Z x 1 x 1."""

    @classmethod
    def of(cls, model: FaceAutoEncoder) -> "Network":
        """Return the layers of a model, which are shared with it."""
        return cls(encoder=split_layers(model.encoder), decoder=split_layers(model.decoder))

    def layers(self, kind: Kind) -> list[nn.Module]:
        """Return the layers that an export of this kind holds, in order."""
        without_encoder = ("decoder", "generator", "latent-editor", "sampler")
        encoder = [] if kind in without_encoder else list(self.encoder)
        decoder = [] if kind in ("encoder", "sampler") else list(self.decoder)
        return encoder + decoder


def split_layers(modules: Iterable[nn.Module]) -> nn.Sequential:
    """Group the modules of an encoder or a decoder into layers.

    A layer starts at each convolution. The modules are shared, not copied.
    """
    layers: list[list[nn.Module]] = []
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            layers.append([])
        layers[-1].append(module)
    return nn.Sequential(*(nn.Sequential(*layer) for layer in layers)).eval()
