"""The convolutional autoencoder.

Shapes: N faces, S image size, Z latent size.
"""

import itertools

from torch import Tensor, nn

from ._config import ModelConfig

SMALLEST_MAP = 4
"""Height and width of the feature map before the latent vector."""
_MAX_WIDENING = 8
"""Channels double at each stage, up to this multiple of the width."""
SLOPE = 0.2
INITIAL_STD = 0.02
"""Standard deviation of initial convolution weights, as in DCGAN. Torch's larger default learns
more slowly."""


class FaceAutoEncoder(nn.Module):
    """A DCGAN-shaped autoencoder (Radford, Metz, Chintala, 2016) with a flat latent vector.

    The encoder halves the image with 4x4 convolutions of stride 2 down to 4x4 pixels, and maps
    these to the latent vector. The decoder mirrors the encoder. Channels double at each halving,
    from `width` to 8 times `width`. 128 and 256 pixels add stages of 8 times the width, since
    further doubling would put most of the weights into the innermost layers. At 64 pixels the
    stages are 3-64-128-256-512.

    Every encoder layer ends in LeakyReLU, including the one that returns the latent vector. The
    first and the last encoder layer have no BatchNorm. Only the last convolution of the decoder has
    a bias.

    The variational model (Kingma and Welling, 2014) and the adversarial one have another
    convolution for the logarithm of each latent number's variance. Their latents, the means, have
    no LeakyReLU.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = stage_channels(config)
        self.encoder = _make_encoder(
            channels, config.latent_size, linear_latents=config.has_variance
        )
        if config.has_variance:
            self.log_variance = nn.Conv2d(
                channels[-1], config.latent_size, SMALLEST_MAP, bias=False
            )
        self.decoder = _make_decoder(channels, config.latent_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=INITIAL_STD)

    def encode(self, images: Tensor) -> Tensor:
        """Return latents, N x Z float, of faces, N x 3 x S x S float in [-1, 1], RGB."""
        z_NZ: Tensor = self.encoder(images).flatten(1)
        return z_NZ

    def encode_distribution(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of each latent number, both N x Z float.

        Only for models with `config.has_variance`. The mean equals the result of `encode`.
        """
        maps_NCHW = self.encoder[:-2](images)
        mean, log_variance = self.encoder[-2:](maps_NCHW), self.log_variance(maps_NCHW)
        return mean.flatten(1), log_variance.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """Return faces, N x 3 x S x S float in [-1, 1], RGB, of latents, N x Z float."""
        images_NCHW: Tensor = self.decoder(z[:, :, None, None])
        return images_NCHW

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstruction of faces; both are N x 3 x S x S float in [-1, 1], RGB."""
        return self.decode(self.encode(images))


def stage_channels(config: ModelConfig) -> list[int]:
    """Return the channels after each halving, the outermost first."""
    num_stages = (config.image_size // SMALLEST_MAP).bit_length() - 1
    return [config.width * min(2**stage, _MAX_WIDENING) for stage in range(num_stages)]


def _make_encoder(channels: list[int], latent_size: int, *, linear_latents: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(3, channels[0], 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(SLOPE),
    ]
    for num_in, num_out in itertools.pairwise(channels):
        layers += [
            nn.Conv2d(num_in, num_out, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(num_out),
            nn.LeakyReLU(SLOPE),
        ]
    layers += [
        nn.Conv2d(channels[-1], latent_size, SMALLEST_MAP, bias=False),
        nn.Identity() if linear_latents else nn.LeakyReLU(SLOPE),
    ]
    return nn.Sequential(*layers)


def _make_decoder(channels: list[int], latent_size: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(latent_size, channels[-1], SMALLEST_MAP, bias=False),
        nn.BatchNorm2d(channels[-1]),
        nn.ReLU(),
    ]
    for num_in, num_out in itertools.pairwise(channels[::-1]):
        layers += [
            nn.ConvTranspose2d(num_in, num_out, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(num_out),
            nn.ReLU(),
        ]
    layers += [
        nn.ConvTranspose2d(channels[0], 3, 4, stride=2, padding=1),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)
