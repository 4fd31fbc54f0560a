import copy

import torch
from torch import nn

from export import ExportSource
from export._rewrite import rewrite_decoder
from faceae.latent import latent_noise


def test_rewritten_decoder_computes_the_same_without_batch_norm(source: ExportSource) -> None:
    decoder = source.model.decoder
    rewritten = rewrite_decoder(decoder)
    z_NZ11 = torch.from_numpy(latent_noise(0, 0, 200, 16))[:, :, None, None]
    with torch.inference_mode():
        expected = decoder(z_NZ11)
        assert (rewritten(z_NZ11) - expected).abs().max() < 1e-5
    assert expected.std() > 0.1
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in rewritten.modules())


def test_rewriting_leaves_the_model_as_it_was(source: ExportSource) -> None:
    decoder = source.model.decoder
    before = copy.deepcopy(decoder.state_dict())
    for parameter in rewrite_decoder(decoder).parameters():
        nn.init.zeros_(parameter)
    assert all(torch.equal(before[name], tensor) for name, tensor in decoder.state_dict().items())
