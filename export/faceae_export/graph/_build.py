"""The description of an exported file, and the module that it is written from."""

from torch import nn

from faceae.editing import Directions
from faceae.errors import FaceaeError
from faceae.latent import NormalSampler
from faceae.runs import TrainedModel

from .._metadata import EDITORS, ExportInfo, Kind, Precision
from ._modules import (
    AutoEncoder,
    Decoder,
    Editor,
    Encoder,
    Generator,
    LatentEditor,
    Morph,
    NormalLatents,
    PriorGenerator,
    PriorLatents,
)
from ._network import Network

_MODULES = {"decoder": Decoder, "encoder": Encoder, "autoencoder": AutoEncoder, "morph": Morph}


def describe_export(trained: TrainedModel, kind: Kind, precision: Precision = "fp32") -> ExportInfo:
    """Return the metadata of a file that holds this part of a model."""
    return ExportInfo(
        kind=kind,
        model=trained.model.config,
        weights_hash=trained.weights_hash,
        dataset_hash=trained.dataset_hash,
        crop=trained.crop,
        aligned=trained.aligned,
        place=trained.place,
        precision=precision,
        attributes=_directions(trained).names if kind in EDITORS else (),
    )


def build_module(trained: TrainedModel, kind: Kind, network: Network) -> nn.Module:
    """Return the module of this kind, in evaluation mode.

    Args:
        network: the model's own layers, or a network that was derived from them.

    Raises:
        FaceaeError: `kind` is "generator" or "sampler" and the latents have not been fitted, or it
            is an editor and the directions have not been found.
    """
    if kind in EDITORS:
        editor = Editor if kind == "editor" else LatentEditor
        return editor(network, _directions(trained).vectors).eval()
    if kind in ("generator", "sampler"):
        return _build_from_noise(trained, kind, network).eval()
    return _MODULES[kind](network).eval()


def _build_from_noise(trained: TrainedModel, kind: Kind, network: Network) -> nn.Module:
    sampler = trained.sampler
    if sampler is None:
        raise FaceaeError(f"a {kind} needs fitted latents; run `faceae fit` first")
    if isinstance(sampler, NormalSampler):
        return Generator(network, sampler) if kind == "generator" else NormalLatents(sampler)
    return PriorGenerator(network, sampler) if kind == "generator" else PriorLatents(sampler)


def _directions(trained: TrainedModel) -> Directions:
    if trained.directions is None or not trained.directions.found:
        raise FaceaeError("an editor needs directions; run `faceae directions RUN DATA` first")
    return trained.directions
