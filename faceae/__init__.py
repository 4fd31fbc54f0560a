"""Face autoencoders: training, latents, generation."""

__version__ = "0.1.0"
