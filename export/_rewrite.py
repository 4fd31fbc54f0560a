"""Changes to the decoder that leave its output as it is and make it faster."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def rewrite_decoder(decoder: nn.Sequential) -> nn.Sequential:
    """Return an equal decoder, in evaluation mode, for any runtime to compute with less work.

    Each BatchNorm is folded into the transposed convolution before it, which then has a bias.
    Done here since freezing TorchScript folds it into plain convolutions only. Nothing of
    `decoder` is changed or shared.
    """
    layers: list[nn.Module] = []
    for layer in decoder:
        if isinstance(layer, nn.BatchNorm2d):
            conv = layers[-1]
            assert isinstance(conv, nn.ConvTranspose2d)
            layers[-1] = fuse_conv_bn_eval(conv, layer, transpose=True)
        else:
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval()
