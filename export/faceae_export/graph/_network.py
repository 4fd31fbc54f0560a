"""A model as two lists of layers, which can be changed and compared one by one."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from faceae.model import FaceAutoEncoder

from .._metadata import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The two halves of a model, each a list of layers.

    A layer is a convolution and what follows it, or whatever computes the same.
    """

    encoder: nn.Sequential
    """Faces, N x 3 x S x S, to latents, N x Z x 1 x 1."""
    decoder: nn.Sequential
    """Latents, N x Z x 1 x 1, to faces, N x 3 x S x S."""

    @classmethod
    def of(cls, model: FaceAutoEncoder) -> "Network":
        """Return a model's own layers."""
        return cls(encoder=split_layers(model.encoder), decoder=split_layers(model.decoder))

    def layers(self, kind: Kind) -> list[nn.Module]:
        """Return the layers that a file of this kind computes, in order."""
        encoder = [] if kind in ("decoder", "generator") else list(self.encoder)
        decoder = [] if kind == "encoder" else list(self.decoder)
        return encoder + decoder


def split_layers(modules: Iterable[nn.Module]) -> nn.Sequential:
    """Return the modules of an encoder or a decoder by layer: convolution, BatchNorm, activation.

    They are shared, not copied.
    """
    layers: list[list[nn.Module]] = []
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            layers.append([])
        layers[-1].append(module)
    return nn.Sequential(*(nn.Sequential(*layer) for layer in layers)).eval()
