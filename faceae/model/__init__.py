"""The autoencoder: network, config, pixel conversion, files of weights."""

from ._components import start_from_components
from ._config import IMAGE_SIZES, ModelConfig, Variant
from ._discriminator import Discriminator, Judged
from ._initial import load_initial_weights
from ._network import FaceAutoEncoder
from ._pixels import psnr_db, to_float, to_uint8
from ._weights import load_model, save_model, weights_hash

__all__ = [
    "IMAGE_SIZES",
    "Discriminator",
    "FaceAutoEncoder",
    "Judged",
    "ModelConfig",
    "Variant",
    "load_initial_weights",
    "load_model",
    "psnr_db",
    "save_model",
    "start_from_components",
    "to_float",
    "to_uint8",
    "weights_hash",
]
