"""Options that determine the shape of every weight."""

from dataclasses import dataclass
from typing import Literal, get_args

from faceae.errors import FaceaeError

IMAGE_SIZES = (32, 64, 128, 256)
"""Heights and widths in pixels that networks exist for."""
Variant = Literal["plain", "denoising", "variational", "regularised", "adversarial"]
"""Kinds of autoencoder. Only the variational and the adversarial one have weights for the variance.
Apart from that they differ in the loss that training minimises."""
_MAX_LATENT_SIZE = 16384
_MAX_WIDTH = 1024


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a FaceAutoEncoder.

    Raises:
        FaceaeError: no network can be built with a value.
    """

    image_size: int = 64
    """Height and width of a face in pixels: 32, 64, 128 or 256."""
    latent_size: int = 1024
    """Numbers that describe one face."""
    width: int = 64
    """Channels after the first convolution. The deepest layers have up to 8 times as many."""
    variant: Variant = "plain"
    """Kind of autoencoder."""

    @property
    def has_variance(self) -> bool:
        """Whether the encoder also returns the variance of each latent number."""
        return self.variant in ("variational", "adversarial")

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES:
            sizes = ", ".join(map(str, IMAGE_SIZES))
            raise FaceaeError(f"`image_size` must be one of {sizes}, got {self.image_size}")
        if not 1 <= self.latent_size <= _MAX_LATENT_SIZE:
            raise FaceaeError(
                f"`latent_size` must be 1 to {_MAX_LATENT_SIZE}, got {self.latent_size}"
            )
        if not 1 <= self.width <= _MAX_WIDTH:
            raise FaceaeError(f"`width` must be in 1-{_MAX_WIDTH}, got {self.width}")
        if self.variant not in get_args(Variant):
            variants = ", ".join(get_args(Variant))
            raise FaceaeError(f"`model` must be one of {variants}, got {self.variant}")
