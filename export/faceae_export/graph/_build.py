"""The description of an exported file, and the module that it is written from."""

from torch import nn

from faceae.errors import FaceaeError
from faceae.latent import NormalSampler
from faceae.model import weights_hash
from faceae.runs import TrainedModel

from .._metadata import ExportInfo, Kind, Precision
from ._modules import AutoEncoder, Decoder, Encoder, Generator, Morph, PriorGenerator
from ._network import Network

_MODULES = {"decoder": Decoder, "encoder": Encoder, "autoencoder": AutoEncoder, "morph": Morph}


def describe_export(trained: TrainedModel, kind: Kind, precision: Precision = "fp32") -> ExportInfo:
    """Return the metadata of a file that holds this part of a model."""
    return ExportInfo(
        kind=kind,
        model=trained.model.config,
        weights_hash=weights_hash(trained.model),
        dataset_hash=trained.dataset_hash,
        crop=trained.crop,
        precision=precision,
    )


def build_module(trained: TrainedModel, kind: Kind, network: Network) -> nn.Module:
    """Return the module of this kind, in evaluation mode.

    Args:
        network: the model's own layers, or a network that was derived from them.

    Raises:
        FaceaeError: `kind` is "generator" and the latents have not been fitted.
    """
    if kind != "generator":
        return _MODULES[kind](network).eval()
    if trained.sampler is None:
        raise FaceaeError("a generator needs fitted latents; run `faceae fit` first")
    if isinstance(trained.sampler, NormalSampler):
        return Generator(network, trained.sampler).eval()
    return PriorGenerator(network, trained.sampler).eval()
