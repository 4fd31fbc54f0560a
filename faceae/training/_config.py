"""What a training is asked for."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceae.data import LoaderKind
from faceae.device import CacheMode, DeviceName
from faceae.errors import FaceaeError
from faceae.model import ModelConfig, Variant
from faceae_shards import Location

Start = Literal["components", "random"] | Path
"""First weights: from the faces' principal components, random ones, or those of a file."""


def parse_start(text: str) -> Start:
    """Return what a text names: `components`, `random`, or else the path of a file."""
    named: dict[str, Start] = {"components": "components", "random": "random"}
    return named.get(text, Path(text))


_MODEL_OF_OPTION: dict[str, Variant] = {
    "noise_std": "denoising",
    "kl_weight": "variational",
    "free_bits": "variational",
    "latent_penalty": "regularised",
}

_RANDOM_START_LR = 2e-3
_WARM_START_LR = 2e-4


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options of one training run, whatever the number of processes that share it.

    Raises:
        FaceaeError: an option out of its range.
    """

    data: Location
    """A dataset packed by `faceae shard`."""
    run: Path
    """Folder to write; new or empty."""
    epochs: int = 20
    """Passes over the training split; the learning rate falls to zero over all of them."""
    batch_size: int = 64
    """Faces a step, over all processes."""
    accumulate: int = 1
    """Parts a process computes its share of a batch in, one after another, to need less memory.
    BatchNorm then takes its statistics over each part (from components: keeps them)."""
    sync_batchnorm: bool = False
    """Take BatchNorm's statistics over the faces of all processes, not each over its own. Not for
    first weights from components, whose statistics stay as they are."""
    lr: float | None = None
    """Peak learning rate; None: 0.002 for random first weights, 0.0002 for others, which a higher
    one would undo."""
    clip_norm: float | None = None
    """Largest norm of the gradient of all weights; a longer one is shortened to it. None: any."""
    model: Variant = "plain"
    """Kind of autoencoder."""
    noise_std: float | None = None
    """Standard deviation of the noise on what a denoising model sees, in pixels of [-1, 1].
    None: 0.1."""
    kl_weight: float | None = None
    """Weight of a variational model's KL divergence from the standard normal distribution, in nats
    a face, beside the sum of its squared errors. None: 1."""
    free_bits: float | None = None
    """Nats of each latent number's divergence that a variational model has for nothing. None: 0."""
    latent_penalty: float | None = None
    """Weight of half the squared length of a regularised model's latent vectors, beside the sum of
    a face's squared errors. None: 0.01."""
    image_size: int | None = None
    """Height and width in pixels; None: that of the packed pictures, else 64."""
    latent_size: int = 1024
    """Numbers that describe one face."""
    width: int = 64
    """Channels after the first convolution."""
    init: Start = "components"
    """What to begin with. A file holds weights: safetensors, or a state dict of torch.save (.pt,
    .pth)."""
    amp: bool = True
    """Compute in bfloat16 or float16 where the device is faster so."""
    compile: bool = False
    """Compile the network with torch.compile; the first step then takes up to some minutes."""
    cuda_graph: bool = False
    """Replay each step's kernels as a CUDA graph."""
    device: DeviceName = "auto"
    """Where to train; auto: the GPU where there is one."""
    loader: LoaderKind = "auto"
    """What reads the shards; auto: DALI where it can be imported."""
    cache: CacheMode = "auto"
    """Where to hold the training faces after they were read once; auto: where they fit."""
    seed: int = 0
    """Of the first weights, the order of the faces and their flips."""
    log_steps: int = 20
    """Steps between two lines of metrics; only then does the host wait for the device."""
    checkpoint_minutes: float = 10.0
    """Longest time between two checkpoints, to within `log_steps` steps; one a finished epoch."""

    def __post_init__(self) -> None:
        for name, value in (
            ("--epochs", self.epochs),
            ("--batch-size", self.batch_size),
            ("--accumulate", self.accumulate),
            ("log_steps", self.log_steps),
        ):
            if value < 1:
                raise FaceaeError(f"{name} must be at least 1, got {value}")
        self.count_faces_a_rank(1)
        if not (math.isfinite(self.peak_lr) and self.peak_lr > 0):
            raise FaceaeError(f"--lr must be a positive number, got {self.peak_lr:g}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise FaceaeError(f"--clip-norm must be a positive number, got {self.clip_norm:g}")
        if self.sync_batchnorm and self.init == "components":
            raise FaceaeError(
                "--sync-batchnorm is for --init random or WEIGHTS: from components BatchNorm keeps "
                "its first statistics in all processes"
            )
        if self.cuda_graph and (self.compile or self.accumulate > 1):
            # A replay overwrites the gradients of the one before.
            raise FaceaeError("--cuda-graph goes with neither --compile nor --accumulate")
        if not 0 <= self.seed < 2**63:
            raise FaceaeError(f"--seed must be in 0 - 2^63-1, got {self.seed}")
        if not self.checkpoint_minutes > 0:
            raise FaceaeError(f"checkpoint_minutes must be > 0, got {self.checkpoint_minutes:g}")
        # Refuses at once a shape that no network can have.
        image_size = {} if self.image_size is None else {"image_size": self.image_size}
        ModelConfig(
            latent_size=self.latent_size, width=self.width, variant=self.model, **image_size
        )
        self._check_variant_options()

    @property
    def peak_lr(self) -> float:
        """The learning rate asked for, or the one that suits the first weights."""
        if self.lr is not None:
            return self.lr
        return _RANDOM_START_LR if self.init == "random" else _WARM_START_LR

    def count_faces_a_rank(self, world_size: int) -> int:
        """Return the faces of one step in each of so many processes.

        Raises:
            FaceaeError: the batch cannot be divided among them, or into the parts of `accumulate`.
        """
        num_parts = world_size * self.accumulate
        if self.batch_size % num_parts:
            raise FaceaeError(
                f"--batch-size {self.batch_size} cannot be divided among {world_size} processes "
                f"x --accumulate {self.accumulate}; give a multiple of {num_parts}"
            )
        if self.batch_size < 2 * num_parts:
            raise FaceaeError(
                f"--batch-size must be at least {2 * num_parts}: BatchNorm compares faces"
            )
        return self.batch_size // world_size

    def _check_variant_options(self) -> None:
        for name, model in _MODEL_OF_OPTION.items():
            value = getattr(self, name)
            option = "--" + name.replace("_", "-")
            if value is not None and self.model != model:
                raise FaceaeError(f"{option} is an option of --model {model}, not of {self.model}")
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise FaceaeError(f"{option} must be a number of at least 0, got {value:g}")
