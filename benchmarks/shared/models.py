"""The benchmarks' model: it has the default size and computes like a trained one."""

import numpy as np
import torch
from torch import nn

from faceae.latent import LatentMoments, NormalSampler, Sampler
from faceae.model import FaceAutoEncoder, ModelConfig


def make_model(width: int = ModelConfig.width) -> FaceAutoEncoder:
    """Return a model, of the default size but for its width, that computes like a trained one."""
    torch.manual_seed(0)
    model = FaceAutoEncoder(ModelConfig(width=width))
    norms = [layer for layer in model.decoder if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.normal_(norm.weight, mean=1, std=0.2)
        nn.init.normal_(norm.bias, std=0.2)
        norm.momentum = None
    with torch.no_grad():
        model.decode(torch.randn(256, model.config.latent_size))
    return model.eval()


def make_sampler() -> Sampler:
    """Return a sampler of standard normal latents."""
    size = ModelConfig().latent_size
    moments = LatentMoments(size)
    rng = np.random.default_rng(0)
    for _ in range(8):
        moments.update(rng.standard_normal((1024, size)))
    return NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
